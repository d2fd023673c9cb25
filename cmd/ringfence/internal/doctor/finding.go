package doctor

import (
	"slices"
)

// Level says how bad a finding is.
type Level string

// The levels, from good to bad. Skipped is what was not looked at and need not be; Unknown what could not be seen and should.
const (
	OK      Level = "ok"
	Skipped Level = "skipped"
	Warning Level = "warning"
	Error   Level = "error"
	Unknown Level = "unknown"
)

// Finding is one thing that was found.
type Finding struct {
	// Check is what was looked at: config, source, repository, guard, server, clock, enforcer, nodes, calico, felix, permissions, state.
	Check string `json:"check"`
	// Level is how bad it is.
	Level Level `json:"level"`
	// What is the case, Why it matters, and what to Do; the last two are "" where all is well.
	What string `json:"what"`
	Why  string `json:"why"`
	Do   string `json:"do"`
}

// Report is all that was found, in the order in which it was looked at.
type Report struct {
	// Outcome is clean, findings (a warning or an error), or unknown (something could not be seen).
	Outcome  string    `json:"outcome"`
	Findings []Finding `json:"findings"`
}

// The outcomes.
const (
	Clean    = "clean"
	Findings = "findings"
	Unclear  = "unknown"
)

func reportOf(findings []Finding) Report {
	has := func(levels ...Level) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool { return slices.Contains(levels, f.Level) })
	}
	out := Report{Outcome: Clean, Findings: findings}
	switch {
	case has(Unknown):
		out.Outcome = Unclear
	case has(Warning, Error):
		out.Outcome = Findings
	}
	return out
}
