package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
)

// driftOf returns a request of which the daemon answers with the files of testdata/drift, at 09:05 of the day they are of.
func driftOf(t *testing.T) *driftRequest {
	t.Helper()
	server := httptest.NewServer(answers(filepath.Join("testdata", "drift")))
	t.Cleanup(server.Close)
	daemon, err := api.NewClient(server.URL)
	require.NoError(t, err)
	return &driftRequest{
		daemon: daemon, output: &format{value: "text"},
		now: func() time.Time { return time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC) },
	}
}

// golden compares with a file of testdata, which -update writes anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// Every form of a difference, the most urgent first.
func TestDriftInWords(t *testing.T) {
	r := driftOf(t)
	var out bytes.Buffer
	err := r.run(t.Context(), &out)
	var exit *exitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, exitFindings, exit.code)
	golden(t, "drift/text.golden", out.String())
}

func TestChangesInWords(t *testing.T) {
	r := driftOf(t)
	rows, err := r.daemon.Drift(t.Context(), "")
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.FixedZone("CET", 3600))
	var out bytes.Buffer
	for i, d := range rows {
		what := []string{api.Appeared, api.Changed, api.Gone}[i%3]
		if d.Corrected != nil {
			what = api.Corrected
		}
		require.NoError(t, r.printChange(&out, api.Change{Time: at, What: what, Difference: &d}))
	}
	require.NoError(t, r.printChange(&out, api.Change{Time: at, What: api.Lost, Message: "asking the daemon: \x1b[2Jrefused"}))
	require.NoError(t, r.printChange(&out, api.Change{Time: at, What: api.Back}))
	golden(t, "drift/changes.golden", out.String())
}

// Watching ends with Ctrl-C, which is no error; what is printed meanwhile is a line each.
func TestWatchPrints(t *testing.T) {
	r := driftOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	require.NoError(t, r.watch(ctx, &out, writerFunc(func(p []byte) (int, error) {
		assert.Regexp(t, `^watching http://127.0.0.1:\d+: 5 differences stand now\n$`, string(p))
		cancel()
		return len(p), nil
	})))
	assert.Empty(t, out.String(), "what stands at the beginning is no change")

	r.output.value = "json"
	change := api.Change{Time: r.now(), What: api.Lost, Message: "<gone>"}
	require.NoError(t, r.printChange(&out, change))
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	assert.JSONEq(t, `{"time": "2026-03-01T09:05:00Z", "change": "lost", "difference": null, "message": "<gone>"}`, out.String())
}

// Somebody who no longer reads ends the watch.
func TestWatchWithoutReader(t *testing.T) {
	r := driftOf(t)
	broken := errors.New("broken pipe")
	r.daemon = must1(api.NewClient("http://127.0.0.1:1"))
	err := r.watch(t.Context(), writerFunc(func([]byte) (int, error) { return 0, broken }), &bytes.Buffer{})
	assert.ErrorIs(t, err, broken)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func must1[T any](value T, err error) T {
	must(err)
	return value
}

func TestValuesInWords(t *testing.T) {
	for want, value := range map[string]any{
		`nothing`:                             nil,
		`"null"`:                              "null",
		`false`:                               false,
		`9007199254740993`:                    int64(9007199254740993),
		`[{}]`:                                []any{map[string]any{}},
		`"<a>&\n"`:                            "<a>&\n",
		`"` + strings.Repeat("ü", 159) + ` …`: strings.Repeat("ü", 200),
	} {
		assert.Equal(t, want, valueWords(value))
	}
}
