package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// RepositoryFile is the name of the Repository's file at the root of a policy
// repository.
const RepositoryFile = "ringfence.yaml"

// Repository is ringfence.yaml with every default filled in. Get one from
// ParseRepository, DefaultRepository or Daemon.Merge; it is read-only from then
// on, and lists and maps are shared between copies.
type Repository struct {
	// Layout says where overlays are and what they may hold.
	Layout Layout `key:"layout"`
	// Network describes the cluster's network, for who can reach whom.
	Network Network `key:"network"`
	// Gate says what holds a tenant's new revision back.
	Gate Gate `key:"gate"`
	// Lint adjusts the rules of lint.
	Lint Lint `key:"lint"`
	// Drift says what is done about differences.
	Drift RepositoryDrift `key:"drift"`
	// Limits bound what one revision may cost.
	Limits Limits `key:"limits"`

	guardGiven bool
	pins       []string
}

// Layout is the "layout" section.
type Layout struct {
	// Tenants is a glob of folders, one per tenant (path.Match, relative to the
	// root, default "overlays/*"). A folder that is the cluster overlay or the
	// guard is no tenant even if it matches.
	Tenants string `key:"tenants" format:"folderGlob"`
	// Cluster is the folder of the cluster overlay (default kustomize.DefaultCluster,
	// used if it exists).
	Cluster string `key:"cluster" format:"folder"`
	// Guard is the folder of the guard (default "base/guard", used if it exists).
	// One that is named in a file must exist: see GuardRequired.
	Guard string `key:"guard" format:"folder"`
	// Namespaces are globs (path.Match), one of which a tenant's namespace must
	// match; default every one.
	Namespaces []string `key:"namespaces" format:"nameGlob" min:"1"`
	// Expect are globs of the namespaces that must be fenced; default none.
	Expect []string `key:"expect" format:"nameGlob"`
	// NamespaceLabels are globs of the label keys that an overlay may set on its
	// Namespace (default every one). Keys under ringfence.dev/, kubernetes.io/ and
	// k8s.io/ must be named in full.
	NamespaceLabels []string `key:"namespaceLabels" format:"glob"`
	// TenantTiers are the Calico tiers that a tenant overlay's policies may be in
	// (default "default").
	TenantTiers []string `key:"tenantTiers" format:"dnsLabel"`
	// TenantMay lists the settings that a Tenant object in an overlay may set.
	TenantMay []string `key:"tenantMay" enum:"mode|suspend|adoptExtras"`
	// AllowedKinds are kinds that overlays may hold beside the guarded ones.
	AllowedKinds []AllowedKind `key:"allowedKinds"`
}

// AllowedKind is an entry of layout.allowedKinds.
type AllowedKind struct {
	// Group is the API group, "" for the core one.
	Group string `key:"group" format:"group"`
	// Kind is the kind's name, as in manifests.
	Kind string `key:"kind" is:"required" format:"kind"`
	// Scope is Namespaced or Cluster.
	Scope string `key:"scope" is:"required" enum:"Namespaced|Cluster"`
}

// Network is the "network" section.
type Network struct {
	// PodCIDRs are the ranges that pods get addresses of (default the private
	// ranges and 100.64.0.0/10).
	PodCIDRs []netip.Prefix `key:"podCIDRs" format:"cidr" min:"1"`
	// ServiceCIDRs are the ranges of cluster IPs; default none known.
	ServiceCIDRs []netip.Prefix `key:"serviceCIDRs" format:"cidr"`
	// NodeCIDRs are the ranges of the nodes' own addresses; default none known.
	NodeCIDRs []netip.Prefix `key:"nodeCIDRs" format:"cidr"`
	// DNS says where the cluster's name servers run.
	DNS DNS `key:"dns"`
	// CalicoVersion is the Calico version whose semantics hold, "3.31" for
	// example, or "auto": what the cluster says, where one can be asked.
	CalicoVersion string `key:"calicoVersion" format:"calicoVersion"`
}

// DNS is the "network.dns" section: the pods that answer DNS.
type DNS struct {
	// Namespace is where they run (default kube-system).
	Namespace string `key:"namespace" format:"dnsLabel"`
	// Labels select them (default k8s-app: kube-dns).
	Labels map[string]string `key:"labels" keys:"labelKey" format:"labelValue" min:"1"`
}

// Gate is the "gate" section.
type Gate struct {
	// Lint is the severity of findings from which on a revision is held back:
	// off, warning or error (default).
	Lint string `key:"lint" enum:"off|warning|error"`
	// Tests says whether failing policy tests hold a revision back: off or
	// required (default).
	Tests string `key:"tests" enum:"off|required"`
}

// Lint is the "lint" section.
type Lint struct {
	// Disable lists rules that are not run.
	Disable []string `key:"disable" format:"name"`
	// Severity gives rules another severity: off, warning or error.
	Severity map[string]string `key:"severity" keys:"name" enum:"off|warning|error"`
}

// RepositoryDrift is the "drift" section of ringfence.yaml; that of the
// daemon's file may pin it and has keys of its own (Drift).
type RepositoryDrift struct {
	// Extra says what is done about guarded objects that are not in Git: report
	// (default), or delete.
	Extra string `key:"extra" enum:"report|delete"`
	// Ignore lists differences that are listed as ignored, neither corrected nor
	// counted as drift.
	Ignore []Ignore `key:"ignore"`
}

// Ignore is an entry of drift.ignore; the keys that are given must all match.
type Ignore struct {
	// Group is the API group of the object.
	Group string `key:"group" format:"group"`
	// Kind is the kind of the object: a guarded one, or Namespace.
	Kind string `key:"kind" is:"required" format:"kind"`
	// Namespace is a glob of the object's namespace, "" for cluster-scoped kinds.
	Namespace string `key:"namespace" format:"nameGlob"`
	// Name is a glob of the object's name.
	Name string `key:"name" is:"required" format:"nameGlob"`
	// Reason says why, for people.
	Reason string `key:"reason" is:"required"`
	// SpecHash is the hash of the one spec that is ignored even if it opens, as
	// drift.SpecHash makes it.
	SpecHash string `key:"specHash" format:"sha256"`
}

// Limits is the "limits" section. Past a limit the overlay concerned (for
// TreeBytes and Files: the revision) is refused with a clear error. Negative means
// no limit; 0 is refused. The defaults are those of packages sources and
// kustomize. A daemon holds a revision against TreeBytes and Files of its own file (or
// their defaults) before it can read ringfence.yaml, which can only lower them; see
// Daemon.Sources and CheckTree.
type Limits struct {
	// TreeBytes bounds the sum of the sizes of all files of a revision, as a
	// number of bytes or with a suffix (default 64Mi).
	TreeBytes Bytes `key:"treeBytes"`
	// Files bounds the number of files and folders of a revision (default 20000).
	Files int `key:"files"`
	// FileBytes bounds the size of one file that is read (default 1Mi).
	FileBytes Bytes `key:"fileBytes"`
	// YAMLDepth bounds how deep values may be nested (default 64).
	YAMLDepth int `key:"yamlDepth"`
	// YAMLAliases bounds the number of aliases in one file (default 100).
	YAMLAliases int `key:"yamlAliases"`
	// ObjectsPerTenant bounds what one overlay renders (default 1000).
	ObjectsPerTenant int `key:"objectsPerTenant"`
	// RenderTime bounds the time that rendering one overlay takes (default 10s).
	RenderTime time.Duration `key:"renderTime"`
}

// DefaultRepository returns what holds in a policy repository without a
// ringfence.yaml.
func DefaultRepository() *Repository {
	return &Repository{
		Layout: Layout{
			Tenants:         kustomize.DefaultTenants,
			Cluster:         kustomize.DefaultCluster,
			Guard:           kustomize.DefaultGuard,
			Namespaces:      []string{"*"},
			Expect:          []string{},
			NamespaceLabels: []string{"*"},
			TenantTiers:     []string{"default"},
			TenantMay:       []string{},
			AllowedKinds:    []AllowedKind{},
		},
		Network: Network{
			PodCIDRs: []netip.Prefix{
				netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
				netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
			},
			ServiceCIDRs:  []netip.Prefix{},
			NodeCIDRs:     []netip.Prefix{},
			DNS:           DNS{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}},
			CalicoVersion: "3.31",
		},
		Gate:  Gate{Lint: "error", Tests: "required"},
		Lint:  Lint{Disable: []string{}, Severity: map[string]string{}},
		Drift: RepositoryDrift{Extra: "report", Ignore: []Ignore{}},
		Limits: Limits{
			TreeBytes:        Bytes(sources.DefaultTreeBytes),
			Files:            sources.DefaultFiles,
			FileBytes:        kustomize.DefaultFileBytes,
			YAMLDepth:        kustomize.DefaultYAMLDepth,
			YAMLAliases:      kustomize.DefaultYAMLAliases,
			ObjectsPerTenant: kustomize.DefaultObjectsPerTenant,
			RenderTime:       kustomize.DefaultRenderTime,
		},
	}
}

// ParseRepository reads a ringfence.yaml on top of DefaultRepository. file is
// its name for messages. The error is a *strict.Error with every problem.
func ParseRepository(file string, data []byte) (*Repository, error) {
	r := DefaultRepository()
	head := header{}
	doc := decode(file, data, kindRepository, &head, r)
	r.guardGiven = doc.Given("layout.guard")
	notYet(doc, r, DefaultRepository())
	r.contradictions(doc.Add, func(string) bool { return true })
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return r, nil
}

// ReadRepository reads the ringfence.yaml at the root of a policy repository;
// without one, DefaultRepository holds. The error is that of ParseRepository, or
// that of reading the file.
func ReadRepository(fsys fs.FS) (*Repository, error) {
	data, err := fs.ReadFile(fsys, RepositoryFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return DefaultRepository(), nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", RepositoryFile, err)
	}
	return ParseRepository(RepositoryFile, data)
}

// GuardRequired reports whether the guard must exist: whoever names one in
// ringfence.yaml or pins one relies on it, so that its absence must not pass
// for the default's "used if it exists".
func (r *Repository) GuardRequired() bool { return r.guardGiven && r.Layout.Guard != "" }

// Pinned returns the keys whose values come from the daemon's file.
func (r *Repository) Pinned() []string { return slices.Clone(r.pins) }
