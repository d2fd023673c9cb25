package reach

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// exampleNamespace is the tenant of the issue: no workload is known, only policies.
func exampleNamespace(t *testing.T, extra ...Object) *Connectivity {
	t.Helper()
	var objects []Object
	for _, o := range tenantObjects(1) {
		if o.Content["kind"] != "Pod" {
			objects = append(objects, o)
		}
	}
	w, err := New(Config{Objects: append(objects, extra...), Implied: true, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	require.NoError(t, err)
	require.Empty(t, w.Problems())
	return w.Connectivity()
}

func lines(connections []Connection) []string {
	out := make([]string, len(connections))
	for i, c := range connections {
		out[i] = c.String()
	}
	return out
}

// Policies alone imply the workloads that they are about.
func TestPoliciesImplyWorkloads(t *testing.T) {
	got := lines(exampleNamespace(t).Report(false).Connections)
	require.Contains(t, got, "caas-00000/app=cloudify-manager → caas-00000/app=postgres 5432/TCP")
	require.Contains(t, got, "any pod of caas-00000 → kube-system/k8s-app=kube-dns 53/TCP, 53/UDP")
	require.Contains(t, got, "any pod of any other namespace → caas-00000/app=cloudify-manager 80/TCP, 443/TCP")
	for _, line := range got {
		require.NotContains(t, line, "→ caas-00000/(other)", "nothing reaches a pod that no policy allows")
	}
}

// An allow-all policy beside the fence is told in words, the gaining side first.
func TestDifferenceInWords(t *testing.T) {
	open := Object{Content: dict{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "caas-00000", "name": "allow-all"},
		"spec": dict{"podSelector": dict{"matchLabels": dict{"app": "postgres"}}, "ingress": []any{dict{}}},
	}}
	d := Diff(exampleNamespace(t), exampleNamespace(t, open))
	require.Empty(t, d.Lost)
	require.Empty(t, d.Unsure)
	got := lines(d.Gained)
	require.Equal(t, "any address → caas-00000/app=postgres everything", got[0])
	require.Contains(t, got, "any pod of any other namespace → caas-00000/app=postgres everything")
	require.Contains(t, d.String(), "+ any address → caas-00000/app=postgres everything\n")
}

// Policies of the whole cluster judge the pods of namespaces that nothing names, too.
func TestGlobalPoliciesJudgePodsOfAnyNamespace(t *testing.T) {
	metadata := Object{Content: dict{
		"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": dict{"name": "metadata"}, "spec": dict{
			"order": int64(1), "types": []any{"Egress"}, "egress": []any{
				dict{"action": "Deny", "destination": dict{"nets": []any{"169.254.169.254/32"}}}, dict{"action": "Allow"},
			},
		},
	}}
	report := exampleNamespace(t, metadata).Report(false)
	got := lines(Gather(report.Connections))
	require.Contains(t, got, "any pod of any namespace → any address but 169.254.169.254/32 everything")
	for _, line := range got {
		require.NotContains(t, line, "→ any address everything")
	}
	require.Empty(t, report.Unknown)
}
