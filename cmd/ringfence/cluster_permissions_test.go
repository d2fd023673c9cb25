package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// occasion is something that happens to a daemon, and the permissions of the table that it needs then.
type occasion struct {
	name string
	of   func(a permissions.Access) bool
	// before happens before the daemon starts, and after once it is in order. With neither it needs them to start.
	before, after func(p *powers, d *weakDaemon)
}

// occasions are all that make the daemon need something of the table, where Calico's kinds are served from definitions, or
// aggregated by Calico's own API server.
func occasions(aggregated bool) []occasion {
	verb := func(verb string, groups ...string) func(permissions.Access) bool {
		return func(a permissions.Access) bool { return a.Verb == verb && slices.Contains(groups, a.Group) }
	}
	one := func(verb, resource string) func(permissions.Access) bool {
		return func(a permissions.Access) bool { return a.Verb == verb && a.Resource == resource }
	}
	guarded := []string{kinds.GroupKubernetes, kinds.GroupCalico, kinds.GroupPolicy}
	tiers, namespaces := kinds.Tier.Resource, kinds.Namespace.Resource
	butTiers := func(of func(permissions.Access) bool) func(permissions.Access) bool {
		return func(a permissions.Access) bool { return a.Resource != tiers && of(a) }
	}
	label := func(only ...string) func(*powers, *weakDaemon) {
		return func(p *powers, _ *weakDaemon) { p.each(p.label, only...) }
	}
	remove := func(only ...string) func(*powers, *weakDaemon) {
		return func(p *powers, _ *weakDaemon) { p.each(p.delete, only...) }
	}
	conflict := func(then func(*powers, *weakDaemon)) func(*powers, *weakDaemon) {
		return func(p *powers, d *weakDaemon) {
			p.conflicts.Store(true)
			then(p, d)
		}
	}
	tierGet := occasion{name: "a conflict over a tier", of: one("get", tiers), after: conflict(label(tiers))}
	if aggregated {
		tierGet = occasion{name: "seeing tiers", of: one("get", tiers)}
	}
	return []occasion{
		{name: "watching", of: func(a permissions.Access) bool { return a.Verb == "watch" }},
		// Where lists are streamed, an audit.
		{name: "listing", of: func(a permissions.Access) bool { return a.Verb == "list" && !inTiers(a) }},
		{name: "listing what tiers hide", of: func(a permissions.Access) bool { return a.Verb == "list" && inTiers(a) }},
		{name: "finding the flavour", of: one("get", "apiservices")},
		{name: "reading the state", of: one("get", "configmaps")},
		{name: "making the state", of: one("create", "configmaps"), before: (*powers).forgetState},
		{name: "keeping the state", of: one("update", "configmaps"), after: (*powers).pushAnything},
		{name: "looking at the lease", of: one("get", "leases")},
		{name: "making the lease", of: one("create", "leases"), before: (*powers).forgetLease},
		{name: "renewing the lease", of: one("update", "leases")},
		{name: "a new tenant", of: one("create", namespaces), after: (*powers).newTenant},
		{name: "labels of a Namespace", of: one("patch", namespaces), after: label(namespaces)},
		{name: "a conflict over a Namespace", of: one("get", namespaces), after: conflict(label(namespaces))},
		// A tier that cannot be written holds back what is in it, and so is by itself.
		{name: "a missing tier", of: one("create", tiers), after: remove(tiers)},
		{name: "a changed tier", of: one("patch", tiers), after: label(tiers)},
		{name: "an addition to a tier", of: one("update", tiers), after: label(tiers)},
		tierGet,
		{name: "missing objects", of: butTiers(verb("create", guarded...)), after: remove()},
		{name: "changed objects", of: butTiers(verb("patch", guarded...)), after: label()},
		{name: "additions to objects", of: butTiers(verb("update", guarded...)), after: label()},
		{name: "conflicts over objects", of: butTiers(verb("get", guarded...)), after: conflict(label())},
		{name: "what leaves Git", of: verb("delete", guarded...), before: (*powers).emptied},
		{name: "events", of: one("create", "events"), after: label("networksets")},
		{name: "events that recur", of: one("patch", "events"), after: (*powers).labelTwice},
		{name: "who asks", of: one("create", "tokenreviews"), after: (*powers).visit},
		{name: "what they may", of: one("create", "subjectaccessreviews"), after: (*powers).visit},
	}
}

// inTiers says whether an access is one that Calico's own API server asks for beside that of the policies themselves.
func inTiers(a permissions.Access) bool { return strings.HasPrefix(a.Resource, "tier.") }

// Without a permission the daemon says which one it misses, and where that is granted; and each of the table is missed, but
// for those that only Calico's own API server asks for. The API server is one that does not stream lists.
func TestPermissionsAreMissed(t *testing.T) {
	p := newPowers(t, controlplane.CalicoCRD, "--feature-gates=WatchList=false")
	p.missAll(t, occasions(false), func(r permissions.Rule, _ permissions.Access) bool { return r.If != permissions.IfAggregated })
}

// Calico's own API server asks for more. Lists of all but its kinds are streamed, as API servers do by now, and only an audit
// asks for them.
func TestPermissionsAreMissedAggregated(t *testing.T) {
	p := newPowers(t, controlplane.CalicoAggregated)
	p.missAll(t, occasions(true), func(r permissions.Rule, a permissions.Access) bool {
		switch {
		case a.Verb == "list":
			return a.Resource != "daemonsets" // of which there is no audit
		case a.Verb == "get" && a.Resource == kinds.Tier.Resource:
			return true
		}
		return r.If == permissions.IfAggregated
	})
	t.Run("people", p.missPeople)
}

// missAll has the daemon miss each permission of the table that is chosen: those of one occasion together, or with
// RINGFENCE_SCALE=full each by itself.
func (p *powers) missAll(t *testing.T, all []occasion, chosen func(permissions.Rule, permissions.Access) bool) {
	var table []permissions.Access
	for _, r := range permissions.Of(permissions.Rules(""), permissions.Daemon) {
		for _, a := range r.Accesses() {
			if chosen(r, a) {
				table = append(table, a)
			}
		}
	}
	missed := map[permissions.Access]bool{}
	for _, o := range all {
		of := slices.DeleteFunc(slices.Clone(table), func(a permissions.Access) bool { return !o.of(a) })
		if full() {
			for _, a := range of {
				t.Run(o.name+"/"+a.String(), func(t *testing.T) { p.miss(t, o, a) })
			}
		} else if len(of) > 0 {
			t.Run(o.name, func(t *testing.T) { p.miss(t, o, of...) })
		}
		for _, a := range of {
			missed[a] = true
		}
	}
	for _, a := range table {
		assert.True(t, missed[a], "no occasion needs it: %s", a)
	}
}

// miss takes permissions away and has the daemon say so of each.
func (p *powers) miss(t *testing.T, o occasion, lacking ...permissions.Access) {
	p.t = t
	p.inOrder()
	if p.spoiled = o.before != nil || o.after != nil; o.before != nil {
		o.before(p, nil)
	}
	d := p.start(p.account(permissions.Daemon, lacking...))
	defer d.stop(t)
	if o.after != nil {
		d.untilInOrder(t)
		o.after(p, d)
	}
	for _, a := range lacking {
		d.untilMissed(t, a)
	}
}

// untilMissed waits until the log names a permission, and what grants it.
func (d *weakDaemon) untilMissed(t *testing.T, a permissions.Access) {
	t.Helper()
	require.Eventually(t, func() bool { return names(d.said(), a, permissions.Daemon) }, eventuallyLimit, 20*time.Millisecond, "%s\n%s", a, (*saidLate)(d))
}

// names says whether a line of a text names a permission as missing, and the role that grants it to a holder.
func names(text string, a permissions.Access, who permissions.Holder) bool {
	a.Name, a.Own = "", false
	granted := strings.Replace(a.String(), " ", " on ", 1)
	for line := range strings.Lines(text) {
		_, hint, _ := strings.Cut(line, "(hint: grant ")
		wanted := slices.ContainsFunc(strings.FieldsFunc(hint, func(r rune) bool { return r == ',' || r == ':' }), func(part string) bool {
			return strings.TrimSpace(part) == granted
		})
		if wanted && strings.Contains(hint, "Role "+string(who)+" in base/ringfence/") {
			return true
		}
	}
	return false
}

// saidLate is a daemon's log as it stands when it is printed.
type saidLate weakDaemon

// String implements fmt.Stringer.
func (s *saidLate) String() string { return (*weakDaemon)(s).said() }

// transport is a round tripper that is a function.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
