package drift

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Type says in what way Git and the cluster differ about one object.
type Type string

// The types of difference, as in metrics and in /api/v1/drift.
const (
	Missing  Type = "missing"  // Git has it, the cluster does not
	Modified Type = "modified" // both have it; a field differs, or was added
	Extra    Type = "extra"    // the cluster has it, Git does not
)

// Types returns every Type, for metrics that show a zero from the start.
func Types() []Type { return []Type{Missing, Modified, Extra} }

// Effect is what a difference does to traffic.
type Effect string

// The effects, as in metrics and in /api/v1/drift. What a difference does is said
// by package exposure; until it was asked, the effect is unknown.
const (
	Opens         Effect = "opens"   // the cluster allows connections that Git does not
	Closes        Effect = "closes"  // Git allows connections that the cluster does not
	Both          Effect = "both"    // some are opened, others closed
	None          Effect = "none"    // no connection is changed
	EffectUnknown Effect = "unknown" // it cannot be told, or depends on what is not known
)

// Effects returns every Effect, for metrics that show a zero from the start.
func Effects() []Effect { return []Effect{Opens, Closes, Both, None, EffectUnknown} }

// Exposure is the connections that differ between Git and the cluster, grouped
// and sorted as package reach does.
type Exposure struct {
	// Opens are allowed by the live state and not by Git.
	Opens []reach.Connection
	// Closes are allowed by Git and not by the live state.
	Closes []reach.Connection
	// Unsure have changed, and it is not known whether they are allowed.
	Unsure []reach.Connection
}

// Effect returns what the connections come to. What may have opened is never
// said to do less.
func (e Exposure) Effect() Effect {
	switch {
	case len(e.Opens) > 0 && len(e.Closes) > 0:
		return Both
	case len(e.Opens) > 0:
		return Opens
	case len(e.Unsure) > 0:
		return EffectUnknown
	case len(e.Closes) > 0:
		return Closes
	}
	return None
}

// Words says what is opened, closed and unsure, each with at most a few
// connections, the widest first: "opens any pod of any namespace →
// caas-acme/postgres 5432/TCP"; "" if nothing is. What a wider connection says
// too is left out: it is for people, not for counting.
func (e Exposure) Words() string {
	const most = 3
	var parts []string
	for _, part := range []struct {
		verb        string
		connections []reach.Connection
	}{{"opens ", e.Opens}, {"closes ", e.Closes}, {"may change ", e.Unsure}} {
		widest := reach.Widest(reach.Gather(part.connections))
		if len(widest) == 0 {
			continue
		}
		var texts []string
		for _, c := range widest[:min(len(widest), most)] {
			texts = append(texts, c.String())
		}
		text := part.verb + strings.Join(texts, ", ")
		if more := len(widest) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// With returns the connections of both; of equal ends the ports of both.
func (e Exposure) With(other Exposure) Exposure {
	return Exposure{
		Opens:  reach.JoinConnections(e.Opens, other.Opens),
		Closes: reach.JoinConnections(e.Closes, other.Closes),
		Unsure: reach.JoinConnections(e.Unsure, other.Unsure),
	}
}

// ID names one object: its kind, its namespace ("" if cluster-scoped) and name.
type ID struct {
	Kind      kinds.Kind
	Namespace string
	Name      string
}

// String returns the ID as people write it: "NetworkPolicy.networking.k8s.io
// caas-acme/deny-all".
func (id ID) String() string {
	kind := id.Kind.Kind
	if id.Kind.Group != "" {
		kind += "." + id.Kind.Group
	}
	if id.Namespace == "" {
		return kind + " " + id.Name
	}
	return kind + " " + id.Namespace + "/" + id.Name
}

// IDOf returns the ID of a rendered object. A cluster-scoped object has no
// namespace, whatever its metadata says.
func IDOf(o kustomize.Object) ID {
	id := ID{Kind: o.Kind, Name: o.GetName()}
	if o.Kind.Namespaced {
		id.Namespace = o.GetNamespace()
	}
	return id
}

// Field is one place at which Git and the cluster differ.
type Field struct {
	// Path is the place, as "spec.ingress[0].ports[1].port".
	Path string `json:"path"`
	// Want is what Git says; nil if Git says nothing.
	Want any `json:"want"`
	// Got is what the cluster holds; nil if it holds nothing.
	Got any `json:"got"`
}

// Steps returns the field names of the path, without list indices.
func (f Field) Steps() []string { return steps(f.Path) }

// Writer is a field manager that stands behind a difference.
type Writer struct {
	// Name is the manager's name in managedFields.
	Name string `json:"name"`
	// Operation is Apply or Update.
	Operation string `json:"operation"`
	// Time is when the manager last wrote; zero if the server does not say.
	Time time.Time `json:"time"`
}

// Difference is one object about which Git and the cluster differ.
type Difference struct {
	ID     ID
	Type   Type
	Effect Effect
	// Exposure is what the difference does to traffic, in connections; empty until
	// package exposure was asked.
	Exposure Exposure
	// Fields are the places that differ, sorted by path; for Missing and Extra
	// there are none: the whole object is the difference.
	Fields []Field
	// Writers are the field managers that hold the differing fields (for Extra:
	// all), the latest first. Empty if managedFields say nothing: nobody holds a
	// field that was taken away.
	Writers []Writer
	// Want is Git's side; nil for Extra.
	Want *Wanted
	// Got is the live object; nil for Missing. It must not be changed.
	Got *unstructured.Unstructured
	// Seen is when the live change behind the difference reached this process;
	// zero if it was there before (found while starting).
	Seen time.Time
}
