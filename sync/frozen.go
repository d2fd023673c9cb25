package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sources"
)

// frozen is a revision that waits for the end of a freeze. It is immutable once published.
type frozen struct {
	snapshot *sources.Snapshot
	revision string // its commit
	until    time.Time
	// tenants are those that it touches, sorted.
	tenants []string
	// fault says why it would be refused as a whole; "" if it would not.
	fault string
}

// touches says whether a tenant waits for the revision.
func (f *frozen) touches(name string) bool {
	if f == nil {
		return false
	}
	_, found := slices.BinarySearch(f.tenants, name)
	return found
}

// message says what waits, why and until when.
func (f *frozen) message() string {
	end := f.until.UTC().Format(time.RFC3339)
	if f.fault != "" {
		return fmt.Sprintf("revision %s waits for the end of the freeze at %s, and will then be refused: %s (hint: mend it before that)", short(f.revision), end, f.fault)
	}
	return fmt.Sprintf("revision %s, which changes %s, waits for the end of the freeze at %s; drift is corrected to what was applied before it (hint: to apply it now, take the window out of sync.freeze and start Ringfence again)",
		short(f.revision), count(len(f.tenants), "tenant"), end)
}

// frost is what the owner keeps for freezes.
type frost struct {
	waits *frozen     // nil if nothing waits
	thaw  *time.Timer // fires when the freeze ends
}

// freezes holds a snapshot back while a window is open, and answers whether it does. What was adopted before goes on:
// its rounds are finished, drift is corrected to it, and a start adopts it. Nothing is held back where nothing was ever
// applied, or what was cannot be had any more: then nothing else would fence anything.
func (o *owner) freezes(ctx context.Context, s *sources.Snapshot) bool {
	standing, commit := o.lastAdopted(), s.Revision().Commit
	until := frozenUntil(o.engine.config.Freeze, time.Now())
	if until.IsZero() || standing == "" || commit == standing {
		return false
	}
	if !o.bootstrapped {
		older, err := o.engine.config.Source.At(ctx, standing)
		switch {
		case isGone(err):
			o.engine.config.Log.Warn("a freeze holds nothing back, since what was applied before it cannot be had any more", "revision", short(standing), "err", err)
			return false
		case err != nil:
			o.tryAgain(ctx, s, "what was applied before cannot be read yet", fmt.Errorf("reading the applied revision %s: %w", short(standing), err))
			return true
		}
		if o.adopt(ctx, older); o.retry != nil {
			o.retry = s
			return true
		}
	}
	o.hold(ctx, s, until)
	return true
}

// frozen says whether a window is open.
func (o *owner) frozen() bool { return !frozenUntil(o.engine.config.Freeze, time.Now()).IsZero() }

// lastAdopted returns the revision that was adopted last; "" if none ever was.
func (o *owner) lastAdopted() string {
	switch {
	case o.previous.rendered != nil:
		return o.previous.revision
	case o.state.Adopted != "":
		return o.state.Adopted
	}
	return o.state.Applied
}

// hold notes a snapshot that waits, and finds out what it will change.
func (o *owner) hold(ctx context.Context, s *sources.Snapshot, until time.Time) {
	f := &frozen{snapshot: s, revision: s.Revision().Commit, until: until}
	rendered, err := o.engine.config.Renderer.Render(ctx, s)
	if err == nil {
		err = o.checkNotEmptied(ctx, rendered)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		f.fault = strings.ReplaceAll(err.Error(), "\n", "; ")
	} else {
		next, _ := o.next(ctx, f.revision, rendered)
		for name, t := range next.targets {
			if !t.sameObjects(o.previous.targets[name]) {
				f.tenants = append(f.tenants, name)
			}
		}
		slices.Sort(f.tenants)
	}
	if o.waits == nil || o.waits.message() != f.message() {
		o.engine.config.Log.Info("revision waits", "reason", f.message(), "revision", short(f.revision))
	}
	o.wait(f)
	o.engine.wait(o.refused)
}

// wait notes what a freeze holds back; nil for nothing.
func (o *owner) wait(f *frozen) {
	o.waits = f
	o.engine.frozen.Store(f)
	o.engine.config.Metrics.held.WithLabelValues("freeze").Set(0)
	o.thaw.Stop()
	if f != nil {
		o.engine.config.Metrics.held.WithLabelValues("freeze").Set(float64(len(f.tenants)))
		o.thaw.Reset(time.Until(f.until))
	}
}

// thawed adopts what a freeze has held back, unless the next one has begun.
func (o *owner) thawed(ctx context.Context) {
	if f := o.waits; f != nil {
		o.wait(nil)
		o.adopt(ctx, f.snapshot)
	}
}

// begin saves what the next start must know before anything of a revision is written.
// On an error nothing has changed.
func (o *owner) begin(ctx context.Context, next *world, counted removal, touched map[string]bool) error {
	holds, removed := o.holds, o.removed
	o.holds = next.holds
	if next.pruneHeld == "" {
		o.removed = o.removed.with(time.Now(), counted, o.engine.config.MaxPrune)
	}
	if o.engine.silent() || len(touched) == 0 {
		return nil
	}
	st, commit := o.state, next.revision
	o.write(&st)
	st.Adopted = ""
	if commit != st.Applied {
		st.Adopted = commit
		if !slices.Contains(st.Pending, commit) {
			st.Pending = append(slices.Clone(st.Pending), commit)
		}
	}
	if err := o.store.save(ctx, st); err != nil {
		o.holds, o.removed = holds, removed
		return err
	}
	o.state = st
	return nil
}

// held describes what waits; nil if nothing does.
func (f *frozen) held() []Held {
	if f == nil {
		return nil
	}
	return []Held{{Reason: HeldByFreeze, Revision: f.revision, Until: f.until, Tenants: f.tenants, Message: f.message()}}
}

// count says how many there are of something.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
