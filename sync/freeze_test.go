package sync

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func window(t testing.TB, start string, duration time.Duration, zone string) Freeze {
	t.Helper()
	schedule, err := cron.ParseStandard(start)
	require.NoError(t, err)
	f := Freeze{Start: schedule, Duration: duration}
	if zone != "" {
		f.Zone, err = time.LoadLocation(zone)
		require.NoError(t, err)
	}
	return f
}

func TestFrozenUntil(t *testing.T) {
	weekend := window(t, "0 18 * * FRI", 60*time.Hour, "Europe/Berlin")
	tests := []struct {
		name    string
		windows []Freeze
		now     string // RFC 3339
		until   string // "" if nothing is frozen
	}{
		{"no windows", nil, "2026-01-02T12:00:00Z", ""},
		{"before the weekend", []Freeze{weekend}, "2026-01-02T17:59:59+01:00", ""},
		{"the moment it begins", []Freeze{weekend}, "2026-01-02T18:00:00+01:00", "2026-01-05T06:00:00+01:00"},
		{"in it", []Freeze{weekend}, "2026-01-05T05:59:59+01:00", "2026-01-05T06:00:00+01:00"},
		{"the moment it ends", []Freeze{weekend}, "2026-01-05T06:00:00+01:00", ""},
		{"by UTC where no zone is given", []Freeze{window(t, "0 18 * * FRI", time.Hour, "")}, "2026-01-02T18:30:00Z", "2026-01-02T19:00:00Z"},
		{"over the change to summer time sixty hours are sixty hours", []Freeze{weekend}, "2026-03-29T12:00:00+02:00", "2026-03-30T07:00:00+02:00"},
		{"and over the change back", []Freeze{weekend}, "2026-10-25T12:00:00+01:00", "2026-10-26T05:00:00+01:00"},
		{"in summer by the clock of summer", []Freeze{weekend}, "2026-07-03T18:00:00+02:00", "2026-07-06T06:00:00+02:00"},
		{"and not an hour early", []Freeze{weekend}, "2026-07-03T17:59:00+02:00", ""},
		{"a start that the day does not have", []Freeze{window(t, "30 2 * * *", time.Hour, "Europe/Berlin")}, "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"},
		{"not before it", []Freeze{window(t, "30 2 * * *", time.Hour, "Europe/Berlin")}, "2026-03-29T03:29:59+02:00", ""},
		{"a start that the day has twice is the first", []Freeze{window(t, "30 2 * * *", time.Hour, "Europe/Berlin")}, "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
		{"and not the second", []Freeze{window(t, "30 2 * * *", time.Hour, "Europe/Berlin")}, "2026-10-25T02:30:00+01:00", ""},
		{"windows that run into each other are one", []Freeze{window(t, "0 8 * * *", 2*time.Hour, ""), window(t, "0 10 * * *", 2*time.Hour, ""), window(t, "30 11 * * *", time.Hour, "")}, "2026-01-02T09:00:00Z", "2026-01-02T12:30:00Z"},
		{"of two the later end counts", []Freeze{window(t, "0 8 * * *", 5*time.Hour, ""), window(t, "0 9 * * *", time.Hour, "")}, "2026-01-02T09:30:00Z", "2026-01-02T13:00:00Z"},
		{"a zone far ahead", []Freeze{window(t, "0 0 1 1 *", 24*time.Hour, "Pacific/Kiritimati")}, "2025-12-31T10:00:00Z", "2026-01-01T10:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			require.NoError(t, err)
			got := frozenUntil(tt.windows, now)
			if tt.until == "" {
				assert.Zero(t, got)
				return
			}
			want, err := time.Parse(time.RFC3339, tt.until)
			require.NoError(t, err)
			assert.True(t, want.Equal(got), "%s", got)
		})
	}
	began := time.Now()
	assert.NotZero(t, frozenUntil([]Freeze{window(t, "* * * * *", time.Hour, "")}, time.Now()), "one that never ends has some end")
	assert.Less(t, time.Since(began), 20*time.Second)
}
