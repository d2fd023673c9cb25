package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// Schedule is a cron schedule as github.com/robfig/cron/v3's ParseStandard
// reads it: five fields, or "@every 30s", "@hourly" and the like, optionally after
// "CRON_TZ=Europe/Berlin ". The zero value is no schedule.
type Schedule struct {
	// Spec is the schedule as written.
	Spec string
	// Schedule tells the next time.
	cron.Schedule
}

// ParseSchedule reads a schedule. Intervals below a second, and schedules
// that never come, are refused; the error is a *strict.Invalid.
func ParseSchedule(spec string) (Schedule, error) {
	const hint = `five fields as in cron, such as "0 6 * * MON", or "@every 30s", "@hourly", "@daily"`
	if zone, rest, ok := strings.Cut(spec, " "); strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		if !ok || strings.TrimSpace(rest) == "" {
			return Schedule{}, strict.Invalidf(hint, "the schedule %q has a time zone and nothing else", spec)
		}
		if err := timeZone(zone[strings.Index(zone, "=")+1:]); err != nil {
			return Schedule{}, err
		}
	}
	if interval, ok := strings.CutPrefix(spec, "@every "); ok {
		if d, err := time.ParseDuration(interval); err == nil && d < time.Second {
			return Schedule{}, strict.Invalidf("@every 1s is the shortest", "the interval %s is too short", d)
		}
	}
	s, err := cron.ParseStandard(spec)
	if err != nil {
		return Schedule{}, strict.Invalidf(hint, "%q is not a schedule: %v", spec, err)
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, strict.Invalidf("", "the schedule %q never comes", spec)
	}
	return Schedule{Spec: spec, Schedule: s}, nil
}

// UnmarshalText is ParseSchedule.
func (s *Schedule) UnmarshalText(text []byte) error {
	parsed, err := ParseSchedule(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// MarshalText returns the schedule as written.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.Spec), nil }

func mustSchedule(spec string) Schedule {
	s, err := ParseSchedule(spec)
	if err != nil {
		panic(fmt.Sprintf("config: schedule in the program: %v", err))
	}
	return s
}

// Bytes is a number of bytes. In files it is a whole number, optionally with
// a suffix of Kubernetes quantities: k, M, G, T (powers of 1000), Ki, Mi, Gi,
// Ti (powers of 1024).
type Bytes int64

var units = []struct {
	suffix string
	size   int64
}{
	{"Ti", 1 << 40},
	{"Gi", 1 << 30},
	{"Mi", 1 << 20},
	{"Ki", 1 << 10},
	{"T", 1e12},
	{"G", 1e9},
	{"M", 1e6},
	{"k", 1e3},
	{"", 1},
}

var bytesForm = regexp.MustCompile(`^(-?[0-9]{1,19})([A-Za-z]*)$`)

// UnmarshalText reads a number of bytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	const hint = "a whole number of bytes, or with a suffix: 64Mi, 1Gi, 500k"
	m := bytesForm.FindStringSubmatch(string(text))
	if m == nil {
		return strict.Invalidf(hint, "%q is not a size", text)
	}
	for _, u := range units {
		if u.suffix != m[2] {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || n > math.MaxInt64/u.size || n < math.MinInt64/u.size {
			return strict.Invalidf("", "the size %s is too large", text)
		}
		*b = Bytes(n * u.size)
		return nil
	}
	return strict.Invalidf(hint, "%q has an unknown suffix", text)
}

// MarshalText writes the number with the largest suffix of 1024's powers that
// divides it.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, u := range units[:4] {
		if b != 0 && int64(b)%u.size == 0 {
			return fmt.Appendf(nil, "%d%s", int64(b)/u.size, u.suffix), nil
		}
	}
	return fmt.Appendf(nil, "%d", int64(b)), nil
}
