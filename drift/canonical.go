package drift

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/defaults"
	corev1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsjson "sigs.k8s.io/json"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// tierLabel is put on every policy by Calico's API server and its admission
// policies; it follows from spec.tier and is nobody's to set.
const tierLabel = "projectcalico.org/tier"

// defaultTier is the tier of a Calico policy that names none.
const defaultTier = "default"

// canonical returns the part of an object that a comparison looks at, in one
// form for all spellings that the API server holds to be the same:
//
//   - metadata: name, namespace, labels, ownerReferences, finalizers, and of
//     the annotations those that keep names (nil: none);
//   - everything else but status, after the API server's defaulting.
//
// Defaulting is done by the Go types of the API itself. An object that has a
// field unknown to them is compared as it is: a field that we do not know must
// show as a difference, and not vanish in a conversion.
func canonical(k kinds.Kind, u *unstructured.Unstructured, keep map[string]string) (map[string]any, error) {
	body, err := canonicalBody(k, u)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", k.Kind, u.GetName(), err)
	}
	out := maps.Clone(body)
	out["apiVersion"], out["kind"] = k.GroupVersion().String(), k.Kind
	out["metadata"] = dropNulls(canonicalMeta(k, u, keep))
	return out, nil
}

// canonicalBody returns everything but metadata and status, which must not be changed: others may have it.
func canonicalBody(k kinds.Kind, u *unstructured.Unstructured) (map[string]any, error) {
	body := maps.Clone(u.Object)
	delete(body, "status")
	delete(body, "metadata")
	typed := prototype(k)
	if typed == nil {
		return dropNulls(body), nil
	}
	raw, err := json.Marshal(body) // sorts keys
	if err != nil {
		return nil, err
	}
	key := k.String() + string(raw)
	if known := defaultedBodies.get(key); known != nil {
		return known, nil
	}
	defaulted, ok, err := throughType(raw, typed)
	if err != nil || !ok {
		return dropNulls(body), err
	}
	defaulted = dropNulls(defaulted)
	defaultedBodies.put(key, defaulted)
	return defaulted, nil
}

// defaultedBodies are those that went through a type, by how they were written, from which they follow: most tenants have the
// same policies as others, and each is compared again and again.
var defaultedBodies bodies

type bodies struct {
	mu    sync.Mutex
	known map[string]map[string]any
	size  int // of the keys, in bytes
}

// bodiesKept is the size of the keys at which everything is forgotten, in bytes.
const bodiesKept = 4 << 20

func (b *bodies) get(key string) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[key]
}

func (b *bodies) put(key string, body map[string]any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size += len(key); b.known == nil || b.size > bodiesKept {
		b.known, b.size = map[string]map[string]any{}, len(key)
	}
	b.known[key] = body
}

// alike says whether two objects are equal as they are written, and so in their canonical forms, which cost twenty times as much to
// find. Most objects that are compared are alike: what they were written from names every default.
func alike(k kinds.Kind, a, b *unstructured.Unstructured, keep map[string]string) bool {
	for key, value := range a.Object {
		if aside(key) {
			continue
		}
		if other, ok := b.Object[key]; !ok || !same(value, other) {
			return false
		}
	}
	for key := range b.Object {
		if _, ok := a.Object[key]; !ok && !aside(key) {
			return false
		}
	}
	return same(canonicalMeta(k, a, keep), canonicalMeta(k, b, keep))
}

// aside says whether a field of an object is no part of what it says, or is looked at on its own.
func aside(key string) bool {
	return key == "metadata" || key == "status" || key == "apiVersion" || key == "kind"
}

// prototype returns an empty value of the kind's Go type; nil if there is none
// with which a round trip would be safe.
func prototype(k kinds.Kind) metav1.Object {
	switch k.Group {
	case kinds.GroupKubernetes:
		return &networking.NetworkPolicy{}
	case kinds.GroupCalico:
		switch k.Kind {
		case "NetworkPolicy":
			return calico.NewNetworkPolicy()
		case "GlobalNetworkPolicy":
			return calico.NewGlobalNetworkPolicy()
		case "StagedNetworkPolicy":
			return calico.NewStagedNetworkPolicy()
		case "StagedGlobalNetworkPolicy":
			return calico.NewStagedGlobalNetworkPolicy()
		case "StagedKubernetesNetworkPolicy":
			return calico.NewStagedKubernetesNetworkPolicy()
		case "NetworkSet":
			return calico.NewNetworkSet()
		case "GlobalNetworkSet":
			return calico.NewGlobalNetworkSet()
		case "Tier":
			return calico.NewTier()
		}
	}
	return nil
}

// throughType sends a body through the Go type and its defaulting. It answers
// false if the type does not know every field of it.
func throughType(raw []byte, typed metav1.Object) (map[string]any, bool, error) {
	if strict, err := sigsjson.UnmarshalStrict(raw, typed); err != nil || len(strict) > 0 {
		return nil, false, nil //nolint:nilerr // what the type cannot hold is compared as it is
	}
	applyDefaults(typed)
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, false, err
	}
	var out map[string]any
	if err := sigsjson.UnmarshalCaseSensitivePreserveInts(raw, &out); err != nil {
		return nil, false, err
	}
	delete(out, "metadata")
	delete(out, "status")
	return out, true, nil
}

// applyDefaults does what the API servers do on a write. Sources:
// kubernetes/pkg/apis/networking/v1/defaults.go; projectcalico/api
// pkg/defaults and the schema defaults of Tier; calico-api.md §2.1.
func applyDefaults(typed metav1.Object) {
	switch o := typed.(type) {
	case *networking.NetworkPolicy:
		defaultNetworkPolicy(&o.Spec)
	case *calico.NetworkPolicy:
		o.Spec.Tier = cmp.Or(o.Spec.Tier, defaultTier)
		tidy(o.Spec.Ingress, o.Spec.Egress)
	case *calico.GlobalNetworkPolicy:
		o.Spec.Tier = cmp.Or(o.Spec.Tier, defaultTier)
		tidy(o.Spec.Ingress, o.Spec.Egress)
	case *calico.StagedNetworkPolicy:
		o.Spec.Tier = cmp.Or(o.Spec.Tier, defaultTier)
		tidy(o.Spec.Ingress, o.Spec.Egress)
	case *calico.StagedGlobalNetworkPolicy:
		o.Spec.Tier = cmp.Or(o.Spec.Tier, defaultTier)
		tidy(o.Spec.Ingress, o.Spec.Egress)
	case *calico.Tier:
		if o.Spec.Order == nil {
			order := calico.DefaultTierOrder
			o.Spec.Order = &order
		}
		if o.Spec.DefaultAction == nil {
			deny := calico.Deny
			o.Spec.DefaultAction = &deny
		}
	}
	// An error only says that the type has no further defaults.
	_, _ = defaults.Default(typed)
}

// tidy makes empty lists of a rule's sides absent ones: a side with nothing in
// it is written as {} and as nothing, and both mean the same.
func tidy(directions ...[]calico.Rule) {
	for _, rules := range directions {
		for i := range rules {
			for _, side := range []*calico.EntityRule{&rules[i].Source, &rules[i].Destination} {
				side.Nets, side.NotNets = some(side.Nets), some(side.NotNets)
				side.Ports, side.NotPorts = some(side.Ports), some(side.NotPorts)
			}
		}
	}
}

func some[E any](list []E) []E {
	if len(list) == 0 {
		return nil
	}
	return list
}

func defaultNetworkPolicy(spec *networking.NetworkPolicySpec) {
	if len(spec.PolicyTypes) == 0 {
		spec.PolicyTypes = []networking.PolicyType{networking.PolicyTypeIngress}
		if len(spec.Egress) > 0 {
			spec.PolicyTypes = append(spec.PolicyTypes, networking.PolicyTypeEgress)
		}
	}
	for i := range spec.Ingress {
		defaultPorts(spec.Ingress[i].Ports)
	}
	for i := range spec.Egress {
		defaultPorts(spec.Egress[i].Ports)
	}
}

func defaultPorts(ports []networking.NetworkPolicyPort) {
	for i := range ports {
		if ports[i].Protocol == nil {
			tcp := corev1.ProtocolTCP
			ports[i].Protocol = &tcp
		}
	}
}

func canonicalMeta(k kinds.Kind, u *unstructured.Unstructured, keep map[string]string) map[string]any {
	meta := map[string]any{"name": u.GetName()}
	if k.Namespaced {
		meta["namespace"] = u.GetNamespace()
	}
	labels := map[string]any{}
	for key, value := range u.GetLabels() {
		if key != tierLabel {
			labels[key] = value
		}
	}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	annotations := map[string]any{}
	for key, value := range u.GetAnnotations() {
		if _, ok := keep[key]; ok {
			annotations[key] = value
		}
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	for _, key := range []string{"ownerReferences", "finalizers"} {
		if list, ok, _ := unstructured.NestedSlice(u.Object, "metadata", key); ok && len(list) > 0 {
			meta[key] = list
		}
	}
	return meta
}

// dropNulls returns a copy of m without map entries that are null, at any depth:
// the API server drops them too.
func dropNulls(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		if value != nil {
			out[key] = withoutNulls(value)
		}
	}
	return out
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return dropNulls(v)
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = withoutNulls(value)
		}
		return out
	default:
		return v
	}
}
