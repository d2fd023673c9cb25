package sources

import (
	"strings"
	"time"
	"unicode"
)

// subjectRunes bounds Revision.Subject.
const subjectRunes = 200

// Revision is one commit and the ref it was reached by. The zero value stands for no commit, as
// in a snapshot of a plain folder.
type Revision struct {
	// Commit is the full hash of the commit, 40 lower-case hexadecimal digits.
	Commit string
	// Ref is the full name of the ref, such as refs/heads/main; "" where the commit was asked
	// for by its hash.
	Ref string
	// Time is the committer's time, in UTC. It is written by whoever made the commit.
	Time time.Time
	// Subject is the first line of the message, at most 200 characters, without control and
	// formatting characters. It is written by whoever made the commit.
	Subject string
}

// Short returns the first 12 hexadecimal digits of the commit, or "" for the zero value.
func (r Revision) Short() string {
	if len(r.Commit) < 12 {
		return r.Commit
	}
	return r.Commit[:12]
}

// String returns the ref and the short commit, for messages.
func (r Revision) String() string {
	if r.Ref == "" {
		return r.Short()
	}
	return r.Ref + "@" + r.Short()
}

// subject is the first line of a commit message, fit to be printed.
func subject(message string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(message, "\r\n\t "), "\n")
	return printable(line, subjectRunes)
}

// printable makes one line of s: invalid UTF-8, control characters and invisible formatting
// (such as bidirectional overrides) are dropped, and what is longer than limit runes is cut.
func printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(s, "") {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			continue
		}
		if n == limit {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
