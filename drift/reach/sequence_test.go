package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawObjects draws objects of every kind that the model reads. Names and namespaces are few, so that what is drawn again
// is often the same object, changed.
func drawObjects(t *rapid.T, version string) []Object {
	b := drawWorld(t, chance(t, "known", 50))
	b.version = version
	out := b.objects()
	slices.SortStableFunc(out, func(a, b Object) int { return strings.Compare(keyOf(a), keyOf(b)) })
	for range rapid.IntRange(0, 5).Draw(t, "others") {
		out = append(out, drawOther(t))
	}
	if chance(t, "stored form", 20) {
		out = append(out, storedForms(out)...)
	}
	return out
}

// storedForms repeats Calico's policies of the tier default as its API server stores them, with other contents.
func storedForms(objects []Object) []Object {
	var out []Object
	for _, o := range objects {
		if o.Content["apiVersion"] != "projectcalico.org/v3" || o.Content["kind"] != "NetworkPolicy" || textAt(o.Content, "spec", "tier") != tierDefault {
			continue
		}
		meta := o.Content["metadata"].(dict)
		spec := dict{"tier": "default", "selector": "all()", "types": []any{"Ingress"}}
		out = append(out, plainObject("crd.projectcalico.org/v1", "NetworkPolicy", meta["namespace"].(string), "default."+meta["name"].(string), nil, dict{"spec": spec}))
	}
	return out
}

func plainObject(apiVersion, kind, namespace, name string, labels map[string]string, rest dict) Object {
	meta := dict{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	if len(labels) > 0 {
		meta["labels"] = anyMap(labels)
	}
	content := dict{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	for key, value := range rest {
		content[key] = value
	}
	return Object{Content: content, Origin: Origin{File: kind + namespace + name}}
}

// drawOther draws an object of a kind that the brute-force evaluator does not know.
func drawOther(t *rapid.T) Object {
	space := oneOf(t, "space", "x", "y", "z")
	kinds := []func(*rapid.T, string) Object{
		drawAccount, drawService, drawSlice, drawNode, drawHostPod, drawController, drawOwned, drawHostEndpoint, drawServicePolicy,
		drawAccountPolicy, drawForwarding, drawMalformed, drawStaged, drawWideSet, drawNamespace, drawFarSighted,
	}
	return kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "other kind")](t, space)
}

func drawAccount(t *rapid.T, space string) Object {
	return plainObject("v1", "ServiceAccount", space, oneOf(t, "account", "default", "robot"), drawLabels(t), nil)
}

func drawService(t *rapid.T, space string) Object {
	port := dict{"port": int64(80), "targetPort": any("web")}
	if chance(t, "number", 50) {
		port["targetPort"] = int64(8080)
	}
	return plainObject("v1", "Service", space, "svc", nil, dict{"spec": dict{"selector": anyMap(drawLabels(t)), "ports": []any{port}}})
}

func drawSlice(t *rapid.T, space string) Object {
	rest := dict{
		"endpoints": []any{dict{"addresses": []any{oneOf(t, "address", "10.0.0.0", "10.0.0.1", "203.0.113.7")}, "targetRef": dict{"kind": "Pod", "name": "pod1"}}},
		"ports":     []any{dict{"port": oneOf(t, "port", int64(80), int64(8080))}},
	}
	return plainObject("discovery.k8s.io/v1", "EndpointSlice", space, "svc-1", map[string]string{"kubernetes.io/service-name": "svc"}, rest)
}

func drawNode(t *rapid.T, _ string) Object {
	addresses := []any{dict{"address": oneOf(t, "address", "192.168.0.1", "192.168.0.2", "10.0.0.1")}}
	if chance(t, "no address", 20) {
		addresses = nil
	}
	return plainObject("v1", "Node", "", oneOf(t, "node", "n1", "n2"), nil, dict{"status": dict{"addresses": addresses}})
}

func drawHostPod(t *rapid.T, space string) Object {
	spec := dict{"hostNetwork": chance(t, "hostNetwork", 80), "nodeName": oneOf(t, "node", "n1", "n2", "")}
	return plainObject("v1", "Pod", space, oneOf(t, "name", "agent", "pod1"), drawLabels(t), dict{"spec": spec})
}

func drawController(t *rapid.T, space string) Object {
	template := dict{"metadata": dict{"labels": anyMap(drawLabels(t))}, "spec": dict{}}
	return plainObject("apps/v1", "Deployment", space, oneOf(t, "name", "web", "pod1"), nil, dict{"spec": dict{"template": template}})
}

func drawOwned(t *rapid.T, space string) Object {
	o := plainObject("v1", "Pod", space, "web-1", drawLabels(t), dict{"status": dict{"phase": oneOf(t, "phase", "Running", "Succeeded")}})
	owner := dict{"kind": "Deployment", "name": "web", "controller": true}
	o.Content["metadata"].(dict)["ownerReferences"] = []any{owner}
	return o
}

func drawHostEndpoint(*rapid.T, string) Object {
	return plainObject("projectcalico.org/v3", "HostEndpoint", "", "eth0", nil, nil)
}

func drawServicePolicy(t *rapid.T, space string) Object {
	rule := dict{"action": "Allow", "destination": dict{"services": dict{"name": "svc", "namespace": oneOf(t, "service's", "x", "y")}}}
	spec := dict{"selector": drawSelector(t, 1).text, "types": []any{"Egress"}, "egress": []any{rule}}
	return plainObject("projectcalico.org/v3", "NetworkPolicy", space, "services", nil, dict{"spec": spec})
}

func drawAccountPolicy(t *rapid.T, space string) Object {
	rule := dict{"action": oneOf(t, "action", "Allow", "Deny"), "source": dict{"serviceAccounts": dict{"selector": drawSelector(t, 0).text}}}
	spec := dict{"serviceAccountSelector": drawSelector(t, 0).text, "types": []any{"Ingress"}, "ingress": []any{rule}}
	return plainObject("projectcalico.org/v3", "NetworkPolicy", space, "accounts", nil, dict{"spec": spec})
}

func drawForwarding(t *rapid.T, _ string) Object {
	spec := dict{"selector": drawSelector(t, 1).text, "applyOnForward": true, oneOf(t, "flag", "doNotTrack", "preDNAT", "applyOnForward"): true}
	return plainObject("projectcalico.org/v3", "GlobalNetworkPolicy", "", "hosts", nil, dict{"spec": spec})
}

func drawMalformed(t *rapid.T, space string) Object {
	if chance(t, "global", 30) {
		return plainObject("projectcalico.org/v3", "GlobalNetworkPolicy", "", "malformed", nil, dict{"spec": dict{"selector": oneOf(t, "selector", "a =", "all()")}})
	}
	return plainObject("networking.k8s.io/v1", "NetworkPolicy", space, "malformed", nil, dict{"spec": dict{"podSelector": dict{}, oneOf(t, "key", "typo", "ingress"): nil}})
}

func drawStaged(t *rapid.T, space string) Object {
	spec := dict{"selector": drawSelector(t, 1).text, "stagedAction": oneOf(t, "staged", "Set", "Delete")}
	if spec["stagedAction"] == "Delete" {
		delete(spec, "selector")
	}
	return plainObject("projectcalico.org/v3", "StagedNetworkPolicy", space, "staged", nil, dict{"spec": spec})
}

func drawWideSet(t *rapid.T, _ string) Object {
	nets := texts(drawPrefixes(t))
	if chance(t, "bad net", 20) {
		nets = append(nets, "10.2402.0.0/16")
	}
	return plainObject("projectcalico.org/v3", "GlobalNetworkSet", "", "wide", drawLabels(t), dict{"spec": dict{"nets": nets}})
}

func drawNamespace(t *rapid.T, space string) Object {
	return plainObject("v1", "Namespace", "", space, drawLabels(t), nil)
}

// drawFarSighted draws a policy whose rules look at the pods of namespaces by the namespaces' names and labels.
func drawFarSighted(t *rapid.T, space string) Object {
	term := map[string]string{oneOf(t, "key", "app", "kubernetes.io/metadata.name"): oneOf(t, "value", "a", "b", "x", "z", "nowhere")}
	peer := dict{"namespaceSelector": dict{"matchLabels": anyMap(term)}, "podSelector": drawKube(t).kube}
	port := dict{"port": any("web")}
	if chance(t, "number", 50) {
		port["port"] = int64(80)
	}
	spec := dict{"podSelector": drawKube(t).kube, "policyTypes": []any{"Ingress", "Egress"}}
	spec[oneOf(t, "direction", "ingress", "egress")] = []any{dict{oneOf(t, "side", "from", "to"): []any{peer}, "ports": []any{port}}}
	for direction, side := range map[string]string{"ingress": "to", "egress": "from"} {
		for _, rule := range listAt(spec, direction) {
			delete(rule.(dict), side)
		}
	}
	return plainObject("networking.k8s.io/v1", "NetworkPolicy", space, "far", nil, dict{"spec": spec})
}

func drawConfig(t *rapid.T) Config {
	config := Config{
		CalicoVersion: oneOf(t, "version", "3.31", "3.32"), Pending: chance(t, "pending", 30), Implied: chance(t, "implied", 50),
		WholeWorld: chance(t, "whole world", 60),
	}
	if chance(t, "pods' range", 60) {
		config.PodCIDRs = []netip.Prefix{netip.MustParsePrefix(oneOf(t, "range", "10.0.0.0/30", "10.0.0.0/8", "10.0.0.0/31"))}
	}
	if chance(t, "nodes' range", 40) {
		config.NodeCIDRs = []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}
	}
	if chance(t, "workloads", 30) {
		config.Workloads = []Workload{{Namespace: "x", Name: "named", Labels: drawLabels(t)}, {Namespace: "x", Name: "pod1", Labels: drawLabels(t)}}
	}
	return config
}

// drawChanges draws objects that come or change, and some that go.
func drawChanges(t *rapid.T, have map[string]Object, version string) []Change {
	var out []Change
	for _, o := range drawObjects(t, version) {
		if chance(t, "take", 25) {
			out = append(out, Change{Object: o})
		}
	}
	for _, key := range sortedKeys(have) {
		if chance(t, "remove", 8) {
			out = append(out, Change{Object: have[key], Removed: true})
		}
	}
	return out
}

func changed(have map[string]Object, changes []Change) map[string]Object {
	out := map[string]Object{}
	for key, o := range have {
		out[key] = o
	}
	for _, c := range changes {
		if delete(out, keyOf(c.Object)); !c.Removed {
			out[keyOf(c.Object)] = c.Object
		}
	}
	return out
}

func freshOf(t *rapid.T, config Config, have map[string]Object) *World {
	config.Objects = nil
	for _, key := range sortedKeys(have) {
		config.Objects = append(config.Objects, have[key])
	}
	w, err := New(config)
	require.NoError(t, err)
	return w
}

// After any sequence of changes of any objects, the world, its connectivity and what changed in it are as if made anew; what
// a change would do is told before it happens; and nothing that was given out changes.
func TestSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawConfig(t)
		have := changed(nil, drawChanges(t, nil, config.CalicoVersion))
		w := freshOf(t, config, have)
		if chance(t, "asked late", 90) {
			w.Connectivity()
		}
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			changes := drawChanges(t, have, config.CalicoVersion)
			before := w.Connectivity()
			told := before.Report(false)
			freshBefore := freshOf(t, config, have)
			have = changed(have, changes)
			fresh := freshOf(t, config, have)
			effect := w.Effect(changes...)
			require.Equal(t, Diff(freshBefore.Connectivity(), fresh.Connectivity()), effect)
			equalWorlds(t, freshBefore, w)
			w.Apply(changes...)
			equalWorlds(t, fresh, w)
			require.Equal(t, effect, Diff(before, w.Connectivity()))
			require.Equal(t, told, before.Report(false))
			require.True(t, Diff(fresh.Connectivity(), w.Connectivity()).Empty())
		}
	})
}

func equalWorlds(t *rapid.T, fresh, w *World) {
	require.Equal(t, fresh.Problems(), w.Problems())
	want, got := fresh.Endpoints(), w.Endpoints()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].String(), got[i].String())
		require.Equal(t, want[i].Origin, got[i].Origin)
	}
	require.Equal(t, fresh.Connectivity().Report(true), w.Connectivity().Report(true))
	require.Equal(t, fresh.Connectivity().Report(false), w.Connectivity().Report(false))
}

// With and Effect read a world that others read at the same time, and leave it as it is.
func TestWithBesideReaders(t *testing.T) {
	config := tenantConfig(20)
	config.Objects = append(config.Objects, guardObjects()...)
	w, err := New(config)
	require.NoError(t, err)
	before := w.Connectivity().Report(false)
	changes := benchChanges()
	var group sync.WaitGroup
	for _, name := range sortedKeys(changes) {
		group.Go(func() {
			assert.NotNil(t, w.Effect(changes[name][0]))
			next := w.With(changes[name][0], changes[name][1])
			next.Apply(changes[name][0])
			assert.Equal(t, w.With(changes[name][0]).Connectivity().Report(true), next.Connectivity().Report(true))
		})
	}
	group.Wait()
	require.Equal(t, before, w.Connectivity().Report(false))
}

// In a world of many namespaces and changes, also of so many at once that all is made anew, what is kept and what is
// computed again stay one.
func TestManyChanges(t *testing.T) {
	fewer(t, 20)
	rapid.Check(t, func(t *rapid.T) {
		have := map[string]Object{}
		for _, o := range tenantObjects(24) {
			have[keyOf(o)] = o
		}
		config := Config{WholeWorld: chance(t, "whole world", 50), Implied: chance(t, "implied", 50)}
		w := freshOf(t, config, have)
		before := w.Connectivity()
		first := before.Report(true)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			var changes []Change
			for range oneOf(t, "changes", 1, 1, 1, 2, 30) {
				changes = append(changes, drawTenantChange(t))
			}
			w.Apply(changes...)
			have = changed(have, changes)
		}
		fresh := freshOf(t, config, have)
		equalWorlds(t, fresh, w)
		require.Equal(t, Diff(fresh.Connectivity(), before), Diff(w.Connectivity(), before))
		require.Equal(t, first, before.Report(true))
	})
}

// drawTenantChange draws a pod, a policy or labels of one of some tenants, to come, to change or to go.
func drawTenantChange(t *rapid.T) Change {
	space := fmt.Sprintf("caas-%05d", rapid.IntRange(0, 29).Draw(t, "tenant"))
	app := oneOf(t, "app", "cloudify-manager", "postgres", "web")
	removed := chance(t, "removed", 40)
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return Change{plainObject("v1", "Pod", space, "pod-"+app, map[string]string{"app": app}, dict{"spec": dict{}}), removed}
	case 1:
		return Change{plainObject("v1", "Namespace", "", space, map[string]string{"tenant": app}, nil), removed}
	case 2:
		policies := tenantPolicies()
		p := policies[rapid.IntRange(0, len(policies)-1).Draw(t, "policy")]
		return Change{plainObject("networking.k8s.io/v1", "NetworkPolicy", space, p.name, nil, dict{"spec": p.spec}), removed}
	}
	peer := dict{"namespaceSelector": dict{"matchLabels": dict{"tenant": app}}}
	spec := dict{"podSelector": dict{"matchLabels": dict{"app": app}}, "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{dict{"from": []any{peer}}}, "egress": []any{dict{"to": []any{peer}}}}
	return Change{plainObject("networking.k8s.io/v1", "NetworkPolicy", space, "by-label", nil, dict{"spec": spec}), removed}
}
