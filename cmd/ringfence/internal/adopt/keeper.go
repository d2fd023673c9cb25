package adopt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// chartOf says which Helm chart an object is of, as far as it tells; "" if of none.
func chartOf(o *unstructured.Unstructured) string {
	chart, release := o.GetLabels()["helm.sh/chart"], o.GetAnnotations()["meta.helm.sh/release-name"]
	if chart == "" && release == "" && o.GetLabels()["app.kubernetes.io/managed-by"] != "Helm" {
		return ""
	}
	if chart != "" {
		chart = "the chart " + chart
	}
	if release != "" {
		release = "the release " + release
	}
	return cmp.Or(strings.Join(slices.DeleteFunc([]string{chart, release}, func(s string) bool { return s == "" }), ", "), "a Helm chart")
}

// ownerOf names the object that made this one, and that remakes it; "" if there is none.
func ownerOf(o *unstructured.Unstructured) string {
	for _, owner := range o.GetOwnerReferences() {
		return fmt.Sprintf("%s %s", owner.Kind, owner.Name)
	}
	return ""
}

// writersOf names who wrote an object, the status left out.
func writersOf(o *unstructured.Unstructured) string {
	var names []string
	for _, e := range o.GetManagedFields() {
		if e.Subresource == "" {
			names = append(names, e.Manager)
		}
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(slices.Compact(names), ", "), "nobody who says so")
}
