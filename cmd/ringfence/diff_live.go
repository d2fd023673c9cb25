package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sync"
)

// diffPatience is how long a cluster may take to show everything.
const diffPatience = 60 * time.Second

// live reads the cluster. What of it cannot be seen is unknown, and nothing is then compared: an object that is not seen may be
// there all the same.
func (r *diffRequest) live(ctx context.Context, p *sync.PreviewConfig) (side diffSide, unknown []string, err error) {
	config, err := r.cluster.rest()
	if err != nil {
		return side, nil, err
	}
	silenceClient()
	config.QPS = -1 // one list for each kind: the API server's own fairness is enough
	side.Cluster = config.Host
	c := drift.ClusterConfig{}
	if c.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return side, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	served, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return side, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	c.Discovery = served
	if c.Metadata, err = metadata.NewForConfig(config); err != nil {
		return side, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	kube, err := app.NewKube(config)
	if err != nil {
		return side, nil, err
	}
	if _, err := served.ServerVersion(); err != nil {
		return side, nil, fmt.Errorf("reaching the API server: %w", err)
	}
	cluster, err := drift.Read(ctx, c, diffPatience)
	if err != nil {
		return side, nil, err
	}
	if unknown = cluster.Blind(); len(unknown) > 0 || !cluster.Synced() {
		return side, append(unknown, "nothing is compared: what cannot be seen may be there all the same"), nil
	}
	p.Cluster, p.Kube = cluster, kube
	_, err = kube.CoreV1().ConfigMaps(p.Namespace).Get(ctx, sync.StateName, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		p.Kube = nil
		unknown = []string{fmt.Sprintf("what was applied before cannot be read, so that what has left Git is told as extra: %v", err)}
	}
	return side, unknown, nil
}
