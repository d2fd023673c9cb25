package validate

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/drift"
)

// Every fault of an object at once, in the words that people read.
func TestFaults(t *testing.T) {
	b := newBench(t)
	b.define()
	raw, err := os.ReadFile("testdata/faults.yaml")
	require.NoError(t, err)
	var tests []struct {
		Name   string         `json:"name"`
		Object map[string]any `json:"object"`
		Faults []string       `json:"faults"`
	}
	require.NoError(t, yaml.UnmarshalStrict(raw, &tests))
	for _, tt := range tests {
		t.Run(tt.Name, func(t *testing.T) {
			text, err := yaml.Marshal(tt.Object)
			require.NoError(t, err)
			faults, err := b.Validate(t.Context(), wants(b.want(string(text))), nowhere)
			require.NoError(t, err)
			assert.Equal(t, tt.Faults, lines(faults))
		})
	}
}

// template returns objects that are equal in every namespace: count of them.
func template(b *bench, namespace string, count int) []*drift.Wanted {
	var out []*drift.Wanted
	for i := range count {
		out = append(out, b.want(fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%d, namespace: %s, labels: {ringfence.dev/tenant: %s}}, spec: {podSelector: {}}}`, i, namespace, namespace)))
	}
	return out
}

// Objects that are equal but for their namespaces cost one request together, however many ask at once; and none the next
// time.
func TestOneRequestForEqualObjects(t *testing.T) {
	b := newBench(t)
	var all errgroup.Group
	all.SetLimit(8)
	for i := range 100 {
		all.Go(func() error {
			name := fmt.Sprintf("%s-%d", b.namespace, i)
			objects := append(template(b, name, 4), b.want(`{apiVersion: v1, kind: Namespace, metadata: {name: `+name+`, labels: {app: x, ringfence.dev/tenant: `+name+`}}}`))
			faults, err := b.Validate(t.Context(), objects, func() []string { return []string{b.namespace} })
			assert.Empty(t, faults)
			return err
		})
	}
	require.NoError(t, all.Wait())
	tried, read := b.asked()
	assert.Len(t, tried, 5)
	assert.Equal(t, 2, read, "the list, and one document")

	faults, err := b.Validate(t.Context(), template(b, b.namespace, 4), nowhere)
	require.NoError(t, err)
	assert.Empty(t, faults)
	tried, read = b.asked()
	assert.Empty(t, tried)
	assert.Zero(t, read)
}

// Which namespace an object is tried in.
func TestWhereItIsTried(t *testing.T) {
	b := newBench(t)
	other := b.namespace + "-other"
	b.makeNamespace(other)
	tests := []struct {
		name, namespace string
		stands          []string
		want            []string
	}{
		{"its own", b.namespace, []string{other}, []string{b.namespace}},
		{"another tenant's", "nowhere", []string{"nowhere", "nowhere-else", other}, []string{other}},
		{"Ringfence's or the default one, if there is no other", "nowhere", nil, []string{"default"}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := b.want(fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: here-%d, namespace: %s}, spec: {podSelector: {}}}`, i, tt.namespace))
			faults, err := b.Validate(t.Context(), wants(w), func() []string { return tt.stands })
			require.NoError(t, err)
			assert.Empty(t, faults)
			tried, _ := b.asked()
			for i := range tt.want {
				tt.want[i] = fmt.Sprintf("/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies/%s", tt.want[i], w.ID.Name)
			}
			assert.Equal(t, tt.want, tried)
		})
	}
}

// What keeps an object out of one namespace keeps it out of no other.
func TestRefusedInOneNamespace(t *testing.T) {
	b := newBench(t)
	other := b.namespace + "-other"
	b.makeNamespace(other)
	b.forbid(`object.metadata.namespace == '`+b.namespace+`' && object.metadata.name.startsWith('p')`, "no p in here")
	faults, err := b.Validate(t.Context(), template(b, b.namespace, 2), nowhere)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"the ValidatingAdmissionPolicy " + b.namespace + " denies NetworkPolicy.networking.k8s.io " + b.namespace + "/p0: no p in here (a rule of this cluster, not of Kubernetes: mend the object, or the rule; it is asked again from time to time)",
		"the ValidatingAdmissionPolicy " + b.namespace + " denies NetworkPolicy.networking.k8s.io " + b.namespace + "/p1: no p in here (a rule of this cluster, not of Kubernetes: mend the object, or the rule; it is asked again from time to time)",
	}, lines(faults))
	faults, err = b.Validate(t.Context(), template(b, other, 2), nowhere)
	require.NoError(t, err)
	assert.Empty(t, faults)

	b.asked()
	faults, err = b.Validate(t.Context(), wants(b.want(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p9, namespace: nowhere}, spec: {podSelector: {}}}`)),
		func() []string { return []string{b.namespace, other} })
	require.NoError(t, err)
	assert.Empty(t, faults, "the first that it is tried in has a rule of its own")
	tried, _ := b.asked()
	assert.Len(t, tried, 2)
}

// What says nothing about the object is no verdict, and is not remembered.
func TestPassingFaults(t *testing.T) {
	b := newBench(t)
	w := func(i int) []*drift.Wanted {
		return wants(b.want(fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: passing-%d, namespace: NS}, spec: {podSelector: {}}}`, i)))
	}
	_, err := b.Validate(t.Context(), w(-1), nowhere)
	require.NoError(t, err)
	for i, code := range []int{401, 404, 408, 409, 500, 502, 503, 504} {
		b.answer(func(r *http.Request) *http.Response {
			if r.Method != http.MethodPatch {
				return nil
			}
			return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("not now"))}
		})
		faults, err := b.Validate(t.Context(), w(i), nowhere)
		assert.ErrorContains(t, err, "passing-", code)
		assert.Empty(t, faults, code)
	}
	b.answer(func(r *http.Request) *http.Response { <-r.Context().Done(); return nil }) // too slow
	faults, err := b.Validate(t.Context(), w(0), nowhere)
	require.Error(t, err)
	assert.Empty(t, faults)
	b.answer(nil)
	for i := range 8 {
		faults, err := b.Validate(t.Context(), w(i), nowhere)
		require.NoError(t, err)
		assert.Empty(t, faults)
	}
}

// A definition that changes is noticed: what it refused is accepted then, and the other way round.
func TestDefinitionChanges(t *testing.T) {
	b := newBench(t)
	b.define()
	w := wants(b.want(`{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: x}, spec: {tier: Admin, priority: 2000}}`))
	faults, err := b.Validate(t.Context(), w, nowhere)
	require.NoError(t, err)
	require.Len(t, faults, 1)
	for _, maximum := range []int{3000, 1500} {
		_, err = b.dynamic.Resource(definitions).Patch(t.Context(), definition, types.JSONPatchType, fmt.Appendf(nil,
			`[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/priority/maximum", "value": %d}]`, maximum), metav1.PatchOptions{})
		require.NoError(t, err)
		b.until("another verdict", func() bool {
			faults, err = b.Validate(t.Context(), w, nowhere)
			return err == nil && (len(faults) == 0) == (maximum == 3000)
		})
	}
}
