package sync

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// Mode says what is done about differences.
type Mode string

// The modes.
const (
	// Correct writes new revisions and undoes drift.
	Correct Mode = "correct"
	// Report writes new revisions and only reports drift.
	Report Mode = "report"
	// Observe writes nothing at all, the state and Events included, and reports
	// every difference as drift.
	Observe Mode = "observe"
)

// Rendered is one revision, rendered.
type Rendered struct {
	// Rendering holds the tenants and the cluster overlay.
	Rendering *kustomize.Rendering
	// Expect are globs of namespaces that must be fenced.
	Expect []string
	// Network is what policies need to know of the cluster's network.
	Network exposure.Network
	// TenantMay names the settings that overlays may make for themselves, as
	// kustomize.Config does: what an earlier revision allowed ends with it.
	TenantMay []string
	// Ignore are the differences that do not count.
	Ignore []drift.IgnoreRule
	// DeleteExtra: extra objects that only open are deleted, and not only reported.
	DeleteExtra bool
	// Field says where a field of a rendered object is written; see kustomize.Renderer.Field. Nil means that only the object's
	// own place is known.
	Field func(overlay string, o kustomize.Object, way ...any) kustomize.Problem
	// Guard renders the guard of this revision for any namespace.
	Guard func(ctx context.Context, namespace string) ([]kustomize.Object, error)
}

// Renderer turns a snapshot into objects. An error means that nothing can be
// said about the revision as a whole; faults of one overlay are in the result.
// It is called by one goroutine at a time.
type Renderer interface {
	Render(ctx context.Context, s *sources.Snapshot) (*Rendered, error)
}

// Source gives the revisions that are needed again after a restart.
type Source interface {
	// At returns the snapshot of an older commit.
	At(ctx context.Context, commit string) (*sources.Snapshot, error)
	// SetFloor names the commit from which whatever is polled must descend.
	SetFloor(commit string)
	// Trailers returns the lines of a key in the messages of the commits of newest's history that are not in base's.
	Trailers(ctx context.Context, base, newest, key string) ([]sources.Trailer, error)
}

// PruneLimit bounds what may be removed within one hour. Zero means that
// nothing may; negative means no limit.
type PruneLimit struct {
	// Objects counts objects that leave tenants which stay, and objects of the
	// cluster overlay.
	Objects int
	// Tenants counts tenants that leave.
	Tenants int
}

// Config wires an Engine.
type Config struct {
	// Dynamic reads and writes the objects of Git. Required, and of the same cluster as
	// the three clients below.
	Dynamic dynamic.Interface
	// Discovery says which kinds the cluster serves. Required.
	Discovery discovery.DiscoveryInterface
	// Metadata watches which kinds are defined. Required.
	Metadata metadata.Interface
	// Kube reads and writes the state, and writes Events. Required.
	Kube Kube
	// Renderer turns snapshots into objects. Required.
	Renderer Renderer
	// Source gives the revisions that are needed again after a restart. Required.
	Source Source
	// Instance is the instance's name; "" means "default". The field manager is
	// "ringfence" for it and "ringfence-<instance>" for others.
	Instance string
	// Namespace holds the state; "" means "ringfence-system". It is made if it
	// does not exist.
	Namespace string
	// Mode is Correct if "".
	Mode Mode
	// Workers is the number of tenants that are worked on at once; 0 means 8.
	Workers int
	// MaxPrune bounds removals; the zero value allows none.
	MaxPrune PruneLimit
	// Freeze are the windows in which no new revision is applied.
	Freeze []Freeze
	// BreakGlass is how long the annotation ringfence.dev/break-glass may keep a
	// tenant's drift from being corrected, from first sight and within 24 hours; 0
	// means that nobody looks at it.
	BreakGlass time.Duration
	// Audit is when the watches are compared with fresh lists; nil means never.
	Audit cron.Schedule
	// Rush is told when many tenants are due at once, and when that is over, by turns; nil means that nobody asks.
	Rush func(begins bool)
	// Metrics are counted into; nil means that nobody looks.
	Metrics *Metrics
	// DriftMetrics are those of the comparison; nil means that nobody looks.
	DriftMetrics *drift.Metrics
	// Log gets new revisions, drift and what cannot be done; nil means nowhere.
	Log *slog.Logger
}

func (c *Config) complete() error {
	if c.Dynamic == nil || c.Discovery == nil || c.Metadata == nil || c.Kube == nil || c.Renderer == nil || c.Source == nil {
		return errors.New("sync.New: Dynamic, Discovery, Metadata, Kube, Renderer and Source are required")
	}
	if c.Instance == "" {
		c.Instance = "default"
	}
	if c.Namespace == "" {
		c.Namespace = "ringfence-system"
	}
	if c.Mode == "" {
		c.Mode = Correct
	}
	if c.Workers == 0 {
		c.Workers = 8
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.DriftMetrics == nil {
		c.DriftMetrics = drift.NewMetrics(nil)
	}
	for _, f := range c.Freeze {
		if f.Start == nil || f.Duration <= 0 {
			return errors.New("sync.New: each Freeze needs a Start and a Duration")
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// manager returns the field manager of the instance.
func (c *Config) manager() string {
	if c.Instance == "default" {
		return "ringfence"
	}
	return "ringfence-" + c.Instance
}

// retryMax is the longest pause between two tries of a tenant that fails.
const retryMax = 2 * time.Minute
