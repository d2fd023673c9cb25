package sync

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// groupings are names of objects, as drift.ID says them, sorted. In JSON they are grouped by the namespaces that have the
// same: a change of a base that removes a policy from a thousand tenants is one line and not a thousand.
type groupings []string

type grouping struct {
	In  []string `json:"in,omitempty"` // none: cluster-scoped
	Are []string `json:"are"`          // kind and name
}

// MarshalJSON implements json.Marshaler.
func (g groupings) MarshalJSON() ([]byte, error) {
	byNamespace := map[string][]string{}
	for _, name := range g {
		namespace, rest := cutNamespace(name)
		byNamespace[namespace] = append(byNamespace[namespace], rest)
	}
	alike := map[string]*grouping{}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		if namespace == "" {
			alike[""] = &grouping{Are: byNamespace[""]}
			continue
		}
		key := strings.Join(byNamespace[namespace], "\n")
		if alike[key] == nil {
			alike[key] = &grouping{Are: byNamespace[namespace]}
		}
		alike[key].In = append(alike[key].In, namespace)
	}
	out := make([]*grouping, 0, len(alike))
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		out = append(out, alike[key])
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (g *groupings) UnmarshalJSON(text []byte) error {
	var groups []grouping
	if err := json.Unmarshal(text, &groups); err != nil {
		return err
	}
	*g = nil
	for _, group := range groups {
		for _, what := range group.Are {
			if len(group.In) == 0 {
				*g = append(*g, what)
			}
			kind, name, _ := strings.Cut(what, " ")
			for _, namespace := range group.In {
				*g = append(*g, kind+" "+namespace+"/"+name)
			}
		}
	}
	slices.Sort(*g)
	return nil
}

// cutNamespace takes the namespace out of an object's name; "" if it has none.
func cutNamespace(name string) (namespace, rest string) {
	kind, path, _ := strings.Cut(name, " ")
	namespace, base, namespaced := strings.Cut(path, "/")
	if !namespaced {
		return "", name
	}
	return namespace, kind + " " + base
}
