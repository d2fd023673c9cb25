package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync/order"
)

// Plan is what bringing a cluster to a revision would change, and in which order.
type Plan struct {
	// Refused says why nothing of the revision is applied; "" if it is. The rest is then empty.
	Refused string
	// PruneHeld says why nothing is removed; "" if removals are allowed.
	PruneHeld string
	// Problems are those of overlays that belong to no tenant.
	Problems []kustomize.Problem
	// Units are the cluster overlay, with the name "", if there is one, and every tenant by name.
	Units []Unit
	// Writes are in order: of one turn, each unit's own by itself, for which others do not wait.
	Writes []Write
}

// Unit is what is shown of a tenant, or of the cluster overlay.
type Unit struct {
	// Tenant is as it would be when all was done that can be done now.
	Tenant
	// New: its namespace does not exist yet.
	New bool
	// Changes are the differences, those that stand open first.
	Changes []Change
	// Opens and Closes are what its changes together do to traffic, and Unsure what they may do. Of a new tenant Opens is
	// all that it allows.
	Opens, Closes, Unsure []reach.Connection
	// Beyond is what is still let through in the end, since something is held back.
	Beyond []reach.Connection
}

// Why something stays as it is, beside what [drift.Hold] says.
const (
	StaysPrune     = "prune"     // a removal that sync.maxPrune does not allow
	StaysSuspended = "suspended" // what is new waits, by the tenant's own settings
)

// Change is one difference and what comes of it. Its exposure is of the live state against Git, as everywhere: what is open and
// shall not be is in Opens.
type Change struct {
	drift.Difference
	// Drift: the object was as Git says before.
	Drift bool
	// Stays says why nothing is done about it: a [drift.Hold], StaysPrune or StaysSuspended; "" if something is.
	Stays string
	// Reason is what whoever holds it says; "" if nothing.
	Reason string
	// Unknown says why it cannot be known whether there is a difference; "" if it can.
	Unknown string
}

// Turn is how far a revision has come when something is written. Nothing is written in one before everything has been in those
// before it, but for what undoes drift.
type Turn int

// The turns. Where a revision touches one unit alone, all is written in the last.
const (
	ClusterCloses Turn = Turn(clusterCloses) // the cluster overlay's closings
	TenantsClose  Turn = Turn(tenantsClose)  // those of the tenants
	TenantsOpen   Turn = Turn(tenantsOpen)   // the tenants' openings
	AllOpen       Turn = Turn(allOpen)       // the cluster overlay's, and whatever had to wait
)

// Write is one request.
type Write struct {
	// Unit makes it; "" is the cluster overlay.
	Unit string
	Turn Turn
	// Phase is order.Closing or order.Opening; what a unit closes comes before what it opens.
	Phase order.Phase
	ID    drift.ID
	// Action is "created", "updated" or "pruned".
	Action string
	// Between is what is written, where that is a state between what is live and what Git says; nil if it is what Git says.
	Between *unstructured.Unstructured
	// Drift: it undoes what was done to the cluster.
	Drift bool
	// Opens are connections that it allows and that were not before; Cuts are those that both ends allow and that it cuts until
	// a later write.
	Opens, Cuts []reach.Connection
}

// PreviewConfig says what is shown.
type PreviewConfig struct {
	// Cluster is what the revision is compared with: see [drift.Read]. It must see everything, and is written to, which nobody else
	// sees. Required, unless From is given.
	Cluster *drift.Cluster
	// Kube reads the state of the instance; nil means that there is none: what left Git is then not known, and extra.
	Kube Kube
	// From is the revision that an imagined cluster stands at, in the place of Cluster and Kube; nil if there are those.
	From *sources.Snapshot
	// To is the revision that is shown. Required.
	To *sources.Snapshot
	// Renderer turns snapshots into objects. Required. Owner is what it should ask who owns a namespace.
	Renderer func(owner func(namespace string) (overlay string, ok bool)) Renderer
	// Source gives the revisions that the state names. Required.
	Source Source
	// Instance and Namespace are as in [Config].
	Instance, Namespace string
	// Mode is Correct if "".
	Mode Mode
	// MaxPrune bounds removals; the zero value allows none.
	MaxPrune PruneLimit
}

// Preview returns what an engine would do, by letting one do it to a copy of the cluster: the rounds, the gates and the order are
// the engine's own. Nothing is written, not even as a dry run, so what the API server would refuse is not known. An error says
// that it cannot be told.
func Preview(ctx context.Context, p PreviewConfig) (*Plan, error) {
	e, h := p.engine()
	e.config.Renderer = p.Renderer(e.Owner)
	rendered, err := e.config.Renderer.Render(ctx, p.To)
	if err != nil {
		return nil, fmt.Errorf("rendering revision %s: %w", short(p.To.Revision().Commit), err)
	}
	o := newOwner(e)
	o.timer, o.resume, o.due, o.thaw = stoppedTimer(), stoppedTimer(), stoppedTimer(), stoppedTimer()
	defer o.resume.Stop()
	if err := p.recall(ctx, o, h, rendered); err != nil {
		return nil, err
	}
	if err := o.checkNotEmptied(ctx, rendered); err != nil {
		if errors.Is(err, errEmptied) {
			return &Plan{Refused: err.Error()}, nil
		}
		return nil, err
	}
	if rendered, err = o.bootstrap(ctx, p.To, rendered); err != nil {
		return nil, err
	}
	o.bootstrapped = true
	if err := o.publish(ctx, p.To.Revision().Commit, rendered); err != nil {
		return nil, err
	}
	o.rehearse(ctx)
	return o.plan(h), ctx.Err()
}

// engine makes an engine that only rehearses.
func (p *PreviewConfig) engine() (*Engine, *rehearsal) {
	c := Config{
		Source: p.Source, Instance: cmp.Or(p.Instance, "default"), Namespace: cmp.Or(p.Namespace, "ringfence-system"), Mode: cmp.Or(p.Mode, Correct),
		MaxPrune: p.MaxPrune, Metrics: NewMetrics(nil), DriftMetrics: drift.NewMetrics(nil), Log: slog.New(slog.DiscardHandler),
	}
	e := newEngine(c, p.Cluster)
	h := &rehearsal{cluster: p.Cluster, imagined: func(string) bool { return false }, units: map[string]*Unit{}}
	e.rehearsal, e.hand, e.queue = h, h, never()
	e.events = &events{cluster: p.Cluster, stop: func() {}}
	return e, h
}

// recall takes in what was applied before: what the state says, or the revision that an imagined cluster stands at, as which it is
// then made.
func (p *PreviewConfig) recall(ctx context.Context, o *owner, h *rehearsal, to *Rendered) error {
	switch {
	case p.From != nil:
		from, err := o.engine.config.Renderer.Render(ctx, p.From)
		if err != nil {
			return fmt.Errorf("rendering revision %s: %w", short(p.From.Revision().Commit), err)
		}
		h.cluster, h.imagined = imagine(from, to)
		o.engine.cluster, o.engine.events.cluster = h.cluster, h.cluster
		o.know(state{Applied: p.From.Revision().Commit})
	case p.Kube != nil:
		o.store.kube = p.Kube
		st, err := o.store.load(ctx)
		if err != nil {
			return err
		}
		o.know(st)
	default:
		o.know(state{})
	}
	return nil
}

// imagine makes a cluster that stands at a revision. Of namespaces that no overlay makes, those of tenants exist, and those that
// every cluster has or that policy tests name, with no labels but their names.
func imagine(from, to *Rendered) (cluster *drift.Cluster, fresh func(string) bool) {
	objects := map[kinds.Kind][]*unstructured.Unstructured{}
	there, makes := map[string]bool{}, map[string]bool{}
	name := func(namespace string) {
		if namespace != "" && !there[namespace] {
			there[namespace] = true
			objects[kinds.Namespace] = append(objects[kinds.Namespace], namespaceOf(namespace, nil))
		}
	}
	before, after := tenantsOf(from), tenantsOf(to)
	for _, t := range before {
		for _, o := range t.Objects {
			u := o.DeepCopy()
			if o.Kind == kinds.Namespace {
				there[u.GetName()] = true
				u = namespaceOf(u.GetName(), u)
			}
			objects[o.Kind] = append(objects[o.Kind], u)
		}
	}
	for tenant, t := range after {
		if makes[tenant] = slices.ContainsFunc(t.Objects, func(o kustomize.Object) bool { return o.Kind == kinds.Namespace }); !makes[tenant] {
			name(tenant)
		}
	}
	for tenant, t := range before {
		name(tenant)
		for _, w := range t.Workloads() {
			name(w.Namespace)
		}
	}
	for _, namespace := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		name(namespace)
	}
	for _, t := range after {
		for _, w := range t.Workloads() {
			if !makes[w.Namespace] {
				name(w.Namespace)
			}
		}
	}
	for _, all := range objects {
		for i, u := range all { // each has its own, as an API server gives them
			u.SetUID(types.UID(fmt.Sprintf("imagined-%s-%d", u.GetKind(), i)))
			u.SetResourceVersion("1")
		}
	}
	return drift.Imagined(objects), func(namespace string) bool { return before[namespace] == nil }
}

// namespaceOf returns a Namespace as an API server keeps it.
func namespaceOf(name string, as *unstructured.Unstructured) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	if as != nil {
		u = as
	}
	u.SetLabels(overlaid(u.GetLabels(), map[string]string{corev1.LabelMetadataName: name}))
	return u
}

// plan gathers what was rehearsed.
func (o *owner) plan(h *rehearsal) *Plan {
	w := o.previous
	p := &Plan{PruneHeld: w.pruneHeld, Problems: w.refused, Writes: h.writes}
	for _, t := range o.engine.Tenants() {
		u := Unit{}
		if seen := h.units[t.Name]; seen != nil {
			u = *seen
		}
		u.Tenant, u.Beyond = t, o.beyond[t.Name]
		p.Units = append(p.Units, u)
	}
	return p
}
