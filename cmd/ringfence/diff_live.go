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
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/sync"
)

// diffPatience is how long a cluster may take to show everything.
const diffPatience = 60 * time.Second

// seen is what a cluster holds at one moment.
type seen struct {
	host    string // the API server's address
	cluster *drift.Cluster
	kube    *app.Kube
	rest    *rest.Config
	blind   []string // what of it cannot be seen
}

// look reads everything in a cluster that Ringfence guards.
func (c *connection) look(ctx context.Context) (*seen, error) {
	config, err := c.rest()
	if err != nil {
		return nil, err
	}
	silenceClient()
	config.QPS = -1 // one list for each kind: the API server's own fairness is enough
	s := &seen{host: config.Host, rest: config}
	clients := drift.ClusterConfig{Holder: permissions.Reader}
	if clients.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	served, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	clients.Discovery = served
	if clients.Metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	if s.kube, err = app.NewKube(config); err != nil {
		return nil, err
	}
	if _, err := served.ServerVersion(); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	if s.cluster, err = drift.Read(ctx, clients, diffPatience); err != nil {
		return nil, err
	}
	if s.blind = s.cluster.Blind(); len(s.blind) == 0 && !s.cluster.Synced() {
		s.blind = []string{"the cluster has not shown everything in time"}
	}
	return s, nil
}

// live reads the cluster. What of it cannot be seen is unknown, and nothing is then compared: an object that is not seen may be
// there all the same.
func (r *diffRequest) live(ctx context.Context, p *sync.PreviewConfig) (side diffSide, unknown []string, err error) {
	s, err := r.cluster.look(ctx)
	if err != nil {
		return side, nil, err
	}
	side.Cluster = s.host
	if len(s.blind) > 0 {
		return side, append(s.blind, "nothing is compared: what cannot be seen may be there all the same"), nil
	}
	return side, r.into(ctx, s, p), nil
}

// into compares with what was seen, and says what cannot be known.
func (r *diffRequest) into(ctx context.Context, s *seen, p *sync.PreviewConfig) (unknown []string) {
	p.Cluster, p.Kube = s.cluster, s.kube
	_, err := s.kube.CoreV1().ConfigMaps(p.Namespace).Get(ctx, sync.StateName, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		p.Kube = nil
		return []string{fmt.Sprintf("what was applied before cannot be read, so that what has left Git is told as extra: %v", permissions.Explain(permissions.Reader, err))}
	}
	return nil
}
