package api

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/ringfence/ringfence/sync"
)

// identity tells differences apart; no two of one identity stand at a time.
type identity struct{ tenant, apiVersion, kind, namespace, name, difference string }

// occurrence is a difference of that identity that began at that time, in nanoseconds.
type occurrence struct {
	identity
	since int64
}

func identityOf(d Difference) identity {
	return identity{d.Tenant, d.APIVersion, d.Kind, d.Namespace, d.Name, string(d.Type)}
}

func occurrenceOf(d Difference) occurrence {
	return occurrence{identityOf(d), d.Since.UnixNano()}
}

// compare takes in what the daemon says now and returns what that changes.
func (w *Watcher) compare(ctx context.Context, rows []Difference) ([]Change, error) {
	now, mended := split(rows)
	if !w.looked {
		w.looked, w.standing = true, now
		w.corrected = map[occurrence]bool{}
		for _, d := range mended {
			w.corrected[occurrenceOf(d)] = true
		}
		return nil, nil
	}
	out := w.mended(mended)
	for id, d := range now {
		old, stood := w.standing[id]
		switch {
		case !stood:
			out = append(out, Change{Time: d.Since, What: Appeared, Difference: &d})
		case !same(old, d):
			out = append(out, Change{Time: w.now(), What: Changed, Difference: &d})
		}
	}
	gone, err := w.gone(ctx, now)
	if err != nil {
		return nil, err
	}
	for id, d := range gone {
		delete(w.standing, id)
		out = append(out, Change{Time: w.now(), What: Gone, Difference: &d})
	}
	maps.Copy(w.standing, now)
	slices.SortStableFunc(out, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return out, nil
}

// split tells what stands from what was corrected, the oldest first.
func split(rows []Difference) (standing map[identity]Difference, mended []Difference) {
	standing = map[identity]Difference{}
	for _, d := range rows {
		if d.Corrected == nil {
			standing[identityOf(d)] = d
		} else {
			mended = append(mended, d)
		}
	}
	slices.SortStableFunc(mended, func(a, b Difference) int { return a.Since.Compare(b.Since) })
	return standing, mended
}

// mended returns what was corrected since the last look, and that it appeared if nobody had seen it stand.
func (w *Watcher) mended(rows []Difference) (out []Change) {
	said := w.corrected
	w.corrected = map[occurrence]bool{}
	for _, d := range rows {
		w.corrected[occurrenceOf(d)] = true
		if said[occurrenceOf(d)] {
			continue
		}
		if _, stood := w.standing[identityOf(d)]; !stood {
			out = append(out, Change{Time: d.Since, What: Appeared, Difference: &d})
		}
		out = append(out, Change{Time: *d.Corrected, What: Corrected, Difference: &d})
		delete(w.standing, identityOf(d))
	}
	return out
}

// gone returns what stood and does not now. A daemon that was started anew may not have looked yet at a tenant: what is not
// in its drift is not gone before it has.
func (w *Watcher) gone(ctx context.Context, now map[identity]Difference) (map[identity]Difference, error) {
	out := map[identity]Difference{}
	seen := map[string]bool{} // by tenant
	for id, d := range w.standing {
		if _, stands := now[id]; stands {
			continue
		}
		settled, asked := seen[d.Tenant]
		if !asked {
			var err error
			if settled, err = w.settled(ctx, d.Tenant); err != nil {
				return nil, err
			}
			seen[d.Tenant] = settled
		}
		if settled {
			out[id] = d
		}
	}
	return out, nil
}

// settled reports whether the daemon has looked at the tenant. An answer that does not come is none.
func (w *Watcher) settled(ctx context.Context, tenant string) (bool, error) {
	if tenant == "" {
		tenant = ClusterOverlay
	}
	row, err := w.client.Tenant(ctx, tenant)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, ErrNoTenant):
		return true, nil
	}
	return err == nil && row.State != sync.Pending && row.State != sync.Unknown, nil
}

// same reports whether two states of a difference are alike for who watches.
func same(a, b Difference) bool {
	return a.Effect == b.Effect && reflect.DeepEqual(a.Held, b.Held) && a.Reason == b.Reason &&
		reflect.DeepEqual(a.Fields, b.Fields) && reflect.DeepEqual(a.Exposure, b.Exposure)
}
