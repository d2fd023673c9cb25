package sync

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// inhabitants returns the policies that are live in a tier, sorted.
func inhabitants(cluster *drift.Cluster, tier string) (out []drift.ID) {
	for _, namespace := range append(cluster.Namespaces(), "") {
		for _, o := range cluster.In(namespace) {
			if !o.ID.Kind.Tiered {
				continue
			}
			if in, _, _ := unstructured.NestedString(o.Object, "spec", "tier"); in == tier {
				out = append(out, o.ID)
			}
		}
	}
	slices.SortFunc(out, func(a, b drift.ID) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// mustEmpty says whether a step removes a tier of which other units are yet to remove their policies: it waits for them.
// Whoever is left in it then is named by the refusal; see [writer.occupied].
func (r *round) mustEmpty(s *step) bool {
	id := s.difference.ID
	if !s.remove || id.Kind != kinds.Tier || r.out.turn >= allOpen || r.world.barrier.alone(r.target.name) {
		return false
	}
	return slices.ContainsFunc(inhabitants(r.engine.cluster, id.Name), func(policy drift.ID) bool {
		return !slices.ContainsFunc(r.steps, func(own step) bool { return own.difference.ID == policy })
	})
}

// occupied says of a tier that cannot be removed which policies are in it.
func (w *writer) occupied(id drift.ID, err error) error {
	if id.Kind != kinds.Tier || drift.RefusalOf(err) != drift.RefusalOccupied {
		return err
	}
	var names []string
	const most = 5
	all := inhabitants(w.cluster, id.Name)
	for _, policy := range all[:min(len(all), most)] {
		names = append(names, policy.String())
	}
	if more := len(all) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) == 0 {
		return fmt.Errorf("%w (hint: it goes once no policy is in it)", err)
	}
	return fmt.Errorf("%w (hint: it goes once no policy is in it; there are %s)", err, strings.Join(names, ", "))
}
