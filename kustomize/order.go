package kustomize

import (
	"cmp"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// rank gives the place of a kind: Namespace, then the guarded kinds in the order of
// their table, but Tier before the policies that live in tiers, then all else.
func rank(gk schema.GroupKind) int {
	switch gk {
	case kinds.Namespace.GroupKind():
		return -2
	case kinds.Tier.GroupKind():
		return -1
	}
	guarded := kinds.Guarded()
	for i, k := range guarded {
		if k.GroupKind() == gk {
			return i
		}
	}
	return len(guarded)
}

func compareObjects(a, b Object) int {
	ak, bk := a.Kind.GroupKind(), b.Kind.GroupKind()
	return cmp.Or(
		cmp.Compare(rank(ak), rank(bk)),
		cmp.Compare(ak.Group, bk.Group), cmp.Compare(ak.Kind, bk.Kind),
		cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetNamespace(), b.GetNamespace()),
	)
}
