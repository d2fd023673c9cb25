package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// printable makes text safe for a terminal: names and messages come from Git and from the cluster, and may hold what
// moves the cursor or turns the direction of writing around.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// age says how long ago something was, as kubectl does: 12s, 3m, 3h, 2d.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// short returns the first 12 digits of a commit, as people quote it.
func short(commit string) string { return commit[:min(12, len(commit))] }

// counted says a number of things: "1 difference", "2 differences".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
