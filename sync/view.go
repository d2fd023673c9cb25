package sync

import (
	"iter"
	"maps"
	"slices"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
)

// View is all that decides who can reach whom: what the cluster is held to, at one moment, and ways to ask what is seen of
// it. Whatever it holds and answers must not be changed.
type View struct {
	// Edition is equal for views that hold the cluster to the same.
	Edition any
	// Network is what policies need to know of the cluster's network.
	Network exposure.Network
	// Desired are the cluster overlay, with the name "", if there is one, and every tenant, sorted by name.
	Desired []Desired
	// Workloads returns those that policy tests of the newest revision name.
	Workloads func() []kustomize.Workload
	// Namespaces yields every live namespace with its labels, sorted by name.
	Namespaces iter.Seq2[string, map[string]string]
	// Live returns the guarded objects of a namespace as the watches show them, or the cluster-scoped ones for "", in no order.
	Live func(namespace string) []*drift.Observed
	// BuiltIn says whether a live object that is not in Git belongs there all the same; see [drift.BuiltIn].
	BuiltIn func(*drift.Observed) bool
	// Blind says in one line what cannot be seen, and why; "" if all can. If not, what Namespaces and Live say is not the whole.
	Blind string
}

// Desired is what the cluster is held to for one tenant, or by the cluster overlay.
type Desired struct {
	// Name is the namespace's name; "" for the cluster overlay.
	Name string
	// Revision is the commit that the objects come from: the newest, or the last good one.
	Revision string
	// Objects are in the order of package kustomize.
	Objects []*drift.Wanted
	// Whole: the objects are all of the overlay, and not the guard's alone, as where it never rendered.
	Whole bool
	// Settled: the last look found nothing live that differs from Objects, or made it equal.
	Settled bool
}

// View returns what decides who can reach whom; nil before anything was rendered.
func (e *Engine) View() *View {
	w := e.world.Load()
	if w == nil || w.rendered == nil {
		return nil
	}
	v := &View{
		Edition: w, Network: w.rendered.Network, Workloads: w.workloads,
		Namespaces: e.cluster.NamespaceLabels().All(), Live: e.cluster.In,
		BuiltIn: func(o *drift.Observed) bool { return drift.BuiltIn(o, e.cluster.Flavour()) != "" },
	}
	differs := map[string]bool{}
	for _, entry := range e.ledger.Entries() {
		differs[entry.Tenant] = differs[entry.Tenant] || entry.Corrected.IsZero()
	}
	e.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(w.targets)) {
		t, r := w.targets[name], e.reports[name]
		v.Desired = append(v.Desired, Desired{
			Name: name, Revision: t.revision, Objects: t.wanted, Whole: t.good,
			Settled: !differs[name] && r.reached && r.err == nil && t.sameObjects(r.target),
		})
	}
	e.mu.Unlock()
	if blind := e.cluster.Blind(); len(blind) > 0 {
		v.Blind = blindness(blind)
	} else if !e.cluster.Synced() {
		v.Blind = "the watches do not stand yet"
	}
	return v
}

// View returns what decides who can reach whom, as [Engine.View] does.
func (r *Replica) View() *View { return r.current.Load().View() }

// Tenant returns what the cluster is held to for one tenant, or by the cluster overlay for "".
func (v *View) Tenant(name string) (d Desired, ok bool) {
	i := slices.IndexFunc(v.Desired, func(d Desired) bool { return d.Name == name })
	if i < 0 {
		return Desired{}, false
	}
	return v.Desired[i], true
}

func (w *world) workloads() []kustomize.Workload {
	var out []kustomize.Workload
	for _, t := range w.rendered.Rendering.Tenants {
		out = append(out, t.Workloads()...)
	}
	if overlay := w.rendered.Rendering.Cluster; overlay != nil {
		out = append(out, overlay.Workloads()...)
	}
	return out
}
