package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// said is a Source whose commits say what a test has them say.
type said struct {
	Source
	trailers []sources.Trailer
	err      error
}

func (s *said) Trailers(context.Context, string, string, string) ([]sources.Trailer, error) {
	return s.trailers, s.err
}

// Whatever revisions come, and whatever their commits confirm, over restarts too: a tenant is quarantined only if that is within
// the limit, or a commit names a revision that was held for it, and none has had the tenant since. What was held last and is
// confirmed is carried out.
func TestNoTenantIsLostUnconfirmed(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f"}
	made := map[string]*kustomize.Tenant{"z": rendered(t, "z", "deny-all*")}
	for _, name := range names {
		made[name] = rendered(t, name, "deny-all*")
	}
	engine := prepareDaemon(newBench(t), newRepository(t), nil).Engine
	rapid.Check(t, func(rt *rapid.T) {
		limit := PruneLimit{Objects: -1, Tenants: rapid.IntRange(0, 2).Draw(rt, "limit")}
		o, source := newOwner(engine), &said{}
		engine.config.MaxPrune, engine.config.Source = limit, source
		adopt := func(revision string, present map[string]bool) *world {
			tenants := []*kustomize.Tenant{made["z"]}
			for _, name := range names {
				if present[name] {
					tenants = append(tenants, made[name])
				}
			}
			w, counted := o.next(t.Context(), revision, rendering(tenants...))
			require.NoError(rt, o.begin(t.Context(), w, counted, nil))
			o.previous = w
			for name, target := range w.targets {
				o.base[name] = target
			}
			return w
		}
		all := map[string]bool{}
		for _, name := range names {
			all[name] = true
		}
		adopt(hash("0"), all)

		// What a person would know: by revision, who was held back then and has been absent ever since.
		heldSince := map[string]map[string]bool{}
		spent := map[string]bool{} // quarantined within the limit
		lastHeld := ""
		for step := range rapid.IntRange(1, 8).Draw(rt, "steps") {
			revision := hash(fmt.Sprintf("%x", step+1))
			present := map[string]bool{}
			for _, name := range names {
				present[name] = rapid.Bool().Draw(rt, name)
			}
			if rapid.Bool().Draw(rt, "confirms") {
				source.trailers = append(source.trailers, sources.Trailer{
					Commit: revision, Value: hash(fmt.Sprintf("%x", rapid.IntRange(0, step+1).Draw(rt, "which")))[:rapid.SampledFrom([]int{11, 12, 40}).Draw(rt, "digits")],
				})
			}
			if rapid.Bool().Draw(rt, "restart") {
				text, err := json.Marshal(struct {
					Holds   []pruneHold
					Removed pruneHistory
				}{o.holds, o.removed})
				require.NoError(rt, err)
				var back struct {
					Holds   []pruneHold
					Removed pruneHistory
				}
				require.NoError(rt, json.Unmarshal(text, &back))
				o.holds, o.removed = back.Holds, back.Removed
			}
			before := o.previous
			w := adopt(revision, present)
			for _, held := range heldSince {
				for name := range held {
					if present[name] {
						delete(held, name)
					}
				}
			}
			confirmed := map[string]bool{}
			for _, trailer := range source.trailers {
				for r, held := range heldSince {
					if len(trailer.Value) >= 12 && r[:len(trailer.Value)] == trailer.Value {
						for name := range held {
							confirmed[name] = true
						}
					}
				}
			}
			kept := map[string]bool{}
			for _, name := range names {
				old, now := before.targets[name], w.targets[name]
				switch {
				case old == nil || now == nil:
					rt.Fatalf("%s is forgotten", name)
				case old.quarantined.IsZero() && !now.quarantined.IsZero():
					assert.False(rt, present[name], "%s is there", name)
					if !confirmed[name] {
						spent[name] = true
					}
				case !present[name] && old.quarantined.IsZero():
					kept[name] = true
					assert.NotEmpty(rt, w.pruneHeld)
					assert.False(rt, confirmed[name] && heldSince[lastHeld][name], "%s was confirmed and stays", name)
				}
			}
			assert.LessOrEqual(rt, len(spent), max(limit.Tenants, 0), "%v left within the hour, and none was confirmed", spent)
			if w.pruneHeld != "" {
				heldSince[revision], lastHeld = kept, revision
			}
		}
	})
}

// A history that cannot be read confirms nothing, says so, and is read again; what was confirmed before stays so.
func TestHistoryThatCannotBeRead(t *testing.T) {
	o := adopted(t, PruneLimit{Objects: -1}, rendering(rendered(t, "a", "deny-all*"), rendered(t, "b", "deny-all*"), rendered(t, "c", "deny-all*")))
	source := &said{err: errors.New("the store is away")}
	o.engine.config.Source = source
	next := func(revision string, tenants ...*kustomize.Tenant) *world {
		w, counted := o.next(t.Context(), revision, rendering(tenants...))
		require.NoError(t, o.begin(t.Context(), w, counted, nil))
		o.previous = w
		return w
	}
	held := next(hash("1"), rendered(t, "c", "deny-all*"))
	assert.NotContains(t, held.pruneHeld, "cannot be seen", "nothing was held before, so nothing can be confirmed")
	source.trailers = []sources.Trailer{{Commit: hash("2"), Value: hash("1")}}
	unread := next(hash("2"), rendered(t, "c", "deny-all*"))
	assert.Contains(t, unread.pruneHeld, "; whether a commit confirms it cannot be seen now and is looked at again: the store is away")
	assert.True(t, unread.targets["a"].quarantined.IsZero())
	source.err = nil
	read := next(hash("2"), rendered(t, "c", "deny-all*"))
	assert.Empty(t, read.pruneHeld)
	assert.False(t, read.targets["a"].quarantined.IsZero())
	source.err = errors.New("the store is away")
	again := next(hash("2"), rendered(t, "c", "deny-all*"))
	assert.False(t, again.targets["a"].quarantined.IsZero())
	assert.False(t, again.targets["b"].quarantined.IsZero())
}
