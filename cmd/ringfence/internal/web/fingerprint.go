package web

import (
	"encoding/json"
	"hash/maphash"

	"github.com/ringfence/ringfence/sync"
)

// fingerprint is equal as long as the API's answers are, but for when Git was last read. Tenants, of which there may be
// thousands, are summed without being written.
func (h *Handler) fingerprint(seed maphash.Seed) uint64 {
	var sum maphash.Hash
	sum.SetSeed(seed)
	enc := json.NewEncoder(&sum)
	status := h.status()
	status.Source.Checked = nil
	for _, v := range []any{status, h.drift(), h.config.Engine.Unfenced()} {
		if err := enc.Encode(v); err != nil {
			return 0 // nothing of it can fail
		}
	}
	for _, t := range h.config.Engine.Tenants() {
		sumTenant(&sum, t)
	}
	return sum.Sum64()
}

// sumTenant adds all that can be seen of a tenant. Rounds but the newest are as they were when they were that.
func sumTenant(sum *maphash.Hash, t sync.Tenant) {
	for _, text := range []string{t.Name, t.Overlay, string(t.State), t.Applied, t.Wanted, t.Reason} {
		sumText(sum, text)
	}
	sumNumbers(sum, int64(t.Objects), int64(t.Drift), t.Until.UnixNano(), int64(len(t.Problems)), int64(len(t.Rounds)))
	for _, p := range t.Problems {
		for _, text := range []string{p.Overlay, p.File, p.Message, p.Hint} {
			sumText(sum, text)
		}
		sumNumbers(sum, int64(p.Line), int64(p.Column))
	}
	if len(t.Rounds) == 0 {
		return
	}
	r := t.Rounds[0]
	sumNumbers(sum, r.Time.UnixNano(), int64(r.Took), int64(r.Created), int64(r.Updated), int64(r.Removed), int64(r.Failed), int64(r.Tries), int64(len(r.Objects)))
	for _, text := range append([]string{r.Revision, r.Why, r.Error}, r.Objects...) {
		sumText(sum, text)
	}
}

// sumText adds a text so that it does not run into the next.
func sumText(sum *maphash.Hash, text string) {
	sumNumbers(sum, int64(len(text)))
	_, _ = sum.WriteString(text) // it cannot fail
}

func sumNumbers(sum *maphash.Hash, numbers ...int64) {
	for _, n := range numbers {
		maphash.WriteComparable(sum, n)
	}
}
