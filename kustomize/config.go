package kustomize

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Defaults of Config's and Limits' zero values.
const (
	DefaultTenants      = "overlays/*"
	DefaultCluster      = "overlays/cluster"
	DefaultGuard        = "base/guard"
	DefaultOwnNamespace = "ringfence-system"

	DefaultFileBytes        = 1 << 20
	DefaultYAMLDepth        = 64
	DefaultYAMLAliases      = 100
	DefaultObjectsPerTenant = 500
	DefaultRenderTime       = 10 * time.Second
)

// Config says how a policy repository is laid out and what its overlays may hold.
// Its fields are those of `layout:` and `limits:` in ringfence.yaml.
type Config struct {
	// Tenants is the glob (path.Match, per path element) of tenant overlays' folders;
	// "" means DefaultTenants. The cluster overlay and the guard are never among them.
	Tenants string
	// Cluster is the folder of the cluster overlay, which need not exist; "" means
	// DefaultCluster.
	Cluster string
	// Guard is the folder of the guard. "" means DefaultGuard if that folder exists, and
	// no guard otherwise; a folder named here must exist, or every tenant is refused.
	Guard string
	// Namespaces are globs, one of which a tenant's namespace must match; empty means all.
	// kube-*, default, calico-*, tigera-* and OwnNamespace never match.
	Namespaces []string
	// NamespaceLabels are label keys, or globs of them ("*" matches a slash too), that
	// overlays may set on their Namespace; nil means all. Keys under ringfence.dev/,
	// kubernetes.io/ and k8s.io/ and their subdomains must be named in full.
	NamespaceLabels []string
	// TenantTiers are the Calico tiers that tenant overlays may use; nil means
	// "default". The guard may use any.
	TenantTiers []string
	// Selector returns what is wrong with the syntax of a selector of Calico's, nil if
	// nothing is. It may be called concurrently. nil: syntax is not checked, and what Calico
	// cannot read may select every pod.
	Selector func(text string) error
	// TierPrefix is true for Calico up to 3.31, which takes no policy outside the tier
	// default whose name does not begin with its tier.
	TierPrefix bool
	// Limits bound what one overlay may cost; zero values mean the defaults.
	Limits Limits
	// Owner returns the folder of the overlay that owned a namespace in the last applied
	// revision. It must not block and may be called at any time during Render, from one
	// goroutine. nil means that nobody owned anything.
	Owner func(namespace string) (overlay string, ok bool)
	// OwnNamespace is Ringfence's own namespace, never a tenant's; "" means
	// DefaultOwnNamespace.
	OwnNamespace string
	// Workers is the number of overlays that are rendered at once; 0 or less means GOMAXPROCS.
	Workers int
	// TenantMay are the settings that a Tenant object in an overlay may make: of MayMode, MaySuspend and
	// MayAdoptExtras. Default none.
	TenantMay []string
	// Metrics, if not nil, are counted into.
	Metrics *Metrics
}

// Limits bound what one overlay (the guard included, on its own) may cost. Zero
// means the default, negative means no limit.
type Limits struct {
	// FileBytes is the largest size of one file, in bytes; default 1 MiB.
	FileBytes int64
	// YAMLDepth is the deepest nesting of YAML collections; default 64.
	YAMLDepth int
	// YAMLAliases is the largest number of YAML aliases in one file; default 100. What
	// they expand to is bounded besides (see maxExpandedNodes).
	YAMLAliases int
	// ObjectsPerTenant is the largest number of objects of an overlay; default 500. kustomize needs
	// time in proportion to its square: about 2 s for 500, 8 s for 1,000.
	ObjectsPerTenant int
	// RenderTime is the longest time that one overlay may take; default 10 s.
	RenderTime time.Duration
}

// Renderer renders trees. It may be used by several goroutines at once.
type Renderer struct {
	cfg           Config
	explicitGuard bool
	stencils      stencils

	mu     sync.Mutex       // guards what follows; the maps themselves are not changed
	units  map[string]*unit // of the last Render, by folder
	guards map[string]*unit // of the last Render, by namespace
}

// New returns a renderer, or an error that names every fault of the configuration.
func New(cfg Config) (*Renderer, error) {
	r := &Renderer{explicitGuard: cfg.Guard != "", stencils: stencils{known: map[[sha256.Size]byte]*stencil{}}}
	setDefaults(&cfg)
	r.cfg = cfg

	var errs []error
	for _, f := range []struct{ name, value string }{
		{"tenants", cfg.Tenants}, {"cluster", cfg.Cluster}, {"guard", cfg.Guard},
	} {
		if err := checkFolder(f.value, f.name == "tenants"); err != nil {
			errs = append(errs, fmt.Errorf("layout.%s: %w", f.name, err))
		}
	}
	if cfg.Cluster == cfg.Guard {
		errs = append(errs, fmt.Errorf("layout.guard: %q is the cluster overlay", cfg.Guard))
	}
	errs = append(errs, checkGlobs("layout.namespaces", cfg.Namespaces)...)
	errs = append(errs, checkGlobs("layout.namespaceLabels", cfg.NamespaceLabels)...)
	for i, t := range cfg.TenantTiers {
		if t == "" || strings.ContainsAny(t, ".*?[/ ") {
			errs = append(errs, fmt.Errorf("layout.tenantTiers[%d]: %q is not the name of a tier", i, t))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("checking the layout: %w", err)
	}
	return r, nil
}

func setDefaults(cfg *Config) {
	setDefault(&cfg.Tenants, DefaultTenants)
	setDefault(&cfg.Cluster, DefaultCluster)
	setDefault(&cfg.Guard, DefaultGuard)
	setDefault(&cfg.OwnNamespace, DefaultOwnNamespace)
	setDefault(&cfg.Limits.FileBytes, DefaultFileBytes)
	setDefault(&cfg.Limits.YAMLDepth, DefaultYAMLDepth)
	setDefault(&cfg.Limits.YAMLAliases, DefaultYAMLAliases)
	setDefault(&cfg.Limits.ObjectsPerTenant, DefaultObjectsPerTenant)
	setDefault(&cfg.Limits.RenderTime, DefaultRenderTime)
	if len(cfg.Namespaces) == 0 {
		cfg.Namespaces = []string{"*"}
	}
	if cfg.NamespaceLabels == nil {
		cfg.NamespaceLabels = []string{"*"}
	}
	if cfg.TenantTiers == nil {
		cfg.TenantTiers = []string{"default"}
	}
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// checkFolder says what is wrong with a folder, or a glob of folders, of the
// layout.
func checkFolder(p string, glob bool) error {
	switch {
	case path.IsAbs(p) || strings.Contains(p, `\`):
		return fmt.Errorf("%q is not a path relative to the repository, with slashes", p)
	case p == "." || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return fmt.Errorf("%q is not a plain path of a folder inside the repository", p)
	case glob && strings.Contains(p, "**"):
		return fmt.Errorf(`%q: "**" is not known; write one "*" for each folder`, p)
	case !glob && strings.ContainsAny(p, "*?["):
		return fmt.Errorf("%q names one folder and cannot be a glob", p)
	}
	if _, err := path.Match(p, ""); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return nil
}

func checkGlobs(field string, globs []string) (errs []error) {
	for i, g := range globs {
		if g == "" {
			errs = append(errs, fmt.Errorf("%s[%d]: a glob cannot be empty", field, i))
		} else if _, err := path.Match(g, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %q: %w", field, i, g, err))
		}
	}
	return errs
}
