package sync

import (
	"fmt"
	"strings"
)

// blindness says in one line what cannot be seen, and why; "" if all can. What is
// missing from the line is in the status as a whole.
func blindness(blind []string) string {
	if len(blind) == 0 {
		return ""
	}
	kind, why, _ := strings.Cut(blind[0], ": ")
	line := kind + " cannot be seen"
	if more := len(blind) - 1; more > 0 {
		line += fmt.Sprintf(", nor can %d more kinds", more)
	}
	return fmt.Sprintf("%s (%s); until it can nothing is concluded, and nothing written but Kubernetes policies that only close", line, why)
}
