package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file; lines and columns count from 1, and 0 means
// that it is not known.
type Position struct {
	Line, Column int
}

// Problem is one thing that is wrong in a file.
type Problem struct {
	// File is the name that was given to Decode.
	File string
	// Position is where the value (or for unknown and repeated keys, the key) stands.
	Position
	// Key is the dotted path of the key, such as "source.ref.tag" or
	// "sync.freeze[0].start"; "" stands for the whole file.
	Key string
	// Message says what is wrong.
	Message string
	// Hint says what is allowed or how to mend it; it may be empty.
	Hint string
}

// String renders the problem as "file:line:column: key: message (hint)",
// without the parts that are not known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	if p.Key != "" {
		fmt.Fprintf(&b, ": %s", p.Key)
	}
	fmt.Fprintf(&b, ": %s", p.Message)
	if p.Hint != "" {
		fmt.Fprintf(&b, " (%s)", p.Hint)
	}
	return b.String()
}

// Error is every problem of a file, in the order of the file.
type Error struct {
	Problems []Problem
}

// Error renders one problem per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Invalid is an error of a format: what is wrong with a value, and what is
// allowed instead.
type Invalid struct {
	Message, Hint string
}

// Error renders the message with its hint.
func (e *Invalid) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Hint)
}

// Invalidf returns an *Invalid with a formatted message.
func Invalidf(hint, format string, args ...any) error {
	return &Invalid{Message: fmt.Sprintf(format, args...), Hint: hint}
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key))
	})
}
