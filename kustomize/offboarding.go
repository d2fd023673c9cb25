package kustomize

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Offboarding says that Git lets go of a namespace whose overlay has left it.
type Offboarding struct {
	// Namespace is the one that is let go.
	Namespace string
	// Reason says why, for people.
	Reason string
	// Origin is where it is written.
	Origin Origin
}

// actionRelease is the only action of an Offboarding.
const actionRelease = "release"

// Offboardings returns the namespaces that the cluster overlay lets go, in the order of the objects' names. None is that of a
// Tenant of the same Rendering.
func (t *Tenant) Offboardings() []Offboarding {
	if t == nil || len(t.Problems) > 0 {
		return nil
	}
	return offboardings(t.Settings)
}

func offboardings(settings []Object) (out []Offboarding) {
	for _, o := range settings {
		var s offboarding
		if isOffboarding(o) && runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s) == nil { // it was checked
			out = append(out, Offboarding{Namespace: s.Spec.Namespace, Reason: s.Spec.Reason, Origin: o.Origin})
		}
	}
	return out
}

func isOffboarding(o Object) bool {
	return o.Kind.Group == kinds.GroupRingfence && o.Kind.Kind == "Offboarding"
}

// offboarding checks what an Offboarding says by itself.
func (j *judge) offboarding(o Object, refuse refuseFunc) {
	var s offboarding
	if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s) != nil {
		return // form has said why
	}
	if errs := validation.IsDNS1123Label(s.Spec.Namespace); len(errs) > 0 {
		refuse(fieldPath{"spec", "namespace"}, &refused{fmt.Sprintf("spec.namespace is %q, which is not a namespace's name", s.Spec.Namespace), "name the one namespace that is let go"})
	}
	if s.Spec.Action != actionRelease {
		refuse(fieldPath{"spec", "action"}, &refused{fmt.Sprintf("spec.action is %q, and must be %s", s.Spec.Action, actionRelease), ""})
	}
	if s.Spec.Reason == "" {
		refuse(fieldPath{"spec"}, &refused{"spec has no reason", "say why, for whoever looks at it next: the namespace loses its isolation"})
	}
}

// neverFenced refuses the cluster overlay if it lets go a namespace that an overlay claims, whether that renders or not.
func (r *Rendering) neverFenced() {
	if r.Cluster == nil {
		return
	}
	for _, o := range offboardings(r.Cluster.Settings) {
		i := slices.IndexFunc(r.Tenants, func(t *Tenant) bool { return t.Name == o.Namespace })
		if i < 0 {
			continue
		}
		r.Cluster.Problems = append(r.Cluster.Problems, Problem{
			Overlay: r.Cluster.Overlay, File: o.Origin.File, Line: o.Origin.Line,
			Message: fmt.Sprintf("the Offboarding lets go of the namespace %q, which the overlay %s fences", o.Namespace, r.Tenants[i].Overlay),
			Hint:    "remove that overlay, or the Offboarding",
		})
	}
	if len(r.Cluster.Problems) > 0 {
		r.Cluster.Problems = sortProblems(r.Cluster.Problems)
		r.Cluster.Objects, r.Cluster.Settings = nil, nil
	}
}
