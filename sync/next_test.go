package sync

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// rendering puts tenants together; one named "" is the cluster overlay.
func rendering(tenants ...*kustomize.Tenant) *Rendered {
	r := &Rendered{Rendering: &kustomize.Rendering{}, Guard: func(context.Context, string) ([]kustomize.Object, error) { return nil, nil }}
	for _, t := range tenants {
		if t.Name == clusterTenant {
			r.Rendering.Cluster = t
			continue
		}
		r.Rendering.Tenants = append(r.Rendering.Tenants, t)
		r.Rendering.Overlays = append(r.Rendering.Overlays, t.Overlay)
	}
	return r
}

func rendered(t testing.TB, name, list string) *kustomize.Tenant {
	out := &kustomize.Tenant{Name: name, Overlay: "overlays/" + name}
	for _, w := range some(t, list) {
		out.Objects = append(out.Objects, w.Object)
	}
	return out
}

func broken(t testing.TB, name, guard string) *kustomize.Tenant {
	out := rendered(t, name, guard)
	out.Problems = []kustomize.Problem{{Overlay: out.Overlay, File: out.Overlay + "/kustomization.yaml", Line: 1, Message: "broken"}}
	return out
}

// adopted makes one revision after another the world, each reached in full.
func adopted(t *testing.T, limit PruneLimit, revisions ...*Rendered) *owner {
	t.Helper()
	b := newBench(t)
	o := newOwner(prepareDaemon(b, newRepository(t), func(c *Config) { c.MaxPrune = limit }).Engine)
	for i, r := range revisions {
		w, change := o.next(t.Context(), commitOf(i+1), r)
		require.Empty(t, w.pruneHeld)
		o.removed = o.removed.with(someTime(), change, limit)
		o.previous = w
		for name, target := range w.targets {
			o.base[name] = target
		}
	}
	return o
}

func commitOf(i int) string { return "c" + string(rune('0'+i)) }

func TestNext(t *testing.T) {
	noLimit := PruneLimit{Objects: -1, Tenants: -1}
	t.Run("a tenant that renders gets what was rendered", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "deny-all* allow")))
		w, change := o.next(t.Context(), "c2", rendering(rendered(t, "a", "deny-all* old"), rendered(t, "b", "deny-all*")))
		assert.Equal(t, []string{"deny-all", "old"}, ids(w.targets["a"].wanted))
		assert.Equal(t, "c2", w.targets["a"].revision)
		assert.True(t, w.targets["b"].good)
		assert.Equal(t, []string{"allow"}, []string{change.objects[0].Name})
		assert.Empty(t, change.tenants)
		assert.Same(t, o.previous.targets["a"].wanted[0], w.targets["a"].wanted[0], "what is the same keeps what was computed for it")
	})
	t.Run("a broken one keeps its last good objects, again and again", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "deny-all* allow")), rendering(broken(t, "a", "deny-all*")))
		w, change := o.next(t.Context(), "c3", rendering(broken(t, "a", "deny-all*")))
		a := w.targets["a"]
		assert.Equal(t, []string{"deny-all", "allow"}, ids(a.wanted))
		assert.Equal(t, "c1", a.revision)
		assert.Len(t, a.problems, 1)
		assert.Empty(t, change)
		mended, _ := o.next(t.Context(), "c4", rendering(rendered(t, "a", "deny-all* old")))
		assert.Empty(t, mended.targets["a"].problems)
		assert.Equal(t, "c4", mended.targets["a"].revision)
	})
	t.Run("a suspended one keeps what it has, and knows what waits", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "deny-all* allow")))
		held := rendered(t, "a", "deny-all*")
		u := parseObject(t, "{apiVersion: ringfence.dev/v1, kind: Tenant, metadata: {name: own}, spec: "+suspended(time.Now().Add(time.Hour))+"}")
		held.Settings = []kustomize.Object{{Unstructured: u, Kind: kinds.Kind{GroupVersionKind: u.GroupVersionKind()}}}
		w, change := o.next(t.Context(), "c2", rendering(held))
		a := w.targets["a"]
		assert.Equal(t, []string{"deny-all", "allow"}, ids(a.wanted))
		assert.Equal(t, "c1", a.revision)
		require.NotNil(t, a.held)
		assert.Equal(t, []string{"deny-all"}, ids(a.held.wanted))
		assert.Equal(t, "c2", a.held.revision)
		assert.Empty(t, change.objects)
		o.previous = w
		went, _ := o.next(t.Context(), "c3", rendering(broken(t, "a", "deny-all*")))
		assert.Nil(t, went.targets["a"].held, "what is refused does not wait")
		on, change := o.next(t.Context(), "c3", rendering(rendered(t, "a", "deny-all*")))
		assert.Nil(t, on.targets["a"].held)
		assert.Equal(t, "c3", on.targets["a"].revision)
		assert.Len(t, change.objects, 1)
	})
	t.Run("a broken newcomer gets the guard alone, of the newest revision", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(broken(t, "a", "deny-all*")))
		w, _ := o.next(t.Context(), "c2", rendering(broken(t, "a", "deny-in* guard*")))
		assert.Equal(t, []string{"deny-in", "g.others"}, ids(w.targets["a"].wanted))
		assert.False(t, w.targets["a"].good)
	})
	t.Run("an owner that does not say its namespace any more has not left", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "deny-all* allow")))
		r := rendering(rendered(t, "b", "deny-all*"))
		r.Rendering.Unplaced = []string{"overlays/a", "overlays/new"}
		r.Rendering.Problems = []kustomize.Problem{{Overlay: "overlays/a", Message: "no namespace"}, {Overlay: "overlays/new", Message: "nor here"}}
		w, change := o.next(t.Context(), "c2", r)
		assert.Equal(t, []string{"deny-all", "allow"}, ids(w.targets["a"].wanted))
		assert.Equal(t, r.Rendering.Problems[:1], w.targets["a"].problems)
		assert.Equal(t, r.Rendering.Problems[1:], w.refused)
		assert.Empty(t, change.tenants)
	})
	t.Run("one that left is quarantined, with the guard of the newest revision", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "namespace deny-all* allow"), rendered(t, "b", "deny-all*")))
		r := rendering(rendered(t, "b", "deny-all*"))
		r.Guard = func(_ context.Context, namespace string) ([]kustomize.Object, error) {
			assert.Equal(t, "a", namespace)
			return rendered(t, "a", "deny-in* deny-out*").Objects, nil
		}
		w, change := o.next(t.Context(), "c2", r)
		assert.Equal(t, []string{"a"}, change.tenants)
		assert.Empty(t, change.objects)
		a := w.targets["a"]
		assert.Equal(t, []string{"deny-in", "deny-out", "deny-all"}, ids(a.wanted))
		assert.False(t, a.quarantined.IsZero())
		assert.Equal(t, "c1", a.revision, "the last one that had it")

		o.previous = w
		r.Guard = func(context.Context, string) ([]kustomize.Object, error) { return nil, errors.New("broken guard") }
		later, change := o.next(t.Context(), "c3", r)
		assert.Empty(t, change.tenants, "it left once")
		assert.Equal(t, a.quarantined, later.targets["a"].quarantined)
		assert.Equal(t, []string{"deny-in", "deny-out", "deny-all"}, ids(later.targets["a"].wanted), "what isolates stays")
		assert.Equal(t, "c1", later.targets["a"].revision)

		o.previous = later
		back, _ := o.next(t.Context(), "c4", rendering(rendered(t, "a", "deny-all* old"), rendered(t, "b", "deny-all*")))
		assert.True(t, back.targets["a"].quarantined.IsZero())
		assert.Equal(t, []string{"deny-all", "old"}, ids(back.targets["a"].wanted))
		brokenBack, _ := o.next(t.Context(), "c4", rendering(broken(t, "a", "deny-all*"), rendered(t, "b", "deny-all*")))
		assert.True(t, brokenBack.targets["a"].quarantined.IsZero())
		assert.False(t, brokenBack.targets["a"].good)
		assert.Equal(t, []string{"deny-all"}, ids(brokenBack.targets["a"].wanted))
	})
	t.Run("a quarantined one whose folder is there again, unreadable, stays quarantined", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "a", "deny-all* allow"), rendered(t, "b", "deny-all*")), rendering(rendered(t, "b", "deny-all*")))
		r := rendering(rendered(t, "b", "deny-all*"))
		r.Rendering.Unplaced = []string{"overlays/a"}
		w, _ := o.next(t.Context(), "c3", r)
		assert.False(t, w.targets["a"].quarantined.IsZero())
	})
	t.Run("a cluster overlay that is gone leaves nothing behind", func(t *testing.T) {
		o := adopted(t, noLimit, rendering(rendered(t, "", "tier global"), rendered(t, "a", "deny-all*")))
		w, change := o.next(t.Context(), "c2", rendering(rendered(t, "a", "deny-all*")))
		require.NotNil(t, w.targets[""])
		assert.Empty(t, w.targets[""].wanted)
		assert.Len(t, change.objects, 2)
		assert.Empty(t, change.tenants)
		kept, change := o.next(t.Context(), "c2", rendering(broken(t, "", ""), rendered(t, "a", "deny-all*")))
		assert.Len(t, kept.targets[""].wanted, 2, "a broken one keeps its last good objects")
		assert.Empty(t, change)
	})
	t.Run("past the limit nobody is quarantined and nothing is removed", func(t *testing.T) {
		o := adopted(t, PruneLimit{Objects: 0, Tenants: 1}, rendering(rendered(t, "a", "deny-all* allow"), rendered(t, "b", "deny-all*"), rendered(t, "c", "deny-all*")))
		w, change := o.next(t.Context(), "c2", rendering(rendered(t, "c", "deny-all* allow")))
		assert.ElementsMatch(t, []string{"a", "b"}, change.tenants)
		assert.Contains(t, w.pruneHeld, "removes 2 tenants (a, b); ")
		assert.Same(t, o.previous.targets["a"], w.targets["a"])
		assert.Equal(t, []string{"deny-all", "allow"}, ids(w.targets["c"].wanted), "all else goes on")
		one, _ := o.next(t.Context(), "c2", rendering(rendered(t, "a", "deny-all* allow"), rendered(t, "c", "deny-all*")))
		assert.Empty(t, one.pruneHeld)
		objects, _ := o.next(t.Context(), "c2", rendering(rendered(t, "a", "deny-all*"), rendered(t, "b", "deny-all*"), rendered(t, "c", "deny-all*")))
		assert.Contains(t, objects.pruneHeld, "removes 1 object (NetworkPolicy.networking.k8s.io t/allow)")
	})
	t.Run("a Namespace that leaves an overlay is no removal", func(t *testing.T) {
		o := adopted(t, PruneLimit{}, rendering(rendered(t, "a", "namespace deny-all*")))
		w, change := o.next(t.Context(), "c2", rendering(rendered(t, "a", "deny-all*")))
		assert.Empty(t, change)
		assert.Empty(t, w.pruneHeld)
	})
}

// Whoever may be on the way to another target, or was never tried, is due,
// whatever it stood at before.
func TestTouched(t *testing.T) {
	noLimit := PruneLimit{Objects: -1, Tenants: -1}
	x, y := rendering(rendered(t, "a", "deny-all* allow"), rendered(t, "b", "deny-all*")), rendering(rendered(t, "a", "deny-all*"), rendered(t, "b", "deny-all*"))
	o := adopted(t, noLimit, x)
	step := func(commit string, r *Rendered) map[string]bool {
		w, _ := o.next(t.Context(), commit, r)
		touched := o.touched(w)
		o.previous, o.remaining = w, touched
		return touched
	}
	assert.Empty(t, step("c2", x), "the same objects")
	assert.Equal(t, map[string]bool{"a": true}, step("c3", y))
	assert.Equal(t, map[string]bool{"a": true}, step("c4", x), "taken back before anyone knows how far it came")
	assert.Equal(t, map[string]bool{"a": true}, step("c5", x), "and still no round has come")
	clear(o.remaining)
	assert.Empty(t, step("c6", x))
	o.previous.pruneHeld = "held"
	assert.Len(t, step("c7", x), 2, "what was held may go now")
}
