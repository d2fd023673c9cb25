package drift

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Flavour is a way in which a cluster serves Calico's kinds.
type Flavour string

const (
	// FlavourNone is of a cluster that has none of them.
	FlavourNone Flavour = "none"
	// FlavourNative is of one that serves them from definitions, as Calico may from
	// 3.32 on: what holds of custom resources holds of them.
	FlavourNative Flavour = "native"
	// FlavourAggregated is of one where Calico's own API server serves them, above
	// crd.projectcalico.org/v1, as up to 3.31 everywhere.
	FlavourAggregated Flavour = "aggregated"
)

// Dialect is what a client must know of a [Flavour]. Each line of the table is seen
// against the real thing in sync/controlplane (Calico v3.31.0, kube-apiserver 1.37).
type Dialect struct {
	// TwoSpellings: a policy of the tier default is one with and without "default."
	// before its name, and is only found by the one that it was made with.
	TwoSpellings bool
	// Prefixed: the name of a policy in another tier begins with the tier's and a dot.
	Prefixed bool
	// DryRuns: a dry run refuses and fills in what a write does.
	DryRuns bool
	// LosesWrites: a write that fought with others may be lost and answered by 200,
	// with an object that has no name (see [Lost]).
	LosesWrites bool
	// Restless: an apply of what is there already moves the resourceVersion unless
	// the object is complete (see [Complete]).
	Restless bool
	// StickyTypes: spec.types is filled in once and stays, whatever rules come later.
	StickyTypes bool
	// SaysModified: a watch tells of a change by MODIFIED; if not, ADDED may be of
	// what is known.
	SaysModified bool
	// TierEndsWatches: each write of a Tier ends all watches of policies.
	TierEndsWatches bool
	// Bookmarks: a watch sends them, and lists may be streamed and paged.
	Bookmarks bool
	// HidesTiers: a list leaves out, without a word, the policies of tiers that the
	// caller may not see, and of tiers that are gone.
	HidesTiers bool
	// Mirrors: Kubernetes NetworkPolicies are shown as policies of Calico's as well,
	// under names that nobody else can take.
	Mirrors bool
}

var dialects = map[Flavour]Dialect{
	FlavourNone:   {SaysModified: true, Bookmarks: true}, // nobody answers a dry run
	FlavourNative: {DryRuns: true, SaysModified: true, Bookmarks: true},
	FlavourAggregated: {
		TwoSpellings: true, Prefixed: true, LosesWrites: true, Restless: true, StickyTypes: true,
		TierEndsWatches: true, HidesTiers: true, Mirrors: true,
	},
}

// Dialect returns what holds of the flavour; of one that is not known, the worst
// of all: that of Calico's own API server.
func (f Flavour) Dialect() Dialect {
	if d, ok := dialects[f]; ok {
		return d
	}
	return dialects[FlavourAggregated]
}

// Same reports whether two names are of one object of a kind.
func (d Dialect) Same(k kinds.Kind, a, b string) bool {
	if d.TwoSpellings && k.Tiered {
		a, b = strings.TrimPrefix(a, defaultTier+"."), strings.TrimPrefix(b, defaultTier+".")
	}
	return a == b
}

var registrations = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// registration is the name of the APIService that says who serves Calico's kinds.
const registration = "v3." + kinds.GroupCalico

// FindFlavour asks a cluster for its flavour, by the APIService of
// projectcalico.org/v3: an API server of its own has one with a service, and has it
// while it is down, too; one of definitions has none, and goes with the last of
// them. An error says that it is not known now: never take it for FlavourNone.
func FindFlavour(ctx context.Context, client dynamic.Interface) (Flavour, error) {
	o, err := client.Resource(registrations).Get(ctx, registration, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return FlavourNone, nil
	case err != nil:
		return "", fmt.Errorf("asking who serves %s/v3: %w", kinds.GroupCalico, err)
	}
	if service, ok, _ := unstructured.NestedMap(o.Object, "spec", "service"); ok && service != nil {
		return FlavourAggregated, nil
	}
	return FlavourNative, nil
}
