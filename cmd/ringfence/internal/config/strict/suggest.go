package strict

import (
	"slices"
	"strings"
)

// Nearest returns the candidate that a person most likely meant by word, or "".
func Nearest(word string, candidates []string) string {
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		if strings.EqualFold(word, c) {
			return c
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from one word to the other (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	var older []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		older, last = last, row
	}
	return last[len(b)]
}

// unknown says what to write instead of a key that nobody knows.
func (d *decoder) unknown(key, name string, parts []string) error {
	if d.options.Elsewhere != nil {
		if hint := d.options.Elsewhere(key); hint != "" {
			return Invalidf(hint, "unknown key")
		}
	}
	hint := "allowed: " + strings.Join(parts, ", ")
	if near := Nearest(name, parts); near != "" {
		return Invalidf(hint+"; did you mean "+near+"?", "unknown key")
	}
	for _, known := range d.known {
		if known == name || strings.HasSuffix(known, "."+name) {
			return Invalidf(hint+"; did you mean "+known+"?", "unknown key")
		}
	}
	return Invalidf(hint, "unknown key")
}

// oneOf checks an enumeration.
func oneOf(value string, allowed []string) error {
	if len(allowed) == 0 || slices.Contains(allowed, value) {
		return nil
	}
	hint := "allowed: " + strings.Join(allowed, ", ")
	if near := Nearest(value, allowed); near != "" && value != "" {
		hint += "; did you mean " + near + "?"
	}
	return Invalidf(hint, "unknown value %q", value)
}
