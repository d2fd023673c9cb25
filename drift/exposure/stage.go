package exposure

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
)

// Stage is a scene that is made ready for asking what any mixture of its two sides lets through: some differences as they
// are live, others as Git wants them, others as something in between. All worlds of one Stage have the same workloads, so
// that their connectivities can be compared. It is used by one goroutine.
type Stage struct {
	suit *suit
	key  string
}

// Stage makes a scene and its differences ready. The error concerns the network's description alone.
func (j *Judge) Stage(s *Scene, differences []drift.Difference) (*Stage, error) {
	c, err := newSuit(j, s, differences, true)
	if err != nil {
		return nil, err
	}
	if s.Namespace != "" && len(c.forced) == 0 {
		c.around = append(c.around, othersMay(s.Namespace)...)
	}
	return &Stage{suit: c, key: c.key()}, nil
}

// othersMay lets every pod outside a namespace open and accept everything, before any other policy is asked. What a unit's
// side allows must not depend on the other side: a cluster-scoped policy that keeps the peers from something now may be
// overruled there, or change.
func othersMay(namespace string) []reach.Object {
	const tier, first = "ringfence-others-may", -1e300
	allow := []any{map[string]any{"action": "Allow"}}
	return []reach.Object{
		Live(map[string]any{
			"apiVersion": "projectcalico.org/v3", "kind": "Tier",
			"metadata": map[string]any{"name": tier}, "spec": map[string]any{"order": first, "defaultAction": "Pass"},
		}),
		Live(map[string]any{
			"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy",
			"metadata": map[string]any{"name": tier + ".all"},
			"spec": map[string]any{
				"tier": tier, "selector": "projectcalico.org/namespace != '" + namespace + "'",
				"types": []any{"Ingress", "Egress"}, "ingress": allow, "egress": allow,
			},
		}),
	}
}

// Key returns a text that is equal for stages of which the same can be said, but for the name of the namespace.
func (s *Stage) Key() string { return s.key }

// Partial reports whether there are more kinds of tenants than are looked at, so that what seems to concern nobody may
// concern some.
func (s *Stage) Partial() bool { return s.suit.partial }

// Widen returns connections in which a namespace that was looked at for many of its kind is any other namespace.
func (s *Stage) Widen(connections []reach.Connection) []reach.Connection {
	if len(s.suit.exemplary) == 0 || len(connections) == 0 {
		return connections
	}
	out := slices.Clone(connections)
	for i := range out {
		for _, place := range []*reach.Place{&out[i].From, &out[i].To} {
			if s.suit.exemplary[place.Namespace] {
				place.Namespace = anyOther
			}
		}
	}
	return reach.JoinConnections(out, out[:1]) // sorted, and of equal ends one
}

// Live returns the world in which every difference stands.
func (s *Stage) Live() (*reach.World, error) { return s.side(true) }

// Git returns the world in which none does.
func (s *Stage) Git() (*reach.World, error) { return s.side(false) }

func (s *Stage) side(live bool) (*reach.World, error) {
	if s.suit.cast == nil {
		if err := s.suit.castAll(); err != nil {
			return nil, err
		}
	}
	return s.suit.open(s.suit.objects(func(int) bool { return live }))
}

// Change returns what makes the object of a difference what content says, in a world of this Stage; nil means that the
// object is gone. Of a Namespace the labels alone matter.
func (s *Stage) Change(d drift.Difference, content *unstructured.Unstructured) reach.Change {
	switch {
	case isNamespace(d.ID) && content == nil:
		return reach.Change{Object: NamespaceObject(d.ID.Name, s.suit.labels[0])} // one that is yet to come
	case isNamespace(d.ID):
		return reach.Change{Object: NamespaceObject(d.ID.Name, content.GetLabels())}
	case content != nil:
		return reach.Change{Object: Live(content.Object)}
	case d.Got != nil:
		return reach.Change{Object: Live(d.Got.Object), Removed: true}
	}
	return reach.Change{Object: Live(d.Want.Object.Object), Removed: true}
}

// Renamed returns connections with one namespace called by another's name: what holds of a stage holds of one with the
// same key.
func Renamed(connections []reach.Connection, from, to string) []reach.Connection {
	if from == to {
		return connections
	}
	return rename(connections, from, to)
}
