package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// role is what an overlay is rendered as; it decides what it may hold.
type role string

const (
	tenantRole  role = "a tenant overlay"
	clusterRole role = "the cluster overlay"
	guardRole   role = "the guard"
)

// The labels that Ringfence puts on what it applies.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelTenant    = "ringfence.dev/tenant"

	// ReservedSuffix ends the names of the copies that stand in for objects while
	// they are recreated; no overlay may use it.
	ReservedSuffix = "-0-ringfence-hold"

	managedBy   = "ringfence"
	breakGlass  = "ringfence.dev/break-glass"
	defaultTier = "default"
)

// settingKinds are the kinds of ringfence.dev/v1 and where they may be.
var settingKinds = map[string][]role{
	"PolicyTest":  {guardRole, tenantRole},
	"Tenant":      {tenantRole},
	"Offboarding": {clusterRole},
}

// kindOf finds the kind of a rendered object, or says why the role may not hold it.
func kindOf(gvk schema.GroupVersionKind, as role) (kinds.Kind, *refused) {
	if gvk.Group == kinds.GroupRingfence {
		return settingKind(gvk, as)
	}
	k, ok := kinds.Find(gvk.GroupKind())
	switch {
	case !ok:
		return k, unknownKind(gvk, as)
	case k.Version != gvk.Version:
		return k, &refused{
			fmt.Sprintf("%s is not known in version %q", describeKind(gvk), gvk.GroupVersion()),
			fmt.Sprintf("write apiVersion: %s", k.GroupVersion()),
		}
	}
	return k, misplaced(k, as)
}

func settingKind(gvk schema.GroupVersionKind, as role) (kinds.Kind, *refused) {
	k := kinds.Kind{GroupVersionKind: gvk, Namespaced: gvk.Kind != "Offboarding"}
	roles, ok := settingKinds[gvk.Kind]
	switch {
	case !ok:
		return k, &refused{fmt.Sprintf("ringfence.dev has no kind %q", gvk.Kind), "its kinds are PolicyTest, Tenant and Offboarding"}
	case gvk.Version != "v1":
		return k, &refused{fmt.Sprintf("%s is not known in version %q", gvk.Kind, gvk.GroupVersion()), "write apiVersion: ringfence.dev/v1"}
	case !slices.Contains(roles, as):
		where := make([]string, len(roles))
		for i, r := range roles {
			where[i] = string(r)
		}
		return k, &refused{fmt.Sprintf("%s may not hold the kind %s of ringfence.dev", as, gvk.Kind), "it belongs in " + strings.Join(where, " or ")}
	}
	return k, nil
}

func unknownKind(gvk schema.GroupVersionKind, as role) *refused {
	if gvk.Group == kinds.GroupStored {
		return &refused{
			fmt.Sprintf("%s of %s is Calico's internal form", gvk.Kind, gvk.GroupVersion()),
			"write apiVersion: projectcalico.org/v3",
		}
	}
	hint := "an overlay holds policies only; apply other kinds by other means"
	if gvk.Kind == "NetworkPolicy" {
		hint = "write apiVersion: networking.k8s.io/v1, or projectcalico.org/v3 for Calico's"
	}
	return &refused{fmt.Sprintf("%s may not hold the kind %s of %s", as, gvk.Kind, groupName(gvk)), hint}
}

func misplaced(k kinds.Kind, as role) *refused {
	isNamespace := k.GroupKind() == kinds.Namespace.GroupKind()
	switch {
	case as == clusterRole && isNamespace:
		return &refused{"the cluster overlay may not hold a Namespace", "put it into the overlay of its tenant"}
	case as == clusterRole && k.Namespaced:
		return &refused{fmt.Sprintf("the cluster overlay may not hold the namespaced kind %s", describeKind(k.GroupVersionKind)), "put it into a tenant's overlay"}
	case as == guardRole && isNamespace:
		return &refused{"the guard may not hold a Namespace", "a tenant's own overlay may create its namespace"}
	case as != clusterRole && !k.Namespaced && !isNamespace:
		return &refused{
			fmt.Sprintf("%s may not hold the cluster-scoped kind %s", as, describeKind(k.GroupVersionKind)),
			"put it into the cluster overlay; a namespace on it changes nothing",
		}
	}
	return nil
}

func groupName(gvk schema.GroupVersionKind) string {
	if gvk.Group == "" {
		return "the core group"
	}
	return gvk.Group
}

// describeKind tells Calico's NetworkPolicy from Kubernetes'.
func describeKind(gvk schema.GroupVersionKind) string {
	if gvk.Group == kinds.GroupCalico && gvk.Kind == kinds.NetworkPolicy.Kind {
		return "Calico NetworkPolicy"
	}
	return gvk.Kind
}

// reserved are the namespaces that no tenant can have, besides Ringfence's own.
var reserved = []string{"kube-*", "default", "calico-*", "tigera-*"}

// MayFence reports whether a namespace can be a tenant's by its name, whatever the layout says of it.
func MayFence(namespace string) bool {
	c := Config{Namespaces: []string{"*"}, OwnNamespace: DefaultOwnNamespace}
	return c.mayFence(namespace) == nil
}

// mayFence says why a namespace can be no tenant's.
func (c *Config) mayFence(namespace string) *refused {
	if errs := validation.IsDNS1123Label(namespace); len(errs) > 0 {
		return &refused{fmt.Sprintf("%q is not a namespace's name", namespace), "lower-case letters, digits and \"-\", at most 63"}
	}
	if namespace == c.OwnNamespace || matchAny(reserved, namespace) {
		return &refused{fmt.Sprintf("the namespace %q can be no tenant's", namespace), "kube-*, default, calico-*, tigera-* and Ringfence's own are never fenced"}
	}
	if !matchAny(c.Namespaces, namespace) {
		return &refused{
			fmt.Sprintf("the namespace %q matches none of layout.namespaces", namespace),
			fmt.Sprintf("allowed: %s", strings.Join(c.Namespaces, ", ")),
		}
	}
	return nil
}

func matchAny(globs []string, s string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, s)
		return ok && err == nil
	})
}

// mayLabel reports whether overlays may set a label key on their Namespace.
func (c *Config) mayLabel(key string) bool {
	if slices.Contains(c.NamespaceLabels, key) {
		return true
	}
	domain, _, prefixed := strings.Cut(key, "/")
	if prefixed {
		for _, special := range []string{"ringfence.dev", "kubernetes.io", "k8s.io"} {
			if domain == special || strings.HasSuffix(domain, "."+special) {
				return false
			}
		}
	}
	return matchAny(c.NamespaceLabels, key) || slices.Contains(c.NamespaceLabels, "*")
}

// tierOf returns the tier of a tiered Calico object.
func tierOf(o map[string]any) string {
	spec, _ := o["spec"].(map[string]any)
	if tier, _ := spec["tier"].(string); tier != "" {
		return tier
	}
	return defaultTier
}

// checkTier says why a tiered object's name and tier do not fit, or are not the
// role's.
func (c *Config) checkTier(name, tier string, as role) (fieldPath, *refused) {
	if prefix, rest, dotted := strings.Cut(name, "."); dotted {
		if prefix != tier {
			return fieldPath{"metadata", "name"}, &refused{
				fmt.Sprintf("the name %q puts the policy into the tier %q, and its spec.tier is %q", name, prefix, tier),
				"use a name without a dot, or the tier's name before it",
			}
		}
		if strings.Contains(rest, ".") || rest == "" {
			return fieldPath{"metadata", "name"}, &refused{fmt.Sprintf("the name %q has more than one dot, or nothing after it", name), ""}
		}
	}
	if as == tenantRole && !slices.Contains(c.TenantTiers, tier) {
		return fieldPath{"spec", "tier"}, &refused{
			fmt.Sprintf("a tenant overlay may not use the tier %q", tier),
			fmt.Sprintf("layout.tenantTiers allows: %s", strings.Join(c.TenantTiers, ", ")),
		}
	}
	return nil, nil
}

// objectKey identifies an object in a namespace: Calico takes the names foo and
// default.foo for the same policy.
type objectKey struct {
	schema.GroupKind
	name string
}

func keyOf(k kinds.Kind, name string) objectKey {
	if k.Tiered {
		name = strings.TrimPrefix(name, defaultTier+".")
	}
	return objectKey{k.GroupKind(), name}
}
