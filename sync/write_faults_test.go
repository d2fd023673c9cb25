package sync

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
)

// before does something right before the first request of a method, once.
func before(method string, do func()) fault {
	done := false
	return func(r *http.Request) *http.Response {
		if r.Method == method && !done {
			done = true
			do()
		}
		return nil
	}
}

// Someone is there first, at the worst moment: the object ends equal to Git.
func TestApplyAgainstOthersInBetween(t *testing.T) {
	remake := func(b *bench, id drift.ID) {
		require.NoError(b, b.others(id).Delete(b.Context(), id.Name, metav1.DeleteOptions{}))
		b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: NS, labels: {anew: x}}, spec: {podSelector: {}, egress: [{}]}}`)
	}
	tests := []struct {
		name string
		// at is the method of the request before which it happens: PATCH is the
		// apply, PUT the replacement.
		at string
		do func(*bench, drift.ID)
	}{
		{"changed before the apply", http.MethodPatch, func(b *bench, id drift.ID) { b.merge(id, `{spec: {policyTypes: [Ingress]}}`) }},
		{"deleted before the apply", http.MethodPatch, func(b *bench, id drift.ID) {
			require.NoError(b, b.others(id).Delete(b.Context(), id.Name, metav1.DeleteOptions{}))
		}},
		{"made anew before the apply", http.MethodPatch, remake},
		{"changed between apply and replacement", http.MethodPut, func(b *bench, id drift.ID) { b.merge(id, `{spec: {ingress: [{}]}}`) }},
		{"annotated between apply and replacement", http.MethodPut, func(b *bench, id drift.ID) { b.merge(id, `{metadata: {annotations: {x: z}}}`) }},
		{"deleted between apply and replacement", http.MethodPut, func(b *bench, id drift.ID) {
			require.NoError(b, b.others(id).Delete(b.Context(), id.Name, metav1.DeleteOptions{}))
		}},
		{"made anew between apply and replacement", http.MethodPut, remake},
		{"mended by another between apply and replacement", http.MethodPut, func(b *bench, id drift.ID) { b.merge(id, `{spec: {egress: null}}`) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			want := b.want(kubernetesPolicy)
			_, err := b.apply(t.Context(), want, nil)
			require.NoError(t, err)
			b.merge(want.ID, `{spec: {egress: [{}]}}`)
			live := b.live(want.ID)
			happened := false
			b.inject(before(tt.at, func() { happened = true; tt.do(b, want.ID) }))
			did, err := b.apply(t.Context(), want, live)
			require.NoError(t, err)
			assert.Equal(t, updated, did)
			assert.True(t, happened)
			b.stands(want)
		})
	}
}

// Someone who is there first every time wins this time, and it is an error.
func TestApplyGivesUp(t *testing.T) {
	b := newBench(t)
	want := b.want(kubernetesPolicy)
	_, err := b.apply(t.Context(), want, nil)
	require.NoError(t, err)
	b.merge(want.ID, `{spec: {egress: [{}]}}`)
	puts := 0
	b.inject(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut {
			puts++
			b.merge(want.ID, `{metadata: {labels: {try: "`+strings.Repeat("x", puts)+`"}}}`)
		}
		return nil
	})
	did, err := b.apply(t.Context(), want, b.live(want.ID))
	require.ErrorContains(t, err, "the object has been modified")
	assert.Equal(t, failed, did)
	assert.Equal(t, writeTries, puts)
}

// An API server that answers 200 to a write that it has lost (Calico's older one
// does) is not believed.
func TestApplyNoticesLostWrites(t *testing.T) {
	lost := func(*http.Request) *http.Response {
		return &http.Response{
			StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   io.NopCloser(strings.NewReader(`{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"creationTimestamp":null},"spec":{}}`)),
		}
	}
	for _, method := range []string{http.MethodPatch, http.MethodPut} {
		t.Run("once, "+method, func(t *testing.T) {
			b := newBenchFor(t, calicoPolicy)
			want := b.want(calicoPolicy)
			b.create(`{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: default.c, namespace: NS}, spec: {order: 1, egress: [{action: Allow}]}}`)
			left := 1
			b.inject(func(r *http.Request) *http.Response {
				if r.Method == method && left > 0 {
					left--
					return lost(r)
				}
				return nil
			})
			told := []drift.ID{}
			b.lost = func(id drift.ID) { told = append(told, id) }
			_, err := b.apply(t.Context(), want, b.live(want.ID))
			require.NoError(t, err)
			assert.Zero(t, left)
			assert.Equal(t, []drift.ID{want.ID}, told)
			b.stands(want)
		})
	}
	t.Run("of finalizers that are taken off", func(t *testing.T) {
		b := newBenchFor(t, calicoPolicy)
		want := b.want(calicoPolicy)
		_, err := b.apply(t.Context(), want, nil)
		require.NoError(t, err)
		b.merge(want.ID, `{metadata: {finalizers: [example.com/hang]}}`)
		left, told := 1, 0
		b.lost = func(drift.ID) { told++ }
		b.inject(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPatch && left > 0 {
				left--
				return lost(r)
			}
			return nil
		})
		require.NoError(t, b.erase(t.Context(), b.live(want.ID)))
		assert.Zero(t, left)
		assert.Equal(t, 1, told)
		assert.Nil(t, b.live(want.ID))
	})
	t.Run("always", func(t *testing.T) {
		b := newBenchFor(t, calicoPolicy)
		b.inject(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPatch {
				return lost(r)
			}
			return nil
		})
		did, err := b.apply(t.Context(), b.want(calicoPolicy), nil)
		require.ErrorContains(t, err, "lost the write")
		assert.Equal(t, failed, did)
	})
}

// What the API server refuses is a problem of the file that says it, with a hint.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	tests := []struct{ name, text, problem string }{
		{
			"a value", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bad, namespace: NS}, spec: {podSelector: {}, policyTypes: [Sideways]}}`,
			`^base/bad.yaml:1: writing NetworkPolicy.networking.k8s.io bench-\d+/bad: .*policyTypes.*\(hint: the API server does not accept the object as it is written there\)$`,
		},
		{
			"an unknown field", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bad, namespace: NS}, spec: {podSelector: {}, ingres: [{}]}}`,
			`^base/bad.yaml:1: .*ingres`,
		},
		{
			"no such namespace", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bad, namespace: NS-gone}, spec: {podSelector: {}}}`,
			`^base/bad.yaml:1: .*namespaces.*not found \(hint: the namespace or the kind is gone`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := b.want(tt.text)
			did, err := b.apply(t.Context(), want, nil)
			require.Error(t, err)
			assert.Equal(t, failed, did)
			found := problems(describe(want, err))
			require.Len(t, found, 1)
			assert.Regexp(t, tt.problem, found[0].Error())
		})
	}
}
