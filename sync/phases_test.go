package sync

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/sync/order/random"
)

func portRule(ports ...int) string {
	text := ""
	for _, p := range ports {
		text += fmt.Sprintf("{protocol: TCP, port: %d}, ", p)
	}
	return "{from: [{namespaceSelector: {}}], ports: [" + text + "]}"
}

// portOverlay is a tenant with one allowance of some ports.
func portOverlay(folder, namespace string, ports ...int) map[string]string {
	return map[string]string{
		"overlays/" + folder + "/kustomization.yaml": "namespace: " + namespace + "\nresources: [objects.yaml]",
		"overlays/" + folder + "/objects.yaml":       "{apiVersion: v1, kind: Namespace, metadata: {name: " + namespace + "}}\n---\n" + allowance("one", portRule(ports...)),
	}
}

// written returns the ports of each write of the allowance in a namespace, in order.
func written(t *testing.T, moments []moment, namespaces ...string) (out []string) {
	t.Helper()
	for _, m := range moments {
		for _, ns := range namespaces {
			if random.Key(m.object) != "NetworkPolicynetworking.k8s.io/v1"+ns+"/one" {
				continue
			}
			rules, _, err := unstructured.NestedSlice(m.object, "spec", "ingress")
			require.NoError(t, err)
			text := ns[len(ns)-1:] + ":"
			for _, r := range rules {
				ports, _, err := unstructured.NestedSlice(r.(map[string]any), "ports")
				require.NoError(t, err)
				for _, p := range ports {
					text += fmt.Sprint(" ", p.(map[string]any)["port"])
				}
			}
			out = append(out, text)
		}
	}
	return out
}

// What opens and closes at once is first written as what both revisions allow, in all tenants before any of them opens; a
// tenant that changes alone is written once.
func TestTwoPhases(t *testing.T) {
	b := newBench(t)
	repo, x, y := newRepository(t), b.namespace+"-x", b.namespace+"-y"
	d := startDaemon(b, repo, nil)
	s := repo.commit(files(portOverlay("x", x, 80, 81), portOverlay("y", y, 80, 81)))
	d.Offer(s)
	d.done(s)
	h := watchHistory(t, b.rogue, sharedCalico())
	h.take()

	s = repo.commit(files(portOverlay("x", x, 81, 82), portOverlay("y", y, 81, 83)))
	d.Offer(s)
	d.done(s)
	d.at(s, Synced, x, y)
	got := written(t, h.take(), x, y)
	require.Len(t, got, 4)
	assert.ElementsMatch(t, []string{"x: 81", "y: 81"}, got[:2], "closings first, of all")
	assert.ElementsMatch(t, []string{"x: 81 82", "y: 81 83"}, got[2:])

	s = repo.commit(portOverlay("x", x, 90))
	d.Offer(s)
	d.done(s)
	d.at(s, Synced, x, y)
	assert.Equal(t, []string{"x: 90"}, written(t, h.take(), x, y), "alone")

	// Only closings, or only openings: one write each.
	s = repo.commit(files(portOverlay("x", x, 90, 91), portOverlay("y", y, 81)))
	d.Offer(s)
	d.done(s)
	d.at(s, Synced, x, y)
	assert.Equal(t, []string{"y: 81", "x: 90 91"}, written(t, h.take(), x, y))
}

// peerOverlay is a tenant with one allowance, for another namespace.
func peerOverlay(folder, namespace, direction, peer string, more ...string) map[string]string {
	out := portOverlay(folder, namespace)
	text := "{apiVersion: v1, kind: Namespace, metadata: {name: " + namespace + "}}"
	if direction != "" {
		text += "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: one}, spec: {podSelector: {}, policyTypes: [" +
			map[string]string{"ingress": "Ingress", "egress": "Egress"}[direction] + "], " + direction + ": [{" + map[string]string{"ingress": "from", "egress": "to"}[direction] +
			": [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + peer + "}}}]}]}}"
	}
	for _, m := range more {
		text += "\n---\n" + m
	}
	out["overlays/"+folder+"/objects.yaml"] = text
	return out
}

// An opening waits for a closing elsewhere that is held back, whether the tenant there is suspended or what is new of it is
// refused by the API server, and comes when that is made.
func TestOpeningsWaitForHeldClosings(t *testing.T) {
	suspend := "{apiVersion: ringfence.dev/v1, kind: Tenant, metadata: {name: settings}, spec: {suspend: {until: 2099-01-01T00:00:00Z, reason: on holiday}}}"
	refused := allowance("wrong", portRule(80))
	for _, tt := range []struct {
		why, object string
		state       State
	}{{"suspended", suspend, Suspended}, {"refused", refused, Failed}} {
		t.Run(tt.why, func(t *testing.T) {
			b := newBench(t)
			repo, x, y := newRepository(t), b.namespace+"-x", b.namespace+"-y"
			b.forbid("object.metadata.name == 'wrong'", "not that one")
			d := startDaemon(b, repo, nil)
			// y lets x in; x reaches nobody. Then x is to reach y, which no longer lets it in, but that is held back.
			s := repo.commit(files(peerOverlay("x", x, "", ""), peerOverlay("y", y, "ingress", x)))
			d.Offer(s)
			d.done(s)
			s = repo.commit(files(peerOverlay("x", x, "egress", y), peerOverlay("y", y, "", "", tt.object)))
			d.Offer(s)
			d.until("y is "+tt.why, func() bool { return d.tenant(y).State == tt.state })
			d.until("x waits for y", func() bool { return d.tenant(x).State == Pending && strings.Contains(d.tenant(x).Reason, y) })
			assert.NotContains(t, d.policies(x), "one")
			assert.Contains(t, d.policies(y), "one")
			s = repo.commit(files(peerOverlay("x", x, "egress", y), peerOverlay("y", y, "", "")))
			d.Offer(s)
			d.at(s, Synced, x, y)
			assert.Contains(t, d.policies(x), "one")
			assert.NotContains(t, d.policies(y), "one")
		})
	}
}
