package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress shows on stderr how far something is: on a terminal in one line that is drawn anew, and otherwise with
// a line where the last is some time ago and says something else.
type progress struct {
	out   io.Writer
	width func() int // columns; nil if there is no terminal
	now   func() time.Time
	pause time.Duration // between lines without a terminal

	last  string
	since time.Time
	drawn bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, now: time.Now, pause: 10 * time.Second}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.width = func() int {
			columns, _, err := term.GetSize(int(file.Fd()))
			if err != nil || columns < 20 {
				return 80
			}
			return columns
		}
	}
	return p
}

// bar shows that done of all are done.
func (p *progress) bar(done, all int, text string) {
	const cells = 24
	full := 0
	if all > 0 {
		full = done * cells / all
	}
	if p.width == nil {
		p.say(text)
		return
	}
	p.say(fmt.Sprintf("[%s%s] %d/%d  %s", strings.Repeat("█", full), strings.Repeat("░", cells-full), done, all, text))
}

// say shows a text.
func (p *progress) say(text string) {
	text = printable(text)
	if p.width == nil {
		if text != p.last && (p.last == "" || p.now().Sub(p.since) >= p.pause) {
			fmt.Fprintln(p.out, text)
			p.last, p.since = text, p.now()
		}
		return
	}
	if runes, most := []rune(text), p.width()-1; len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", text)
	p.drawn = true
}

// end takes the drawn line away.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
