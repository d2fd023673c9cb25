package kustomize

import (
	"context"
	"errors"
	"regexp"
	"strings"
)

// explain makes a problem of what kustomize (or the clock) said. The pre-flight finds
// the common faults itself; this is for the rest.
func (f *preflight) explain(folder string, err error) Problem {
	p := Problem{File: f.topName(folder)}
	var slow errTooSlow
	switch {
	case errors.As(err, &slow):
		p.Message, p.Hint = slow.Error(), "simplify it, or raise limits.renderTime"
		return p
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p.Message = "rendering was interrupted"
		return p
	}
	p.Message = clean(err.Error())
	return p
}

var (
	accumulation = regexp.MustCompile(`(?s)accumulation err='(.*)': (?:must build at directory|couldn't make target).*`)
	recursed     = regexp.MustCompile(`recursed (?:accumulation of|merging from) path '[^']*': `)
	noise        = regexp.MustCompile(`(?:accumulating (?:resources|components)(?: from '[^']*')?|accumulateDirectory): `)
	resourceID   = regexp.MustCompile(`([A-Z]\w*)\.(v\w+)\.([\w.-]+|\[noGrp\])/([\w.-]+)\.\[?([\w-]+)\]?`)
)

// clean takes the Go noise off one of kustomize's messages.
func clean(message string) string {
	message = strings.ReplaceAll(message, repositoryMount+"/", "")
	message = strings.TrimSpace(message)
	for {
		before := message
		if m := accumulation.FindStringSubmatch(message); m != nil {
			message = m[1]
		}
		message = recursed.ReplaceAllString(message, "")
		message = noise.ReplaceAllString(message, "")
		if message == before {
			break
		}
	}
	message = resourceID.ReplaceAllString(message, "$1 $4")
	lines := strings.Split(message, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return "kustomize: " + strings.Trim(strings.Join(lines, " "), " \"")
}
