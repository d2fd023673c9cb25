package calico

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
)

// The rank of projectcalico.org/v3 on a Calico cluster (manifests/apiserver.yaml).
// Definitions' groups have 1000 and 100.
const (
	groupPriority   = 1500
	versionPriority = 200
)

// Prefer makes aggregated discovery, which kubectl reads, name
// projectcalico.org before crd.projectcalico.org, so that "kubectl get tiers"
// means what it means on any Calico cluster. It must be called before the API
// server runs.
//
// A group has the highest rank of any of its versions. The rank is therefore
// given to a version that no definition has: those of definitions are set again
// whenever one of them changes.
func Prefer(m aggregated.ResourceManager) {
	m.WithSource(aggregated.AggregatorSource).SetGroupVersionPriority(
		metav1.GroupVersion{Group: publicGroup, Version: "v0"}, groupPriority, versionPriority)
}

// registration does for unaggregated discovery what Prefer does for the other:
// it is the APIService of Calico's API server without the server. The API
// server registers definitions' groups by itself, all equal in rank, but leaves
// what it finds.
func registration() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": publicPath + "." + publicGroup},
		"spec":       map[string]any{"group": publicGroup, "version": publicPath, "groupPriorityMinimum": int64(groupPriority), "versionPriority": int64(versionPriority)},
	}}
}
