package world

import (
	"slices"

	"github.com/ringfence/ringfence/drift/reach"
)

// Fence is what a tenant's workloads have to do with others, and with each other, by Git and by the live state.
type Fence struct {
	// Kept are the connections that Git allows and nothing live closes.
	Kept []reach.Connection
	// Opened are allowed by the live state alone, and Closed by Git alone.
	Opened, Closed []reach.Connection
	// Unknown may be allowed, as far as can be told, by either.
	Unknown []reach.Connection
}

// Empty reports whether there is nothing to draw.
func (f Fence) Empty() bool { return len(f.Kept)+len(f.Opened)+len(f.Closed)+len(f.Unknown) == 0 }

// Fence returns the connections of which one end may be in the namespace, as `ringfence reach --tenant` lists them.
func (m *Moment) Fence(namespace string) Fence {
	var out Fence
	for _, i := range m.index.of(namespace) {
		if n := len(m.report.Connections); i < n {
			out.Kept = append(out.Kept, m.report.Connections[i])
		} else {
			out.Unknown = append(out.Unknown, m.report.Unknown[i-n])
		}
	}
	out.Opened, out.Closed = about(m.changed.Gained, namespace), about(m.changed.Lost, namespace)
	unsure := about(m.changed.Unsure, namespace)
	out.Kept = without(without(out.Kept, out.Closed), unsure)
	out.Unknown = append(without(out.Unknown, unsure), unsure...)
	m.Git.Explain(out.Unknown)
	return out
}

// Differs returns the namespaces, sorted, of which the live state allows more or less than Git does; "" stands for all.
func (m *Moment) Differs() []string {
	seen := map[string]bool{}
	for _, list := range [][]reach.Connection{m.changed.Gained, m.changed.Lost, m.changed.Unsure} {
		for _, c := range list {
			for _, p := range []reach.Place{c.From, c.To} {
				if p.Any == "pod" {
					seen[""] = true
				}
				if m.Git.isTenant(p.Namespace) {
					seen[p.Namespace] = true
				}
			}
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// index finds the connections of a namespace in a report by their numbers; those that are unknown are numbered on from
// those that are not.
type index struct {
	named  map[string][]int
	anyPod []int // what any pod may do is everybody's
}

func indexOf(report reach.Report) index {
	out := index{named: map[string][]int{}}
	for i, c := range slices.Concat(report.Connections, report.Unknown) {
		if c.From.Any == "pod" || c.To.Any == "pod" {
			out.anyPod = append(out.anyPod, i)
			continue
		}
		for _, name := range ends(c) {
			out.named[name] = append(out.named[name], i)
		}
	}
	return out
}

func (x index) of(namespace string) []int {
	out := slices.Concat(x.named[namespace], x.anyPod)
	slices.Sort(out)
	return out
}

// ends returns the namespaces that a connection names, each once.
func ends(c reach.Connection) []string {
	var out []string
	for _, p := range []reach.Place{c.From, c.To} {
		if p.Namespace != "" && !slices.Contains(out, p.Namespace) {
			out = append(out, p.Namespace)
		}
	}
	return out
}

// about keeps the connections of which one end may be in a namespace.
func about(list []reach.Connection, namespace string) []reach.Connection {
	var out []reach.Connection
	for _, c := range list {
		if c.From.Any == "pod" || c.To.Any == "pod" || c.From.Namespace == namespace || c.To.Namespace == namespace {
			out = append(out, c)
		}
	}
	return out
}

// without takes the ports of some connections from others of the same ends.
func without(list, gone []reach.Connection) []reach.Connection {
	if len(gone) == 0 {
		return list
	}
	type pair struct{ from, to reach.Place }
	taken := map[pair]reach.Ports{}
	for _, c := range gone {
		key := pair{c.From, c.To}
		taken[key] = taken[key].Union(c.Set())
	}
	var out []reach.Connection
	for _, c := range list {
		if minus, is := taken[pair{c.From, c.To}]; is {
			left := c.Set().Minus(minus)
			if left.Empty() {
				continue
			}
			c.Ports = left.Rows()
		}
		out = append(out, c)
	}
	return out
}
