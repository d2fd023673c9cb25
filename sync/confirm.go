package sync

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sources"
)

// ConfirmTrailer is the key of the line in a commit's message that confirms what a revision was held back for: its
// value is the hash of that revision, in full or its first twelve digits at least.
const ConfirmTrailer = "Ringfence-Confirm-Prune"

// pruneHold is a removal that is held, and the revisions, oldest first, that each lacked all of it.
type pruneHold struct {
	Revisions []string  `json:"revisions"`
	Tenants   []string  `json:"tenants,omitempty"` // sorted
	Objects   groupings `json:"objects,omitempty"` // sorted
}

// holdsMost bounds the holds that are remembered, and revisionsMost the revisions of each; the oldest are forgotten.
const (
	holdsMost     = 5
	revisionsMost = 20
)

// historyWait is how long the history is waited for, while a poll may be using it.
const historyWait = 10 * time.Second

// set is a removal to be looked things up in.
type set struct{ objects, tenants map[string]bool }

func setOf(r removal) set { return makeSet(r.names(), r.tenants) }

func makeSet(objects, tenants []string) set {
	s := set{objects: map[string]bool{}, tenants: map[string]bool{}}
	for _, name := range objects {
		s.objects[name] = true
	}
	for _, name := range tenants {
		s.tenants[name] = true
	}
	return s
}

func (s set) equal(other set) bool {
	return maps.Equal(s.objects, other.objects) && maps.Equal(s.tenants, other.tenants)
}

// pruning is what was decided about the removals of a world.
type pruning struct {
	// pruneHeld says in one line why nothing but what is confirmed is removed; "" if all may be.
	pruneHeld string
	// confirmed is what may be removed whatever the limit is.
	confirmed set
	// kept is what is held.
	kept removal
	// holds are the removals that a later revision may confirm.
	holds []pruneHold
}

// decide finds out what of a removal may be carried out: what was confirmed, and the rest if it is within the limit. It
// returns the rest, which counts. A confirmation holds for what the held revision lacked and every one since has lacked.
func (o *owner) decide(ctx context.Context, revision string, change removal) (pruning, removal) {
	p := pruning{holds: meeting(o.holds, setOf(change))}
	confirmed, faults := o.confirmed(ctx, revision, p.holds)
	p.confirmed = confirmed
	rest := change.without(confirmed)
	p.pruneHeld = o.removed.refuse(time.Now(), rest, o.engine.config.MaxPrune, revision)
	if p.pruneHeld == "" {
		return p, rest
	}
	p.kept = rest
	p.pruneHeld = strings.Join(append([]string{p.pruneHeld}, faults...), "; ")
	p.holds = holding(p.holds, pruneHold{
		Revisions: []string{revision}, Tenants: slices.Sorted(slices.Values(rest.tenants)), Objects: rest.names(),
	})
	return p, rest
}

// meeting returns the holds as far as the newest revision still lacks what they lacked.
func meeting(holds []pruneHold, change set) []pruneHold {
	var out []pruneHold
	for _, h := range holds {
		h.Tenants = slices.DeleteFunc(slices.Clone(h.Tenants), func(name string) bool { return !change.tenants[name] })
		h.Objects = slices.DeleteFunc(slices.Clone(h.Objects), func(name string) bool { return !change.objects[name] })
		if len(h.Tenants)+len(h.Objects) > 0 {
			out = append(out, h)
		}
	}
	return out
}

// holding adds a hold to those before. A revision is in one only; one that removes the same as the one before joins it.
func holding(before []pruneHold, next pruneHold) []pruneHold {
	var out []pruneHold
	for _, h := range before {
		h.Revisions = slices.DeleteFunc(slices.Clone(h.Revisions), func(r string) bool { return r == next.Revisions[0] })
		if len(h.Revisions) > 0 {
			out = append(out, h)
		}
	}
	if n := len(out); n > 0 && slices.Equal(out[n-1].Tenants, next.Tenants) && slices.Equal(out[n-1].Objects, next.Objects) {
		out[n-1].Revisions = last(append(out[n-1].Revisions, next.Revisions...), revisionsMost)
		return out
	}
	return last(append(out, next), holdsMost)
}

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

// confirmed returns what commits since the oldest held revision confirm, and what is wrong with those that confirm nothing.
func (o *owner) confirmed(ctx context.Context, revision string, holds []pruneHold) (set, []string) {
	if len(holds) == 0 {
		return makeSet(nil, nil), nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	trailers, err := o.engine.config.Source.Trailers(ctx, holds[0].Revisions[0], revision, ConfirmTrailer)
	if err != nil {
		return makeSet(nil, nil), []string{fmt.Sprintf("whether a commit confirms it cannot be seen now and is looked at again: %v", err)}
	}
	return confirmations(trailers, holds)
}

var hashDigits = regexp.MustCompile(`^[0-9a-f]{12,40}$`)

func confirmations(trailers []sources.Trailer, holds []pruneHold) (set, []string) {
	confirmed, faults := makeSet(nil, nil), []string(nil)
	for _, t := range trailers {
		value := strings.ToLower(t.Value)
		if !hashDigits.MatchString(value) {
			faults = append(faults, fmt.Sprintf("commit %s confirms %q, which is no commit (hint: all 40 digits of the held revision, or at least its first 12)", short(t.Commit), t.Value))
			continue
		}
		var meant []int
		named := map[string]bool{}
		for i, h := range holds {
			for _, r := range h.Revisions {
				if strings.HasPrefix(r, value) {
					meant, named[r] = append(meant, i), true
				}
			}
		}
		switch len(named) {
		case 0:
			faults = append(faults, fmt.Sprintf("commit %s confirms %s, which is not held (hint: name the held revision)", short(t.Commit), t.Value))
		case 1:
			for _, name := range holds[meant[0]].Objects {
				confirmed.objects[name] = true
			}
			for _, name := range holds[meant[0]].Tenants {
				confirmed.tenants[name] = true
			}
		default:
			faults = append(faults, fmt.Sprintf("commit %s confirms %s, with which more than one held revision begins (hint: give all 40 digits)", short(t.Commit), t.Value))
		}
	}
	return confirmed, faults
}

// prunable tells apart what may be removed now and what must stay.
func (w *world) prunable(t *target, leave []drift.Difference) (now, kept []drift.Difference) {
	if w.pruneHeld == "" || !t.quarantined.IsZero() { // whoever may not be quarantined is not
		return leave, nil
	}
	for _, d := range leave {
		if w.confirmed.objects[d.ID.String()] {
			now = append(now, d)
		} else {
			kept = append(kept, d)
		}
	}
	return now, kept
}

// prunesAs says whether both worlds remove alike.
func (w *world) prunesAs(other *world) bool {
	return (w.pruneHeld == "") == (other.pruneHeld == "") && w.confirmed.equal(other.confirmed)
}

// held describes what is not removed; nil if nothing is held.
func (w *world) held() []Held {
	if w.pruneHeld == "" {
		return nil
	}
	return []Held{{
		Reason: HeldByPrune, Revision: w.revision, Message: w.pruneHeld,
		Tenants: slices.Sorted(slices.Values(w.kept.tenants)), Objects: w.kept.names(),
	}}
}
