package api

import (
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
)

// Object names the object that differs, as "NetworkPolicy.networking.k8s.io caas-acme/deny-all".
func (d Difference) Object() string {
	object := d.Name
	if d.Namespace != "" {
		object = d.Namespace + "/" + d.Name
	}
	if group, _, ok := strings.Cut(d.APIVersion, "/"); ok {
		return d.Kind + "." + group + " " + object
	}
	return d.Kind + " " + object
}

// Stands reports whether the difference is there now and counts: one that a rule says to ignore does not.
func (d Difference) Stands() bool { return d.Corrected == nil && !d.Ignored() }

// Ignored reports whether a rule says to ignore the difference, which is there.
func (d Difference) Ignored() bool {
	return d.Corrected == nil && d.Held != nil && *d.Held == drift.Ignore
}

// Exposed returns the exposure as package drift has it.
func (d Difference) Exposed() drift.Exposure {
	var e drift.Exposure
	for _, x := range d.Exposure {
		c := reach.Connection{From: x.From, To: x.To, Ports: x.Ports}
		switch x.Effect {
		case drift.Opens:
			e.Opens = append(e.Opens, c)
		case drift.Closes:
			e.Closes = append(e.Closes, c)
		default:
			e.Unsure = append(e.Unsure, c)
		}
	}
	return e
}

// Urgent sorts differences: those that stand and open first, then those of which that cannot be told, those that close, those
// that do nothing, those that are ignored, and at last those that were corrected. Of equal ones the order stays.
func Urgent(differences []Difference) []Difference {
	out := slices.Clone(differences)
	slices.SortStableFunc(out, func(a, b Difference) int { return a.Rank() - b.Rank() })
	return out
}

// Rank orders differences as [Urgent] does: the smaller, the more urgent.
func (d Difference) Rank() int {
	switch {
	case d.Corrected != nil:
		return 5
	case d.Ignored():
		return 4
	}
	switch d.Effect {
	case drift.Opens, drift.Both:
		return 0
	case drift.Closes:
		return 2
	case drift.None:
		return 3
	}
	return 1 // unknown, or a word of a newer daemon
}

// ErrorsOf returns problems as answers have them.
func ErrorsOf(problems []kustomize.Problem) []Error {
	out := make([]Error, 0, len(problems))
	for _, p := range problems {
		out = append(out, Error{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
	}
	return out
}
