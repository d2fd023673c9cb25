package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// apis looks which guarded kinds are served, and who serves Calico's.
func (e *examination) apis(ctx context.Context) {
	flavour, err := drift.FindFlavour(ctx, e.dynamic)
	if err != nil {
		e.blind("calico", Unknown, "who serves Calico's kinds", err)
		return
	}
	e.flavour = flavour
	stored := e.serves(kinds.GroupStored)
	silent := slices.Contains(e.silent, kinds.GroupCalico)
	if flavour == drift.FlavourAggregated && !silent { // what is known of the group may be of before
		_, err := e.asking.ServerResourcesForGroupVersion(kinds.GroupCalico + "/v3")
		silent = err != nil
	}
	switch {
	case silent:
		e.add("calico", Error, kinds.GroupCalico+"/v3 is registered and does not answer", "every tenant is unknown, and nothing is corrected until it does", "see the pods of Calico's API server: kubectl get apiservice v3.projectcalico.org")
		return
	case flavour == drift.FlavourAggregated:
		e.ok("calico", "Calico's own API server serves %s/v3", kinds.GroupCalico)
	case flavour == drift.FlavourNative:
		e.ok("calico", "%s/v3 is served from definitions", kinds.GroupCalico)
	case stored:
		e.add("calico", Warning, "only "+kinds.GroupStored+"/v1 is served, where Calico stores its objects", "Calico's policies in Git cannot be applied, and those in the cluster cannot be compared", "install Calico's API server: base/calico/install/apiserver.yaml")
	case e.calico != "":
		e.add("calico", Warning, "none of Calico's kinds is served", "Calico's policies in Git cannot be applied, and those in its own store cannot be seen", "install Calico's API server, or use Kubernetes' policies alone")
	default:
		e.ok("calico", "none of Calico's kinds is served: Kubernetes' policies alone")
	}
	if e.calico == "" && flavour != drift.FlavourNone && e.known("enforcer", OK) {
		e.add("calico", Warning, "Calico's kinds are served, and another engine enforces", "Calico's policies have no effect", "install Calico, or remove its definitions and policies")
	}
	e.version(ctx)
	e.unserved()
}

// known says whether a check has found something at a level.
func (e *examination) known(check string, level Level) bool {
	return slices.ContainsFunc(e.findings, func(f Finding) bool { return f.Check == check && f.Level == level })
}

// version compares the version of Calico with the one whose semantics are taken to hold.
func (e *examination) version(ctx context.Context) {
	runs := e.calico
	if o := e.calicoObject(ctx, "clusterinformations", "default"); o != nil {
		if v, _, _ := unstructured.NestedString(o.Object, "spec", "calicoVersion"); v != "" {
			runs = v
		}
	}
	if runs == "" || e.repository == nil || e.repository.Network.CalicoVersion == "auto" {
		return
	}
	said := e.repository.Network.CalicoVersion
	if minor(runs) != minor(said) {
		e.add("calico", Warning, fmt.Sprintf("network.calicoVersion is %s, and Calico %s runs", said, runs), "what is said of connections follows the semantics of another version",
			fmt.Sprintf("set network.calicoVersion: %q", minor(runs)))
	}
}

// minor returns 3.31 of v3.31.2.
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// unserved lists the guarded kinds that are not served, of groups that are.
func (e *examination) unserved() {
	var served, not []string
	for _, k := range kinds.Guarded() {
		if e.served[schema.GroupResource{Group: k.Group, Resource: k.Resource}] {
			served = append(served, k.Resource+"."+k.Group)
		} else {
			not = append(not, k.Kind)
		}
	}
	if len(not) == 0 {
		e.ok("calico", "every guarded kind is served")
		return
	}
	e.ok("calico", "%d guarded kinds are served; not %s", len(served), strings.Join(slices.Compact(not), ", "))
}

// calicoObject returns an object of Calico's own kinds in the form that is served; nil if it cannot be had.
func (e *examination) calicoObject(ctx context.Context, resource, name string) *unstructured.Unstructured {
	gvr, ok := e.calicoResource(resource)
	if !ok {
		return nil
	}
	list, err := e.dynamic.Resource(gvr).List(ctx, metav1.ListOptions{}) // what else asks for the kind may list it, and not get it
	if err != nil {
		return nil
	}
	for i := range list.Items {
		if list.Items[i].GetName() == name {
			return &list.Items[i]
		}
	}
	return nil
}

func (e *examination) calicoResource(resource string) (schema.GroupVersionResource, bool) {
	for _, gvr := range []schema.GroupVersionResource{
		{Group: kinds.GroupCalico, Version: "v3", Resource: resource},
		{Group: kinds.GroupStored, Version: "v1", Resource: resource},
	} {
		if e.served[gvr.GroupResource()] {
			return gvr, true
		}
	}
	return schema.GroupVersionResource{}, false
}
