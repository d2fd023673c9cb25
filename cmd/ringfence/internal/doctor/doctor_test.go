package doctor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift/permissions"
)

// A Date header is cut to whole seconds, and an answer takes its time: neither is skew.
func TestSkew(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
	}
	for _, tt := range []struct{ theirs, before, after, want float64 }{
		{0, 0.5, 0.6, 0},
		{0, 0.9, 1.2, 0},
		{0, 0, 30, 0},
		{5, 0, 30, 0},
		{10, 0, 1, 9},
		{0, 10, 11, -9},
		{0, 1.5, 2, -0.5},
	} {
		assert.Equal(t, time.Duration(tt.want*float64(time.Second)), skewOf(at(tt.theirs), at(tt.before), at(tt.after)), "%+v", tt)
	}
}

// What cannot be seen outweighs what was found: nobody may take the rest for the whole.
func TestOutcome(t *testing.T) {
	for _, tt := range []struct {
		levels []Level
		want   string
	}{
		{nil, Clean}, {[]Level{OK, Skipped}, Clean}, {[]Level{OK, Warning}, Findings}, {[]Level{Error}, Findings}, {[]Level{Error, Unknown}, Unclear},
	} {
		var findings []Finding
		for _, l := range tt.levels {
			findings = append(findings, Finding{Level: l})
		}
		assert.Equal(t, tt.want, reportOf(findings).Outcome, "%v", tt.levels)
	}
}

// The environment of calico-node wins over every FelixConfiguration.
func TestBreach(t *testing.T) {
	set := func(value string) []appsv1.DaemonSet {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "calico-system", Name: "calico-node"}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "calico-node"}}
		if value != "" {
			d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "FELIX_CHAININSERTMODE", Value: value}}
		}
		return []appsv1.DaemonSet{d}
	}
	felix := func(value any) []unstructured.Unstructured {
		return []unstructured.Unstructured{{Object: map[string]any{"metadata": map[string]any{"name": "default"}, "spec": map[string]any{"chainInsertMode": value}}}}
	}
	b := breaches()[0]
	assert.Equal(t, []string{"FelixConfiguration default"}, b.in(felix("Append"), set("")))
	assert.Empty(t, b.in(felix("Insert"), set("")))
	assert.Empty(t, b.in(felix("Append"), set("insert")))
	assert.Equal(t, []string{"the environment of DaemonSet calico-system/calico-node (FELIX_CHAININSERTMODE)"}, b.in(felix("Insert"), set("append")))
	assert.Empty(t, b.in(nil, nil))
}

// Engines without a DaemonSet are suspected, and never taken for none.
func TestNobody(t *testing.T) {
	node := func(version string, labels map[string]string) *corev1.NodeList {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: labels}}
		n.Status.NodeInfo.KubeletVersion = version
		return &corev1.NodeList{Items: []corev1.Node{n}}
	}
	for _, tt := range []struct {
		nodes *corev1.NodeList
		want  Level
	}{
		{nil, Error},
		{&corev1.NodeList{}, Error},
		{node("v1.34.0", nil), Error},
		{node("v1.34.0+k3s1", nil), Unknown},
		{node("v1.34.0-eks", map[string]string{"eks.amazonaws.com/compute-type": "auto"}), Unknown},
	} {
		e := &examination{}
		e.nobody(tt.nodes)
		assert.Equal(t, tt.want, e.findings[0].Level)
		assert.NotEmpty(t, e.findings[0].Do)
	}
}

func TestWords(t *testing.T) {
	assert.Equal(t, "3.31", minor("v3.31.2"))
	assert.Equal(t, "3.31", minor("3.31"))
	assert.Equal(t, "a, b", few([]string{"b", "a"}))
	assert.Equal(t, "a, b, c, d, e and 1 more", few([]string{"f", "e", "d", "c", "b", "a"}))
	assert.Equal(t, "get, list a, b; get c", phrase([]permissions.Access{
		{Verb: "get", Resource: "a"}, {Verb: "list", Resource: "a"}, {Verb: "get", Resource: "b"}, {Verb: "list", Resource: "b"}, {Verb: "get", Resource: "c"},
	}))
	for address, want := range map[string]bool{"127.0.0.1:8080": true, "[::1]:1": true, "localhost:1": true, ":8080": false, "0.0.0.0:1": false, "10.0.0.1:1": false, "x": false} {
		assert.Equal(t, want, isLoopback(address), address)
	}
}
