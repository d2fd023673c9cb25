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
	for _, value := range append(slices.Clone(e.values), "ringfence-other") {
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

// imply turns a witness into pods: in the namespaces that the witness's namespace part fits, or in a namespace that is
// not known and has just these labels.
func (w *World) imply(wit witness, match func(string) bool) []*Endpoint {
	own, of, account := map[string]string{}, map[string]string{}, "default"
	name := ""
	for key, value := range wit {
		switch {
		case key == labelNamespace, key == prefixNamespace+keyName, key == prefixNamespace+keyMetadataName:
			name = value
		case key == labelServiceAccount:
			account = value
		case key == labelOrchestrator:
		case strings.HasPrefix(key, prefixNamespace):
			of[key[len(prefixNamespace):]] = value
		case !strings.HasPrefix(key, prefixAccount):
			own[key] = value
		}
	}
	var out []*Endpoint
	add := func(ns inherited) {
		e := &Endpoint{
			Ref:       Ref{Kind: "Workload", Namespace: ns.name, Name: impliedName(own)},
			Namespace: ns.name, Name: impliedName(own), Implied: true, labels: own, account: account,
		}
		e.view = &podLabels{e, ns, inherited{name: account, known: w.config.WholeWorld}}
		out = append(out, e)
	}
	for _, known := range w.Namespaces() {
		if (name == "" || name == known) && match(known) && fits(w.inheritedOf(known), of) {
			add(w.inheritedOf(known))
		}
	}
	if _, known := w.namespaces[name]; !known && match("") && (name == "" || match(name)) {
		if name == "" && len(of) > 0 {
			name = "(" + impliedName(of) + ")"
		}
		add(inherited{name: name, labels: of, known: true})
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
