package api

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/kustomize"
)

// Unsure returns why the daemon's other answers may not be the whole truth; "" if they are.
func (s Status) Unsure() string {
	switch {
	case !s.Ready && s.Waiting != "":
		return "the daemon is not ready: " + s.Waiting
	case len(s.Blind) > 0:
		return "the daemon is blind: " + s.BlindWords()
	case !s.Ready:
		return "the daemon is not ready"
	}
	return ""
}

// BlindWords says for people which kinds cannot be seen and why; of many with one reason it names a few.
func (s Status) BlindWords() string {
	const most = 3
	var reasons, parts []string
	kinds := map[string][]string{}
	for _, b := range s.Blind {
		kind, reason, _ := strings.Cut(b, ": ")
		if kinds[reason] == nil {
			reasons = append(reasons, reason)
		}
		kinds[reason] = append(kinds[reason], kind)
	}
	for _, reason := range reasons {
		names := kinds[reason]
		text := strings.Join(names[:min(len(names), most)], ", ")
		if more := len(names) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text+": "+reason)
	}
	return strings.Join(parts, "; ")
}

// Problems returns everything that is wrong with the tenant.
func (t Tenant) Problems() []Error {
	if len(t.Errors) == 0 && t.Error != nil {
		return []Error{*t.Error}
	}
	return t.Errors
}

// String returns the fault as the offline commands print it.
func (e Error) String() string {
	return kustomize.Problem{File: e.File, Line: e.Line, Column: e.Column, Message: e.Message, Hint: e.Hint}.Error()
}
