package kustomize

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/kustomize/valid"
)

// judge decides whether what an overlay rendered to may be applied.
type judge struct {
	cfg       *Config
	as        role
	namespace string // the tenant's, "" if unknown or the role has none
	origins   *origins
	problems  []Problem
	objects   []Object
	settings  []Object
	seen      map[objectKey]Object
}

// object judges one object and keeps it if nothing is wrong with it.
func (j *judge) object(b built) {
	place := j.origins.of(b)
	before := len(j.problems)
	refuse := func(at fieldPath, why *refused) {
		p := place.problem(at)
		p.Message, p.Hint = why.message, why.hint
		j.problems = append(j.problems, p)
	}
	gvk := b.GroupVersionKind()
	kind, why := kindOf(gvk, j.as)
	known := why == nil || kind.Kind != ""
	switch {
	case b.local && !known:
		return // kustomize would drop it, and it is nothing that a fence is made of
	case b.local:
		refuse(fieldPath{"metadata", "annotations", "config.kubernetes.io/local-config"}, &refused{
			fmt.Sprintf("%s %q is marked config.kubernetes.io/local-config, so that kustomize would drop it silently", describeKind(gvk), b.GetName()),
			"remove the annotation, or the object",
		})
		return
	case why != nil:
		refuse(fieldPath{"kind"}, why)
		return
	}
	o := Object{Unstructured: b.Unstructured, Kind: kind, Origin: place.Origin(), Guard: j.as == guardRole, Pattern: b.pattern}
	j.metadata(o, refuse)
	j.form(o, refuse)
	if len(j.problems) == before {
		j.content(o, refuse)
	}
	if len(j.problems) == before {
		o.Pattern.judged()
	}
	j.unique(o, refuse)
	if len(j.problems) > before {
		return
	}
	if kind.Group == kinds.GroupRingfence {
		j.settings = append(j.settings, o)
		return
	}
	j.objects = append(j.objects, o)
}

type refuseFunc func(at fieldPath, why *refused)

// serverFields are the fields of metadata that are the API server's, and others that
// would let an object escape or be deleted.
var serverFields = []string{
	"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"managedFields", "selfLink", "generateName", "ownerReferences", "finalizers",
}

// metadata checks what Git says of metadata and status, and drops what says nothing.
func (j *judge) metadata(o Object, refuse refuseFunc) {
	if !o.Pattern.isSound() {
		dropNulls(o.Object)
		for _, at := range nullItems(nil, o.Object) {
			refuse(at, &refused{at.String() + " is an empty list item", "write {} for one that matches everything, or remove the dash"})
		}
	}
	metadata, _ := o.Object["metadata"].(map[string]any)
	for _, field := range serverFields {
		value, ok := metadata[field]
		switch {
		case !ok:
		case empty(value):
			delete(metadata, field)
		default:
			refuse(fieldPath{"metadata", field}, &refused{fmt.Sprintf("metadata.%s cannot be set from Git", field), "remove it"})
			delete(metadata, field)
		}
	}
	if status, ok := o.Object["status"]; ok {
		if !empty(status) {
			refuse(fieldPath{"status"}, &refused{"status cannot be set from Git", "remove it"})
		}
		delete(o.Object, "status")
	}
	j.scope(o, metadata, refuse)
	for _, key := range []string{"labels", "annotations"} {
		if m, ok := metadata[key].(map[string]any); ok && len(m) == 0 {
			delete(metadata, key)
		}
	}
}

// scope checks the namespace of an object by the table of kinds.
func (j *judge) scope(o Object, metadata map[string]any, refuse refuseFunc) {
	at := fieldPath{"metadata", "namespace"}
	namespace := o.GetNamespace()
	isNamespace := o.Kind.GroupKind() == kinds.Namespace.GroupKind()
	switch {
	case o.Kind.Group == kinds.GroupRingfence:
		if !o.Kind.Namespaced {
			delete(metadata, "namespace")
		}
	case isNamespace:
		delete(metadata, "namespace")
		if j.namespace != "" && o.GetName() != j.namespace {
			refuse(fieldPath{"metadata", "name"}, &refused{
				fmt.Sprintf("the Namespace %q is not the overlay's own, which is %q", o.GetName(), j.namespace),
				"an overlay renders objects of one namespace",
			})
		}
	case !o.Kind.Namespaced:
		delete(metadata, "namespace")
	case namespace == "":
		refuse(fieldPath{"metadata"}, &refused{
			fmt.Sprintf("%s %q has no namespace and would go to \"default\"", describeKind(o.Kind.GroupVersionKind), o.GetName()),
			"set namespace: in the overlay's kustomization",
		})
	case j.namespace != "" && namespace != j.namespace:
		refuse(at, &refused{
			fmt.Sprintf("%s %q is in the namespace %q, and the overlay's is %q", describeKind(o.Kind.GroupVersionKind), o.GetName(), namespace, j.namespace),
			"an overlay renders objects of one namespace",
		})
	}
}

// form checks the fields against the kind's schema, and names and labels.
func (j *judge) form(o Object, refuse refuseFunc) {
	if !o.Pattern.isSound() {
		for _, m := range strictCheck(o.Object, schemaOf(o.Kind.GroupKind())) {
			refuse(m.path, &refused{m.message, m.hint})
		}
	}
	name := o.GetName()
	check := validation.IsDNS1123Subdomain
	if o.Kind.GroupKind() == kinds.Namespace.GroupKind() {
		check = validation.IsDNS1123Label
	}
	if errs := check(name); len(errs) > 0 {
		refuse(fieldPath{"metadata", "name"}, &refused{fmt.Sprintf("%q is not a valid name: %s", name, plain(errs[0])), ""})
	}
	if strings.HasSuffix(name, ReservedSuffix) {
		refuse(fieldPath{"metadata", "name"}, &refused{fmt.Sprintf("the name %q ends in %s, which Ringfence keeps for itself", name, ReservedSuffix), "choose another name"})
	}
	for _, key := range sortedKeys(o.GetLabels()) {
		value := o.GetLabels()[key]
		at := fieldPath{"metadata", "labels", key}
		if errs := content.IsLabelKey(key); len(errs) > 0 {
			refuse(at, &refused{fmt.Sprintf("%q is not a valid label key: %s", key, plain(errs[0])), ""})
		}
		if errs := content.IsLabelValue(value); len(errs) > 0 {
			refuse(at, &refused{fmt.Sprintf("%q is not a valid value of the label %s: %s", value, key, plain(errs[0])), ""})
		}
		j.label(o, key, value, refuse)
	}
	for _, key := range sortedKeys(o.GetAnnotations()) {
		at := fieldPath{"metadata", "annotations", key}
		if errs := content.IsLabelKey(strings.ToLower(key)); len(errs) > 0 {
			refuse(at, &refused{fmt.Sprintf("%q is not a valid annotation key: %s", key, plain(errs[0])), ""})
		}
		if key == breakGlass {
			refuse(at, &refused{fmt.Sprintf("the annotation %s cannot be set from Git", key), "it is for emergencies, on the live Namespace"})
		}
	}
}

// label checks one label against Ringfence's own and the layout.
func (j *judge) label(o Object, key, value string, refuse refuseFunc) {
	at := fieldPath{"metadata", "labels", key}
	own := map[string]string{LabelManagedBy: managedBy}
	switch {
	case j.as == tenantRole && j.namespace != "":
		own[LabelTenant] = j.namespace
	case j.as != tenantRole:
		own[LabelTenant] = "" // never valid: nothing but Ringfence knows it
	}
	if want, ours := own[key]; ours {
		if value != want {
			refuse(at, &refused{fmt.Sprintf("the label %s is Ringfence's, and cannot be %q", key, value), "remove it"})
		}
		return
	}
	if o.Kind.GroupKind() == kinds.Namespace.GroupKind() && !j.cfg.mayLabel(key) {
		refuse(at, &refused{
			fmt.Sprintf("layout.namespaceLabels does not allow the label %s on a Namespace", key),
			"name the key in full there, or remove the label",
		})
	}
}

// content checks what the fields say.
func (j *judge) content(o Object, refuse refuseFunc) {
	var already fieldPath // of a name or tier that is refused
	if o.Kind.Tiered {
		at, why := j.cfg.checkTier(o.GetName(), tierOf(o.Object), j.as)
		if why != nil {
			refuse(at, why)
			already = at
		}
	}
	if isTenantSettings(o) {
		j.tenant(o, refuse)
	}
	if isOffboarding(o) {
		j.offboarding(o, refuse)
	}
	if o.Pattern.isSound() {
		return
	}
	rules := valid.Config{Selector: j.cfg.Selector, TierPrefix: j.cfg.TierPrefix}
	for _, m := range checkContent(o, rules) {
		if already == nil || m.path.String() != already.String() {
			refuse(m.path, &refused{m.message, m.hint})
		}
	}
}

// unique checks that an object is there once.
func (j *judge) unique(o Object, refuse refuseFunc) {
	if j.seen == nil {
		j.seen = map[objectKey]Object{}
	}
	key := keyOf(o.Kind, o.GetName())
	if first, ok := j.seen[key]; ok {
		also := ""
		if first.GetName() != o.GetName() {
			also = fmt.Sprintf(" as %q, which Calico takes for the same", first.GetName())
		}
		refuse(fieldPath{"metadata", "name"}, &refused{
			fmt.Sprintf("%s %q is also in %s:%d%s", describeKind(o.Kind.GroupVersionKind), o.GetName(), first.Origin.File, first.Origin.Line, also),
			"remove or rename one of them",
		})
		return
	}
	j.seen[key] = o
	if o.Kind.Group == kinds.GroupRingfence && o.Kind.Kind == "Tenant" {
		for _, other := range j.settings {
			if other.Kind.Kind == "Tenant" {
				refuse(fieldPath{"kind"}, &refused{fmt.Sprintf("an overlay has one Tenant at most, and another is in %s:%d", other.Origin.File, other.Origin.Line), "merge them"})
			}
		}
	}
}

// dropNulls removes the keys whose value is null, which mean as much as no key.
func dropNulls(value any) {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			if v == nil {
				delete(value, k)
				continue
			}
			dropNulls(v)
		}
	case []any:
		for _, v := range value {
			dropNulls(v)
		}
	}
}

// nullItems finds list items without a value, which decoders take for the empty one: a
// rule that allows everything.
func nullItems(at fieldPath, value any) (found []fieldPath) {
	switch value := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(value) {
			found = append(found, nullItems(at.at(k), value[k])...)
		}
	case []any:
		for i, v := range value {
			if v == nil {
				found = append(found, at.at(i))
				continue
			}
			found = append(found, nullItems(at.at(i), v)...)
		}
	}
	return found
}

// empty reports whether a value says nothing.
func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	case string:
		return value == ""
	default:
		return false
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// plain cuts the examples and patterns off a message of Kubernetes' validation.
func plain(message string) string {
	message, _, _ = strings.Cut(message, " (e.g.")
	message, _, _ = strings.Cut(message, ", regex used")
	return message
}
