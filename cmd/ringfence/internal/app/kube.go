package app

import (
	"fmt"

	"k8s.io/client-go/rest"

	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Kube holds the typed clients that the program needs, of the groups that it needs; see [sync.Kube].
type Kube struct {
	core         *corev1.CoreV1Client
	coordination *coordinationv1.CoordinationV1Client
	apps         *appsv1.AppsV1Client
}

// NewKube returns clients of the API server that c reaches.
func NewKube(c *rest.Config) (*Kube, error) {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	var k Kube
	if k.core, err = corev1.NewForConfigAndClient(c, client); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	if k.coordination, err = coordinationv1.NewForConfigAndClient(c, client); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	if k.apps, err = appsv1.NewForConfigAndClient(c, client); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	return &k, nil
}

// CoreV1 returns the client of Namespaces, ConfigMaps and Events.
func (k *Kube) CoreV1() corev1.CoreV1Interface { return k.core }

// CoordinationV1 returns the client of Leases.
func (k *Kube) CoordinationV1() coordinationv1.CoordinationV1Interface { return k.coordination }

// AppsV1 returns the client of DaemonSets.
func (k *Kube) AppsV1() appsv1.AppsV1Interface { return k.apps }
