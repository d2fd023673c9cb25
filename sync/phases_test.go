package sync

import (
	"fmt"
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
	h := watchHistory(t, b.rogue)
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
