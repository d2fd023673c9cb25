package api

import (
	"context"
	"errors"

	"github.com/ringfence/ringfence/sync"
)

// Overview is everything that the daemon says of its tenants.
type Overview struct {
	Status   Status   `json:"status"`
	Cluster  *Tenant  `json:"cluster"`  // the cluster overlay; nil if there is none
	Tenants  []Tenant `json:"tenants"`  // sorted by name
	Unfenced []string `json:"unfenced"` // namespaces that should be fenced and are no tenant's
}

// Overview asks for the whole, the tenants and the cluster overlay.
func (c *Client) Overview(ctx context.Context) (o Overview, err error) {
	if o.Status, err = c.Status(ctx); err != nil {
		return Overview{}, err
	}
	if o.Tenants, err = c.Tenants(ctx); err != nil {
		return Overview{}, err
	}
	if o.Unfenced, err = c.Unfenced(ctx); err != nil {
		return Overview{}, err
	}
	cluster, err := c.Tenant(ctx, ClusterOverlay)
	switch {
	case err == nil:
		o.Cluster = &cluster
	case !errors.Is(err, ErrNoTenant):
		return Overview{}, err
	}
	return o, nil
}

// All returns every tenant, the cluster overlay first.
func (o Overview) All() []Tenant {
	if o.Cluster == nil {
		return o.Tenants
	}
	return append([]Tenant{*o.Cluster}, o.Tenants...)
}

// NotSynced returns the tenants that are not equal to Git, the cluster overlay first.
func (o Overview) NotSynced() (out []Tenant) {
	for _, t := range o.All() {
		if t.State != sync.Synced {
			out = append(out, t)
		}
	}
	return out
}

// InOrder reports whether every tenant is equal to Git, the cluster overlay is, and no overlay was refused before its
// tenant could be known.
func (o Overview) InOrder() bool { return len(o.NotSynced()) == 0 && len(o.Status.Refused) == 0 }
