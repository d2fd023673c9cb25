package sync

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/kustomize"
)

// Whatever keeps a tenant from the newest revision is counted, or no alert could tell of it.
func TestHeldByErrors(t *testing.T) {
	bad := []kustomize.Problem{{Message: "bad"}}
	w := &world{targets: map[string]*target{"a": {name: "a"}, "b": {name: "b", problems: bad}}}
	stray := &world{targets: w.targets, refused: []kustomize.Problem{
		{Overlay: "overlays/x", Message: "one"},
		{Overlay: "overlays/x", Message: "two"},
		{Overlay: "overlays/y"},
	}}
	for _, tt := range []struct {
		name  string
		world *world
		whole bool
		want  float64
	}{
		{"a tenant that is refused", w, false, 1},
		{"overlays that belong to no tenant", stray, false, 3},
		{"a revision that is refused as a whole", w, true, 2},
		{"the first revision, refused as a whole", &world{}, true, 1},
		{"none", &world{targets: map[string]*target{"a": {name: "a"}}}, false, 0},
	} {
		m := NewMetrics(nil)
		m.countHeld(tt.world, tt.whole)
		assert.InDelta(t, tt.want, testutil.ToFloat64(m.held.WithLabelValues("error")), 0, tt.name)
	}
}
