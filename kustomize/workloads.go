package kustomize

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Workload is one that a policy test of a tenant names: pods of which nothing is known but their labels.
type Workload struct {
	// Name is what the test calls it.
	Name string
	// Namespace is where it is: the tenant's own if the test names none.
	Namespace string
	// Labels are those that its pods carry, exactly as written.
	Labels map[string]string
	// Test is the name of the PolicyTest, and Origin where that is written.
	Test   string
	Origin Origin
}

// Workloads returns what the policy tests of the tenant name, the guard's first, sorted by test and name.
func (t *Tenant) Workloads() []Workload {
	var own, guards []Workload
	for _, o := range t.Settings {
		if o.Kind.Group != kinds.GroupRingfence || o.Kind.Kind != "PolicyTest" {
			continue
		}
		found := workloadsOf(o, t.Name)
		if o.Guard {
			guards = append(guards, found...)
			continue
		}
		own = append(own, found...)
	}
	return append(guards, own...)
}

func workloadsOf(o Object, tenant string) []Workload {
	var test policyTest
	if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &test) != nil {
		return nil // form has refused it
	}
	out := make([]Workload, 0, len(test.Spec.Workloads))
	for _, name := range slices.Sorted(maps.Keys(test.Spec.Workloads)) {
		w := Workload{Name: name, Namespace: tenant, Labels: test.Spec.Workloads[name].Labels, Test: o.GetName(), Origin: o.Origin}
		if namespace := test.Spec.Workloads[name].Namespace; namespace != "" {
			w.Namespace = namespace
		}
		out = append(out, w)
	}
	return out
}
