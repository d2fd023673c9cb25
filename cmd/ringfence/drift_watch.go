package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// watchPause is how often a watch asks.
const watchPause = time.Second

// driftChange is one line of a watch.
type driftChange struct {
	Time       time.Time      `json:"time"`
	Change     string         `json:"change"` // appeared, changed, corrected or gone
	Difference api.Difference `json:"difference"`
}

// driftWatch asks again and again, and prints what changes.
type driftWatch struct {
	client         *api.Client
	stdout, stderr io.Writer
	json           bool

	known   map[string]api.Difference
	started bool
	trouble string // what was said last of what keeps us, or the daemon, from seeing
	code    int
}

// run watches until ctx is done. The exit code is that of the last look.
func (w *driftWatch) run(ctx context.Context) error {
	ticker := time.NewTicker(watchPause)
	defer ticker.Stop()
	for {
		if err := w.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if w.code == exitClean {
				return nil
			}
			return &exitError{code: w.code}
		case <-ticker.C:
		}
	}
}

// look asks once. Only output that cannot be written is an error.
func (w *driftWatch) look(ctx context.Context) error {
	status, err := w.client.Status(ctx)
	var rows []api.Difference
	if err == nil {
		rows, err = w.client.Drift(ctx)
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // being stopped is not a fault
	}
	if err != nil {
		w.code = exitUnknown
		w.tell(err.Error())
		return nil
	}
	blind := blindness(status)
	w.tell(blind)
	w.code = driftCode(rows, blind)
	for _, change := range w.changes(time.Now().UTC(), rows, blind == "") {
		if err := w.print(change); err != nil {
			return err
		}
	}
	return nil
}

// tell says what keeps us from seeing when that changes.
func (w *driftWatch) tell(trouble string) {
	switch trouble {
	case w.trouble:
		return
	case "":
		fmt.Fprintln(w.stderr, "seen again")
	default:
		fmt.Fprintln(w.stderr, printable("not the whole picture: "+trouble))
	}
	w.trouble = trouble
}

// changes compares with what was known, in the order of time. What was corrected before the first look is history, and
// not told; what appeared and was corrected between two looks is told as both. What is missing is gone only where the
// whole was seen.
func (w *driftWatch) changes(now time.Time, rows []api.Difference, whole bool) []driftChange {
	var out []driftChange
	seen := map[string]api.Difference{}
	for _, d := range rows {
		key := rowKey(d)
		seen[key] = d
		before, known := w.known[key]
		switch {
		case !known && d.Corrected != nil && !w.started:
			continue
		case !known:
			out = append(out, driftChange{d.Since, "appeared", d})
		case d.Corrected == nil && !reflect.DeepEqual(before, d):
			out = append(out, driftChange{now, "changed", d})
		}
		if d.Corrected != nil && (!known || before.Corrected == nil) {
			out = append(out, driftChange{*d.Corrected, "corrected", d})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		if _, still := seen[key]; still || w.known[key].Corrected != nil {
			continue
		}
		if !whole {
			seen[key] = w.known[key]
			continue
		}
		out = append(out, driftChange{now, "gone", w.known[key]})
	}
	slices.SortStableFunc(out, func(a, b driftChange) int { return a.Time.Compare(b.Time) })
	w.known, w.started = seen, true
	return out
}

// rowKey tells differences apart: of one object, those that began at other times are others.
func rowKey(d api.Difference) string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s\x00%d", d.Tenant, d.APIVersion, d.Kind, d.Namespace, d.Name, d.Since.UnixNano())
}

func (w *driftWatch) print(c driftChange) error {
	if w.json {
		return json.NewEncoder(w.stdout).Encode(c)
	}
	text := summary(c.Difference)
	if c.Change == "corrected" {
		text = correctedLine(c.Difference)
	}
	_, err := fmt.Fprintf(w.stdout, "%s %s %s\n", c.Time.Format("2006-01-02T15:04:05.000Z07:00"), c.Change, printable(text))
	return err
}
