package world

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	stdsync "sync"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// Running is what a running daemon knows of who can reach whom. Nothing is computed before somebody looks, what was is kept
// until something changes, and all of it is safe for concurrent use.
type Running struct {
	view func() *sync.View
	seed maphash.Seed

	mu   stdsync.Mutex // guards what follows, and is held while worlds are made
	held *heldWorld
	last *Moment
	till time.Time // no look is taken before: one that takes long is not taken all the time
}

// OfDaemon returns what is known where view says what decides; view may answer nil.
func OfDaemon(view func() *sync.View) *Running {
	return &Running{view: view, seed: maphash.MakeSeed()}
}

// Moment is who can reach whom at one moment, by what the cluster is held to and by what is seen of it. It is immutable.
type Moment struct {
	// Git is the world that the cluster is held to: of a tenant whose overlay is refused the last good state, around what is
	// live outside of the tenants.
	Git *World
	// Live is the world that is seen; nil if not all of it can be.
	Live *World
	// Blind says why there is no Live.
	Blind string

	report  reach.Report     // of Git
	index   index            // of report
	changed reach.Difference // from Git to Live
	survey  func() survey    // of all tenants, made when it is asked for
}

// heldWorld is Git's world, and what it was made of.
type heldWorld struct {
	edition      any
	surroundings uint64
	cfg          reach.Config
	git          *Moment
	// settled is the same with the workloads that live policies alone imply at home too, since what is compared must have the
	// same; nil if there was none yet. Their names are in cast.
	settled *Moment
	cast    string
}

// lookEvery is how long a look holds, and lookShare how much longer than it took.
const (
	lookEvery = 200 * time.Millisecond
	lookShare = 4
)

// Look returns the newest Moment; nil before anything was rendered. The error is that of the network's description.
func (r *Running) Look() (*Moment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := time.Now()
	if r.last != nil && began.Before(r.till) {
		return r.last, nil
	}
	v := r.view()
	if v == nil {
		return nil, nil
	}
	m, err := r.look(v)
	if err != nil {
		return nil, err
	}
	r.last, r.till = m, time.Now().Add(max(lookEvery, lookShare*time.Since(began)))
	return m, nil
}

func (r *Running) look(v *sync.View) (*Moment, error) {
	around := surroundingsOf(v)
	if sum := around.sum(r.seed); r.held == nil || r.held.edition != v.Edition || r.held.surroundings != sum {
		next := &heldWorld{edition: v.Edition, surroundings: sum, cfg: configOf(v, around)}
		var err error
		if next.git, err = next.make(v, nil); err != nil {
			return nil, err
		}
		r.held = next
	}
	m := *r.held.git
	if v.Blind != "" {
		m.Blind = v.Blind
		return &m, nil
	}
	changes, err := changesOf(v, around)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		m.Live = m.Git
		return &m, nil
	}
	live := m.Git.With(changes...)
	if cast := foreign(m.Git.World, live); len(cast) > 0 {
		if err := r.held.settle(v, cast); err != nil {
			return nil, err
		}
		m = *r.held.settled
		live = m.Git.With(changes...)
	}
	m.Live = &World{World: live, Tenants: m.Git.Tenants, isTenant: m.Git.isTenant}
	m.changed = reach.Diff(m.Git.Connectivity(), live.Connectivity())
	return &m, nil
}

// settle makes Git's world with workloads of the live one, unless it is made already.
func (h *heldWorld) settle(v *sync.View, cast []*reach.Endpoint) error {
	var names string
	for _, e := range cast {
		names += e.String() + "\n"
	}
	if h.settled != nil && h.cast == names {
		return nil
	}
	m, err := h.make(v, cast)
	if err != nil {
		return err
	}
	h.settled, h.cast = m, names
	return nil
}

func (h *heldWorld) make(v *sync.View, cast []*reach.Endpoint) (*Moment, error) {
	cfg := h.cfg
	cfg.Cast = cast
	made, err := reach.New(cfg)
	if err != nil {
		return nil, err
	}
	w := &World{World: made}
	tenants := map[string]bool{}
	for _, d := range v.Desired {
		if d.Name != "" {
			w.Tenants, tenants[d.Name] = append(w.Tenants, d.Name), true
		}
	}
	w.isTenant = func(namespace string) bool { return tenants[namespace] }
	report := made.Connectivity().Report(false)
	m := &Moment{Git: w, report: report, index: indexOf(report)}
	m.survey = stdsync.OnceValue(func() survey { return surveyOf(m) })
	return m, nil
}

// foreign returns the workloads that live policies imply and Git's do not.
func foreign(git, live *reach.World) []*reach.Endpoint {
	var out []*reach.Endpoint
	for _, e := range live.Implied() {
		if git.Endpoint(e.Namespace, e.Name) == nil {
			out = append(out, e)
		}
	}
	return out
}

// surroundings are what no tenant's overlay says: the labels of namespaces, and what is live outside of the tenants.
type surroundings struct {
	labels  map[string]map[string]string // of live namespaces
	outside []*drift.Observed            // sorted
}

func surroundingsOf(v *sync.View) surroundings {
	out := surroundings{labels: map[string]map[string]string{}}
	desired := map[string]bool{}
	for _, d := range v.Desired {
		desired[d.Name] = true
	}
	for name, labels := range v.Namespaces {
		out.labels[name] = labels
		if !desired[name] {
			out.outside = append(out.outside, v.Live(name)...)
		}
	}
	for _, o := range v.Live("") {
		if !desired[""] || v.BuiltIn(o) {
			out.outside = append(out.outside, o)
		}
	}
	slices.SortFunc(out.outside, func(a, b *drift.Observed) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return out
}

func (s surroundings) sum(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		labels := s.labels[name]
		fmt.Fprintf(&h, "%q", name)
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(&h, "%q%q", key, labels[key])
		}
	}
	for _, o := range s.outside {
		fmt.Fprintf(&h, "%q%q", o.ID.String(), o.GetResourceVersion())
	}
	return h.Sum64()
}

// configOf gathers what Git's world is made of.
func configOf(v *sync.View, around surroundings) reach.Config {
	cfg := reach.Config{
		PodCIDRs: v.Network.PodCIDRs, NodeCIDRs: v.Network.NodeCIDRs, CalicoVersion: v.Network.CalicoVersion,
		Implied: true, Workloads: workloads(v.Workloads()),
	}
	labelled := map[string]*drift.Wanted{} // Namespaces that Git renders
	for _, d := range v.Desired {
		for _, w := range d.Objects {
			if w.ID.Kind == kinds.Namespace {
				labelled[w.ID.Name] = w
				continue
			}
			cfg.Objects = append(cfg.Objects, objectOf(w.Object))
		}
	}
	for name, labels := range around.labels {
		if w := labelled[name]; w != nil {
			labels = maps.Clone(labels)
			maps.Copy(labels, w.GetLabels())
			delete(labelled, name)
		}
		cfg.Objects = append(cfg.Objects, exposure.NamespaceObject(name, labels))
	}
	for _, w := range labelled {
		cfg.Objects = append(cfg.Objects, objectOf(w.Object))
	}
	for _, o := range around.outside {
		cfg.Objects = append(cfg.Objects, exposure.Live(o.Object))
	}
	return cfg
}

// changesOf returns what makes of Git's world the live one.
func changesOf(v *sync.View, around surroundings) ([]reach.Change, error) {
	var out []reach.Change
	for _, d := range v.Desired {
		if d.Settled {
			continue
		}
		wanted := make([]*drift.Wanted, 0, len(d.Objects))
		for _, w := range d.Objects {
			if w.ID.Kind != kinds.Namespace {
				wanted = append(wanted, w)
			} else if labels, live := around.labels[d.Name]; live {
				out = append(out, reach.Change{Object: exposure.NamespaceObject(d.Name, labels)})
			}
		}
		found, err := drift.Compare(wanted, v.Live(d.Name), v.BuiltIn)
		if err != nil {
			return nil, fmt.Errorf("comparing tenant %q: %w", d.Name, err)
		}
		for _, difference := range found {
			if w := difference.Want; w != nil && (difference.Got == nil || difference.Got.GetName() != w.ID.Name) {
				out = append(out, reach.Change{Object: objectOf(w.Object), Removed: true})
			}
			if difference.Got != nil {
				out = append(out, reach.Change{Object: exposure.Live(difference.Got.Object)})
			}
		}
	}
	return out, nil
}
