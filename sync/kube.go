package sync

import (
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Kube is what is asked of typed clients: ConfigMaps, Namespaces, Events and Leases. A kubernetes.Interface is one, but
// whoever holds that has the clients of every group in the binary, 15 MB that nothing calls.
type Kube interface {
	CoreV1() corev1.CoreV1Interface
	CoordinationV1() coordinationv1.CoordinationV1Interface
}
