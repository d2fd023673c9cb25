package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// Whatever happens between the looks, who follows the changes knows exactly what stands, and has been told of
// every correction once.
func TestWatchersAlwaysKnowWhatStands(t *testing.T) {
	d, c := serve(t)
	rapid.Check(t, func(rt *rapid.T) {
		d.say("drift", rows())
		w := c.Watch("")
		_, err := w.Look(t.Context())
		assert.NoError(rt, err)
		clock := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
		standing := map[string]string{} // name to since
		var done []string
		known, told := map[string]bool{}, 0
		for range rapid.IntRange(1, 12).Draw(rt, "looks") {
			for range rapid.IntRange(0, 5).Draw(rt, "events") {
				clock = clock.Add(time.Millisecond)
				name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "object")
				since, stands := standing[name]
				switch rapid.SampledFrom([]string{"appears", "corrected", "goes"}).Draw(rt, "event") {
				case "appears":
					if !stands {
						standing[name] = clock.Format("15:04:05.000")
					}
				case "corrected":
					if stands {
						done = append(done, difference(name, since, corrected(clock.Format("15:04:05.000"))))
						delete(standing, name)
					}
				case "goes":
					delete(standing, name)
				}
			}
			list := slices.Clone(done)
			for name, since := range standing {
				list = append(list, difference(name, since, nil))
			}
			d.say("drift", rows(list...))
			changes, err := w.Look(t.Context())
			assert.NoError(rt, err)
			for _, change := range changes {
				name := change.Difference.Name
				switch change.What {
				case api.Appeared:
					assert.False(rt, known[name], "%s appeared twice", name)
					known[name] = true
				case api.Corrected:
					told++
					fallthrough
				case api.Gone:
					assert.True(rt, known[name], "%s went and was not there", name)
					delete(known, name)
				}
			}
			assert.Len(rt, known, len(standing), fmt.Sprint(known, standing))
			for name := range standing {
				assert.True(rt, known[name], name)
			}
			assert.Equal(rt, len(done), told)
		}
	})
}
