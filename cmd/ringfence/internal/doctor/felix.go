package doctor

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// breach is a setting of Felix that lets packets pass by policies; the reference is Calico's "Felix configuration".
type breach struct{ field, value, why, do string }

func breaches() []breach {
	return []breach{
		{"chainInsertMode", "append", "rules that stand before Calico's decide first, and may let through what policies deny", "set it to Insert, which is the default"},
		{"workloadSourceSpoofing", "any", "a pod may send under addresses of others, by an annotation of its own", "set it to Disabled, which is the default"},
		{"allowVXLANPacketsFromWorkloads", "true", "a pod may wrap packets so that policies do not see where they go", "set it to false, which is the default"},
		{"allowIPIPPacketsFromWorkloads", "true", "a pod may wrap packets so that policies do not see where they go", "set it to false, which is the default"},
	}
}

// felix looks for settings that break fences.
func (e *examination) felix(ctx context.Context) {
	if e.calico == "" {
		return
	}
	gvr, ok := e.calicoResource("felixconfigurations")
	if !ok {
		e.add("felix", Skipped, "Felix' settings are not served", "", "")
		return
	}
	list, err := e.dynamic.Resource(gvr).List(ctx, metav1.ListOptions{})
	if err != nil {
		e.blind("felix", Unknown, "Felix' settings", err)
		return
	}
	if e.sets == nil {
		return // told by enforcers
	}
	bad := false
	for _, b := range breaches() {
		for _, where := range b.in(list.Items, e.sets) {
			bad = true
			e.add("felix", Warning, fmt.Sprintf("%s is %s in %s", b.field, b.value, where), b.why, b.do)
		}
	}
	if !bad {
		e.ok("felix", "no setting of Felix that is known to break fences")
	}
}

// in returns where the setting has the value; the environment wins over all else.
func (b breach) in(configurations []unstructured.Unstructured, sets []appsv1.DaemonSet) (where []string) {
	for i := range sets {
		if sets[i].Name != "calico-node" && sets[i].Name != "canal" {
			continue
		}
		name := "FELIX_" + strings.ToUpper(b.field)
		if value, ok := environment(&sets[i], name); ok {
			if strings.EqualFold(value, b.value) {
				return []string{fmt.Sprintf("the environment of DaemonSet %s/%s (%s)", sets[i].Namespace, sets[i].Name, name)}
			}
			return nil
		}
	}
	for _, c := range configurations {
		if value, ok, _ := unstructured.NestedFieldNoCopy(c.Object, "spec", b.field); ok && strings.EqualFold(fmt.Sprint(value), b.value) {
			where = append(where, "FelixConfiguration "+c.GetName())
		}
	}
	return where
}

// felixSetting returns a setting of FelixConfiguration default; "" if it is not there or cannot be seen.
func (e *examination) felixSetting(ctx context.Context, field string) string {
	o := e.calicoObject(ctx, "felixconfigurations", "default")
	if o == nil {
		return ""
	}
	value, _, _ := unstructured.NestedString(o.Object, "spec", field)
	return value
}
