package reach

import (
	"fmt"
	"slices"
	"strings"
)

// truth is what is known of a condition. The zero value is no.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

func (t truth) and(u truth) truth { return min(t, u) }

func (t truth) or(u truth) truth { return max(t, u) }

// labelSource answers what value a label key has. known is false where the value, or even whether there is one, is not
// known: then value and present mean nothing.
type labelSource interface {
	label(key string) (value string, present, known bool)
}

// labelMap is a labelSource that knows everything.
type labelMap map[string]string

func (m labelMap) label(key string) (string, bool, bool) {
	value, present := m[key]
	return value, present, true
}

type operator uint8

const (
	opAll operator = iota
	opGlobal
	opHas
	opEqual
	opNotEqual
	opIn
	opNotIn
	opContains
	opStartsWith
	opEndsWith
	opNot
	opAnd
	opOr
)

// expression is a node of a parsed selector; immutable.
type expression struct {
	op     operator
	key    string
	values []string      // one, or sorted for in and not in
	parts  []*expression // of not, and, or
}

var everything = &expression{op: opAll}

// Selector is a parsed expression of Calico's selector language
// (https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors). It is immutable.
type Selector struct{ root *expression }

// ParseSelector parses Calico's selector language as Calico's own parser does: || binds least, then &&, then !; only
// space and tab are white space; quotes are single or double without escapes; the empty text is all(). The error says
// what was expected and at which byte.
func ParseSelector(text string) (*Selector, error) {
	root, err := parseExpression(text)
	if err != nil {
		return nil, fmt.Errorf("parsing selector %q: %w", text, err)
	}
	return &Selector{root}, nil
}

// CheckSelector returns what is wrong with a text as a selector: what was expected, and at which byte; nil if nothing
// is. It may be called concurrently.
func CheckSelector(text string) error {
	_, err := parseExpression(text)
	return err
}

// Matches reports whether the labels satisfy the selector. != and not in hold where the label is absent; contains,
// starts with and ends with need it; global() holds always.
func (s *Selector) Matches(labels map[string]string) bool {
	return s.root.eval(labelMap(labels)) == yes
}

// eval is the one place where labels meet an expression.
func (e *expression) eval(labels labelSource) truth {
	switch e.op {
	case opAll, opGlobal:
		return yes
	case opNot:
		return e.parts[0].eval(labels).not()
	case opAnd:
		result := yes
		for _, part := range e.parts {
			if result = result.and(part.eval(labels)); result == no {
				return no
			}
		}
		return result
	case opOr:
		result := no
		for _, part := range e.parts {
			if result = result.or(part.eval(labels)); result == yes {
				return yes
			}
		}
		return result
	}
	value, present, known := labels.label(e.key)
	if !known {
		if free, ok := labels.(*freePod); ok {
			return free.holds(e)
		}
		return maybe
	}
	return truthOf(e.holds(value, present))
}

// holds evaluates an operation on one label.
func (e *expression) holds(value string, present bool) bool {
	switch e.op {
	case opHas:
		return present
	case opEqual:
		return present && value == e.values[0]
	case opNotEqual:
		return !present || value != e.values[0]
	case opIn:
		_, found := slices.BinarySearch(e.values, value)
		return present && found
	case opNotIn:
		_, found := slices.BinarySearch(e.values, value)
		return !present || !found
	case opContains:
		return present && strings.Contains(value, e.values[0])
	case opStartsWith:
		return present && strings.HasPrefix(value, e.values[0])
	case opEndsWith:
		return present && strings.HasSuffix(value, e.values[0])
	}
	return false
}

// both returns a && b, where nil and all() add nothing.
func both(a, b *expression) *expression {
	switch {
	case a == nil || a.op == opAll:
		if b == nil {
			return a
		}
		return b
	case b == nil || b.op == opAll:
		return a
	}
	return &expression{op: opAnd, parts: []*expression{a, b}}
}

func negation(e *expression) *expression {
	return &expression{op: opNot, parts: []*expression{e}}
}

func equals(key, value string) *expression {
	return &expression{op: opEqual, key: key, values: []string{value}}
}

func has(key string) *expression { return &expression{op: opHas, key: key} }

func in(key string, values []string) *expression {
	values = slices.Clone(values)
	slices.Sort(values)
	return &expression{op: opIn, key: key, values: slices.Compact(values)}
}

// rewrite returns a copy in which every leaf went through leaf.
func (e *expression) rewrite(leaf func(*expression) *expression) *expression {
	if len(e.parts) == 0 {
		return leaf(e)
	}
	parts := make([]*expression, len(e.parts))
	for i, part := range e.parts {
		parts[i] = part.rewrite(leaf)
	}
	return &expression{op: e.op, parts: parts}
}

// prefixed returns the expression over keys with a prefix, as Calico turns namespace and service account selectors
// into selectors over endpoints.
func (e *expression) prefixed(prefix string) *expression {
	return e.rewrite(func(leaf *expression) *expression {
		if leaf.op == opAll || leaf.op == opGlobal {
			return leaf
		}
		return &expression{op: leaf.op, key: prefix + leaf.key, values: leaf.values}
	})
}

// ofNamespaces replaces all() by "is in a namespace" and global() by its opposite, which is what the two mean in the
// namespaceSelector of a rule.
func (e *expression) ofNamespaces() *expression {
	return e.rewrite(func(leaf *expression) *expression {
		switch leaf.op {
		case opAll:
			return has(labelNamespace)
		case opGlobal:
			return negation(has(labelNamespace))
		}
		return leaf
	})
}

// everywhere replaces all() by the presence of a label, as Calico does throughout the selector of a global policy that
// also selects by namespace or service account.
func (e *expression) everywhere(label string) *expression {
	return e.rewrite(func(leaf *expression) *expression {
		if leaf.op == opAll {
			return has(label)
		}
		return leaf
	})
}

// uses reports whether an operation occurs in the expression.
func (e *expression) uses(op operator) bool {
	return e.op == op || slices.ContainsFunc(e.parts, func(part *expression) bool { return part.uses(op) })
}

// String returns the canonical text: equal texts select alike.
func (e *expression) String() string {
	switch e.op {
	case opAll:
		return "all()"
	case opGlobal:
		return "global()"
	case opHas:
		return "has(" + e.key + ")"
	case opNot:
		return "!" + e.parts[0].String()
	case opAnd, opOr:
		glue := " && "
		if e.op == opOr {
			glue = " || "
		}
		texts := make([]string, len(e.parts))
		for i, part := range e.parts {
			texts[i] = part.String()
		}
		return "(" + strings.Join(texts, glue) + ")"
	case opIn, opNotIn:
		texts := make([]string, len(e.values))
		for i, value := range e.values {
			texts[i] = quoted(value)
		}
		return e.key + map[operator]string{opIn: " in {", opNotIn: " not in {"}[e.op] + strings.Join(texts, ", ") + "}"
	}
	return e.key + " " + operatorText[e.op] + " " + quoted(e.values[0])
}

var operatorText = map[operator]string{
	opEqual: "==", opNotEqual: "!=", opContains: "contains", opStartsWith: "starts with", opEndsWith: "ends with",
}

func quoted(value string) string {
	if strings.Contains(value, `"`) {
		return "'" + value + "'"
	}
	return `"` + value + `"`
}

// String returns the canonical text of the selector, which parses to an equal one.
func (s *Selector) String() string { return s.root.String() }
