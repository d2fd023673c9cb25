package drift

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// correctedLife is how long a corrected difference stays listed.
const correctedLife = 15 * time.Minute

// Hold says why a difference is not corrected.
type Hold string

// The reasons for which a difference stands.
const (
	NotHeld Hold = ""        // it is being corrected, or is one that is only ever reported
	Report  Hold = "report"  // the mode says to report only
	Ignore  Hold = "ignored" // a rule of drift.ignore says so; it does not count as drift
	// BreakGlass: somebody opened the tenant's fence on purpose, for a while.
	BreakGlass Hold = "break-glass"
	Fight      Hold = "fight" // someone keeps changing it back: the next correction waits
)

// Entry is one difference with its history.
type Entry struct {
	Difference
	// Tenant owns the namespace; "" for cluster-scoped objects.
	Tenant string
	// Since is when the difference was first seen by this process.
	Since time.Time
	// Corrected is when it was undone; zero while it stands.
	Corrected time.Time
	// Held says why it is not corrected.
	Held Hold
	// Reason is that of the rule, where Held is Ignore, or of whoever broke the
	// glass, where it is BreakGlass.
	Reason string
}

// Ledger remembers the state of every difference: since when it stands, whether
// it was corrected. It is safe for concurrent use; one tenant must be recorded
// by one goroutine at a time.
type Ledger struct {
	metrics *Metrics
	now     func() time.Time

	mu        sync.Mutex
	standing  map[string]map[key]*Entry // by tenant
	corrected []*Entry                  // oldest first
	last      map[string]time.Time      // by tenant: the last detection
	restored  map[string]time.Time      // since when, by Key: what an earlier process knew
	builtin   map[string]map[string]int // by tenant: objects that Git does not hold and that belong there, by reason
}

type key struct {
	id ID
	t  Type
}

// NewLedger returns an empty ledger. Metrics may be nil.
func NewLedger(m *Metrics) *Ledger {
	if m == nil {
		m = NewMetrics(nil)
	}
	l := &Ledger{metrics: m, now: time.Now, standing: map[string]map[key]*Entry{}, last: map[string]time.Time{}, builtin: map[string]map[string]int{}}
	m.ledger.Store(l)
	return l
}

// Record takes in all differences that stand for a tenant now and returns those
// that did not stand before. Differences that it knew and that are not among
// them have gone by themselves.
func (l *Ledger) Record(tenant string, now []Difference, held func(Difference) (Hold, string)) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, fresh := l.enter(tenant, now, held)
	l.settle(tenant)
	l.stand(tenant, after)
	return fresh
}

// stand needs mu.
func (l *Ledger) stand(tenant string, entries map[key]*Entry) {
	l.standing[tenant] = entries
	if len(entries) == 0 {
		delete(l.standing, tenant)
	}
}

// enter makes entries of the differences of a tenant, with what is known of them, and returns also those that are new. It
// needs mu.
func (l *Ledger) enter(tenant string, now []Difference, held func(Difference) (Hold, string)) (after map[key]*Entry, fresh []Entry) {
	before := l.standing[tenant]
	after = make(map[key]*Entry, len(now))
	for _, d := range now {
		k := key{d.ID, d.Type}
		e := &Entry{Difference: d, Tenant: tenant, Since: l.now()}
		if held != nil {
			e.Held, e.Reason = held(d)
		}
		old := before[k]
		if since, ok := l.restored[e.Key()]; ok && old == nil {
			e.Since = since
			delete(l.restored, e.Key())
		}
		switch {
		case old != nil && (old.Held == Ignore) == (e.Held == Ignore):
			e.Since, e.Seen = old.Since, old.Seen
		case e.Held != Ignore:
			l.last[tenant] = e.Since
			l.metrics.detectedOne(e)
			fresh = append(fresh, *e)
		}
		after[k] = e
	}
	return after, fresh
}

// Note takes in the differences that stand for a tenant now of objects that were looked at, and returns those that did not
// stand before. What is known of others stays: they could not be seen.
func (l *Ledger) Note(tenant string, now []Difference, looked func(ID) bool, held func(Difference) (Hold, string)) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, fresh := l.enter(tenant, now, held)
	for k, e := range l.standing[tenant] {
		if !looked(k.id) {
			after[k] = e
		}
	}
	l.stand(tenant, after)
	return fresh
}

// Correct notes that the difference was undone.
func (l *Ledger) Correct(tenant string, d Difference) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key{d.ID, d.Type}
	e := l.standing[tenant][k]
	if e == nil {
		return
	}
	delete(l.standing[tenant], k)
	if len(l.standing[tenant]) == 0 {
		delete(l.standing, tenant)
	}
	done := *e
	done.Corrected, done.Held = l.now(), NotHeld
	l.corrected = append(l.expire(), &done)
	l.metrics.correctedOne(&done)
}

// Key names an entry in what survives a restart.
func (e *Entry) Key() string { return e.Tenant + "|" + string(e.Type) + "|" + e.ID.String() }

// Restore takes in since when differences stood before this process began, by
// Key. What does not stand any more is forgotten when its tenant is recorded.
func (l *Ledger) Restore(since map[string]time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restored = maps.Clone(since)
}

// Since returns since when each difference stands, by Key, of those that stand
// for longer than a while; what was restored and not yet looked for is among
// them. younger says whether there are others.
func (l *Ledger) Since(while time.Duration) (since map[string]time.Time, younger bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since = maps.Clone(l.restored)
	if since == nil {
		since = map[string]time.Time{}
	}
	limit := l.now().Add(-while)
	for _, entries := range l.standing {
		for _, e := range entries {
			if e.Since.After(limit) {
				younger = true
				continue
			}
			since[e.Key()] = e.Since
		}
	}
	return since, younger
}

// Keep forgets what was restored of tenants other than those.
func (l *Ledger) Keep(tenant func(name string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.restored, func(key string, _ time.Time) bool {
		name, _, _ := strings.Cut(key, "|")
		return !tenant(name)
	})
}

// BuiltIn notes how many objects of the tenant belong there though Git does not
// hold them, by reason.
func (l *Ledger) BuiltIn(tenant string, reasons map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(reasons) == 0 {
		delete(l.builtin, tenant)
		return
	}
	l.builtin[tenant] = reasons
}

// Forget drops everything about a tenant that is gone.
func (l *Ledger) Forget(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.standing, tenant)
	delete(l.last, tenant)
	delete(l.builtin, tenant)
	l.settle(tenant)
}

// settle forgets what was restored of a tenant.
func (l *Ledger) settle(tenant string) {
	maps.DeleteFunc(l.restored, func(key string, _ time.Time) bool { return strings.HasPrefix(key, tenant+"|") })
}

// Entries returns every difference that stands and those corrected within the
// last 15 minutes, standing ones first, then by tenant, object and type.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Entry
	for _, entries := range l.standing {
		for _, e := range entries {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, compareEntries)
	first := len(out)
	l.corrected = l.expire()
	for _, e := range l.corrected {
		out = append(out, *e)
	}
	slices.SortStableFunc(out[first:], func(a, b Entry) int { return b.Corrected.Compare(a.Corrected) })
	return out
}

// Standing returns how many differences stand for the tenant, without those
// that are ignored.
func (l *Ledger) Standing(tenant string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.standing[tenant] {
		if e.Held != Ignore {
			n++
		}
	}
	return n
}

func (l *Ledger) expire() []*Entry {
	limit := l.now().Add(-correctedLife)
	return slices.DeleteFunc(l.corrected, func(e *Entry) bool { return e.Corrected.Before(limit) })
}

func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID.String(), b.ID.String()), cmp.Compare(a.Type, b.Type))
}
