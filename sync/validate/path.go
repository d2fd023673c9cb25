package validate

import (
	"strconv"
	"strings"
)

// stepsOf reads the path of a field as the API server writes it: spec.ingress[0].from, metadata.labels[a.b/c]. What does not
// look like one is taken as far as it does.
func stepsOf(path string) []any {
	var steps []any
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			key, rest, closed := strings.Cut(path[1:], "]")
			if !closed {
				return steps
			}
			path = rest
			if i, err := strconv.Atoi(key); err == nil && i >= 0 {
				steps = append(steps, i)
				continue
			}
			if unquoted, err := strconv.Unquote(key); err == nil {
				key = unquoted
			}
			steps = append(steps, key)
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps, path = append(steps, path[:end]), path[end:]
		}
	}
	return steps
}
