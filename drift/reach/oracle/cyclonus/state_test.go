package cyclonus

import (
	"fmt"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func namespaces() []string { return []string{"x", "y", "z"} }

// newState makes the pods that Cyclonus' command makes by default, in a pretended cluster of its own.
func newState(t *testing.T) *connectivity.TestCaseState {
	t.Helper()
	cluster := kube.NewMockKubernetes(1)
	protocols := []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
	resources, err := probe.NewDefaultResources(
		cluster, namespaces(), []string{"a", "b", "c"}, []int{80, 81}, protocols, nil, 5, false, "registry.k8s.io")
	require.NoError(t, err)
	return &connectivity.TestCaseState{Kubernetes: cluster, Resources: resources}
}

// apply does what an action of a case says.
func apply(state *connectivity.TestCaseState, a *generator.Action) error {
	switch {
	case a.CreatePolicy != nil:
		return state.CreatePolicy(a.CreatePolicy.Policy)
	case a.UpdatePolicy != nil:
		return state.UpdatePolicy(a.UpdatePolicy.Policy)
	case a.DeletePolicy != nil:
		return state.DeletePolicy(a.DeletePolicy.Namespace, a.DeletePolicy.Name)
	case a.CreateNamespace != nil:
		return state.CreateNamespace(a.CreateNamespace.Namespace, a.CreateNamespace.Labels)
	case a.SetNamespaceLabels != nil:
		return state.SetNamespaceLabels(a.SetNamespaceLabels.Namespace, a.SetNamespaceLabels.Labels)
	case a.DeleteNamespace != nil:
		return state.DeleteNamespace(a.DeleteNamespace.Namespace)
	case a.CreatePod != nil:
		return state.CreatePod(a.CreatePod.Namespace, a.CreatePod.Pod, a.CreatePod.Labels)
	case a.SetPodLabels != nil:
		return state.SetPodLabels(a.SetPodLabels.Namespace, a.SetPodLabels.Pod, a.SetPodLabels.Labels)
	case a.DeletePod != nil:
		return state.DeletePod(a.DeletePod.Namespace, a.DeletePod.Pod)
	}
	return fmt.Errorf("applying an action: it is of no known kind: %+v", a)
}

// twin is the suffix of a pod's double, to which the pod's connections to itself are asked about.
const twin = "-twin"

// objectsOf returns a state as objects, by kind, namespace and name.
func objectsOf(t *testing.T, state *connectivity.TestCaseState) map[string]reach.Object {
	t.Helper()
	out := map[string]reach.Object{}
	add := func(apiVersion, kind string, object any) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		require.NoError(t, err)
		content["apiVersion"], content["kind"] = apiVersion, kind
		meta := content["metadata"].(map[string]any)
		out[fmt.Sprint(kind, " ", meta["namespace"], "/", meta["name"])] = reach.Object{Content: content}
	}
	for name, labels := range state.Resources.Namespaces {
		add("v1", "Namespace", probe.KubeNamespace(name, labels))
	}
	for _, p := range state.Resources.Pods {
		pod := p.KubePod()
		pod.Status.PodIP = p.IP
		add("v1", "Pod", pod)
		double := pod.DeepCopy()
		double.Name += twin
		add("v1", "Pod", double)
	}
	for _, p := range state.Policies {
		add("networking.k8s.io/v1", "NetworkPolicy", p)
	}
	return out
}
