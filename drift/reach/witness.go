package reach

import (
	"maps"
	"slices"
	"strings"
)

// witness is a way to satisfy a selector: the labels to have, by effective key. What is not in it is absent.
type witness map[string]string

// maxWitnesses bounds the ways that are tried for one selector.
const maxWitnesses = 16

// witnesses returns label sets that satisfy the clause, found by trying the positive terms of each alternative.
func (c *clause) witnesses() []witness {
	var out []witness
	for _, w := range c.expr.ways(true) {
		if c.namespace != "" {
			w[labelNamespace] = c.namespace
		}
		out = append(out, w)
	}
	return out
}

// OtherValue is the value of a label of an implied pod that stands for every value that no selector asks for.
const OtherValue = "ringfence-other"

// ways returns at most maxWitnesses label sets that may make the expression true, or false.
func (e *expression) ways(want bool) []witness {
	switch e.op {
	case opNot:
		return e.parts[0].ways(!want)
	case opAnd, opOr:
		if (e.op == opAnd) == want {
			return product(e.parts, want)
		}
		var out []witness
		for _, part := range e.parts {
			out = append(out, part.ways(want)...)
		}
		return out[:min(len(out), maxWitnesses)]
	case opAll, opGlobal:
		if want {
			return []witness{{}}
		}
		return nil
	}
	if e.holds("", false) == want {
		return []witness{{}}
	}
	for _, value := range append(slices.Clone(e.values), OtherValue) {
		if e.holds(value, true) == want {
			return []witness{{e.key: value}}
		}
	}
	return nil
}

func product(parts []*expression, want bool) []witness {
	out := []witness{{}}
	for _, part := range parts {
		var next []witness
		for _, a := range out {
			for _, b := range part.ways(want) {
				joined := maps.Clone(a)
				maps.Copy(joined, b)
				next = append(next, joined)
			}
		}
		out = next[:min(len(next), maxWitnesses)]
	}
	return out
}

// figure is a pod as a witness describes it.
type figure struct {
	labels  map[string]string
	account string
	space   string            // its namespace; "" where the witness does not name one
	of      map[string]string // the namespace's labels
}

func (wit witness) figure() figure {
	f := figure{labels: map[string]string{}, of: map[string]string{}, account: "default"}
	for _, key := range sortedKeys(wit) {
		value := wit[key]
		switch {
		case key == labelNamespace, key == prefixNamespace+keyName, key == prefixNamespace+keyMetadataName:
			f.space = value
		case key == labelServiceAccount:
			f.account = value
		case key == labelOrchestrator:
		case strings.HasPrefix(key, prefixNamespace):
			f.of[key[len(prefixNamespace):]] = value
		case !strings.HasPrefix(key, prefixAccount):
			f.labels[key] = value
		}
	}
	return f
}

// invented is the namespace that a figure asks for, where nothing names one.
func (f figure) invented() inherited {
	name := f.space
	if name == "" && len(f.of) > 0 {
		name = "(" + impliedName(f.of) + ")"
	}
	return inherited{name: name, labels: f.of, known: true}
}

// pod makes a figure a pod of a namespace.
func (w *World) pod(f figure, ns inherited) *Endpoint {
	e := &Endpoint{
		Ref:       Ref{Kind: "Workload", Namespace: ns.name, Name: impliedName(f.labels)},
		Namespace: ns.name, Name: impliedName(f.labels), Implied: true, labels: f.labels, account: f.account,
	}
	e.view = &podLabels{e, ns, inherited{name: f.account, known: w.config.WholeWorld}}
	e.at = w.whereabouts(e)
	return e
}

// imply turns a witness into pods: in the namespaces that the witness's namespace part fits, or in a namespace that is
// not known and has just these labels.
func (w *World) imply(wit witness, match func(string) bool) []*Endpoint {
	f := wit.figure()
	names := []string{f.space}
	if f.space == "" {
		names = w.Namespaces()
	}
	var out []*Endpoint
	for _, name := range names {
		if own := w.inheritedOf(name); w.knows(name) && match(name) && fits(own, f.of) {
			out = append(out, w.pod(f, own))
		}
	}
	if !w.room(f.space).object && match("") && (f.space == "" || match(f.space)) {
		out = append(out, w.pod(f, f.invented()))
	}
	return out
}

func fits(ns inherited, labels map[string]string) bool {
	for k, v := range labels {
		if ns.labels[k] != v {
			return false
		}
	}
	return true
}

// impliedName names a pod by its labels; "(other)" is one without any. Neither is a name that an object can have.
func impliedName(labels map[string]string) string {
	if len(labels) == 0 {
		return "(other)"
	}
	parts := make([]string, 0, len(labels))
	for _, k := range sortedKeys(labels) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}

// key tells implied endpoints apart.
func (e *Endpoint) key() string {
	var b strings.Builder
	b.WriteString(e.Namespace + "\x00" + e.Name + "\x00" + e.account)
	if view, ok := e.view.(*podLabels); ok {
		for _, k := range sortedKeys(view.namespace.labels) {
			b.WriteString("\x00" + k + "=" + view.namespace.labels[k])
		}
	}
	return b.String()
}
