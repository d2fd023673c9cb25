package kustomize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault in the repository's files: why an overlay, or the guard,
// is refused. It is an error.
type Problem struct {
	// Overlay is the folder whose rendering showed the fault; "" where none did.
	Overlay string
	// File is the path in the repository, with slashes.
	File string
	// Line and Column are 1-based; 0 where unknown.
	Line, Column int
	// Message says what is wrong, Hint how to mend it ("" where that is plain).
	Message, Hint string
}

// Error returns "file:line:column: message (hint: …)", without what is unknown.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		fmt.Fprintf(&b, " (hint: %s)", p.Hint)
	}
	return b.String()
}

// sortProblems orders by file, line, column and message, and drops repetitions.
func sortProblems(ps []Problem) []Problem {
	slices.SortFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Hint, b.Hint), cmp.Compare(a.Overlay, b.Overlay))
	})
	return slices.Compact(ps)
}

// attributed returns a copy of ps with Overlay set.
func attributed(ps []Problem, overlay string) []Problem {
	ps = slices.Clone(ps)
	for i := range ps {
		ps[i].Overlay = overlay
	}
	return ps
}
