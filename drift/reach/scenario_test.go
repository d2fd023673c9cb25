package reach_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/drift/reach"
)

// example renders the example repository's bases for tenants, as kustomize would: into a namespace each.
func example(t *testing.T, tenants ...string) []reach.Object {
	t.Helper()
	var out []reach.Object
	for _, tenant := range tenants {
		for _, folder := range []string{"guard", "tenant", "components/ingress-nginx"} {
			for _, o := range documents(t, filepath.Join("..", "..", "base", folder)) {
				meta := o.Content["metadata"].(map[string]any)
				if o.Content["kind"] == "Namespace" {
					meta["name"] = tenant
				} else {
					meta["namespace"] = tenant
				}
				out = append(out, o)
			}
		}
		for _, app := range []string{"cloudify-manager", "postgres", "rabbitmq", "web"} {
			out = append(out, pod(tenant, app, map[string]any{"app": app}))
		}
	}
	out = append(out, documents(t, "../../base/calico/policy")...)
	for _, name := range []string{"kube-system", "ingress-nginx", "web-test"} {
		out = append(out, object("v1", "Namespace", "", name, nil))
	}
	return append(out,
		pod("kube-system", "coredns", map[string]any{"k8s-app": "kube-dns"}),
		pod("ingress-nginx", "controller", map[string]any{"app.kubernetes.io/name": "ingress-nginx"}),
		pod("web-test", "web", map[string]any{"app": "web"}))
}

func object(apiVersion, kind, namespace, name string, labels map[string]any) reach.Object {
	meta := map[string]any{"name": name, "labels": labels}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return reach.Object{Content: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta}}
}

func pod(namespace, name string, labels map[string]any) reach.Object {
	return object("v1", "Pod", namespace, name, labels)
}

func documents(t *testing.T, folder string) []reach.Object {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var out []reach.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var doc yaml.Node
			if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
				break
			}
			content := map[string]any{}
			require.NoError(t, doc.Decode(&content))
			if content["kind"] != "Kustomization" && content["kind"] != "Component" {
				out = append(out, reach.Object{Content: content, Origin: reach.Origin{File: file, Line: doc.Content[0].Line}})
			}
		}
	}
	return out
}

func exampleWorld(t *testing.T, extra ...reach.Object) *reach.World {
	t.Helper()
	w, err := reach.New(reach.Config{
		Objects: append(example(t, "caas-acme", "caas-globex"), extra...), WholeWorld: true, CalicoVersion: "3.31",
		PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("fd00:10::/64")},
	})
	require.NoError(t, err)
	require.Empty(t, w.Problems())
	return w
}

func tenantPeer(name string) reach.Peer { return reach.PodPeer("caas-acme", name) }

// The table of how the people of the example tested their policies by hand, and what their list of aims says.
func TestExampleIsFenced(t *testing.T) {
	w := exampleWorld(t)
	metadata, err := reach.ParseAddresses("169.254.169.254")
	require.NoError(t, err)
	private, err := reach.ParseAddresses("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
	require.NoError(t, err)
	manager := tenantPeer("cloudify-manager")
	others := reach.PodsPeer("other tenants", func(namespace string) bool { return namespace == "caas-globex" })
	everyone := reach.PodsPeer("cluster", func(namespace string) bool { return namespace != "caas-acme" })
	for _, row := range []struct {
		from, to reach.Peer
		ports    string
		want     reach.Outcome
	}{
		{manager, tenantPeer("web"), "8080/TCP", reach.Denied},
		{manager, reach.PodPeer("web-test", "web"), "8080/TCP", reach.Denied},
		{manager, reach.InternetPeer(), "80/TCP", reach.Allowed},
		{manager, reach.AddressPeer(private), "", reach.Denied},
		{manager, reach.AddressPeer(metadata), "", reach.Denied},
		{manager, tenantPeer("rabbitmq"), "15671/TCP", reach.Allowed},
		{manager, tenantPeer("rabbitmq"), "5671-5672/TCP", reach.Allowed},
		{manager, tenantPeer("rabbitmq"), "15672/TCP", reach.Allowed},
		{manager, tenantPeer("postgres"), "5432/TCP", reach.Allowed},
		{manager, tenantPeer("postgres"), "5432/UDP", reach.Denied},
		{tenantPeer("postgres"), manager, "", reach.Denied},
		{tenantPeer("postgres"), reach.InternetPeer(), "", reach.Denied},
		{tenantPeer("rabbitmq"), tenantPeer("postgres"), "", reach.Denied},
		{tenantPeer("postgres"), reach.PodPeer("kube-system", "coredns"), "53/UDP", reach.Allowed},
		{tenantPeer("postgres"), reach.PodPeer("kube-system", "coredns"), "9153/TCP", reach.Denied},
		{reach.PodPeer("ingress-nginx", "controller"), manager, "443/TCP", reach.Allowed},
		{reach.PodPeer("ingress-nginx", "controller"), manager, "22/TCP", reach.Denied},
		{reach.InternetPeer(), manager, "", reach.Denied},
		{others, tenantPeer("postgres"), "", reach.Denied},
		{others, manager, "", reach.Denied},
		{everyone, tenantPeer("postgres"), "", reach.Denied},
		{everyone, manager, "443/TCP", reach.Partial},
	} {
		ports, err := reach.ParsePorts(row.ports)
		require.NoError(t, err)
		verdict, err := w.Decide(row.from, row.to, ports)
		require.NoError(t, err)
		require.Equal(t, row.want, verdict.Outcome, "%s -> %s %s\n%v", row.from, row.to, row.ports, verdict.Reasons)
		require.NotEmpty(t, verdict.Reasons)
	}
}

// The whole connectivity of a fenced tenant is the list of aims and nothing else.
func TestExampleConnectivity(t *testing.T) {
	var inner []string
	for _, c := range exampleWorld(t).Connectivity().Report(false).Connections {
		if c.To.Namespace == "caas-acme" {
			inner = append(inner, c.String())
		}
	}
	require.ElementsMatch(t, []string{
		"caas-acme/cloudify-manager → caas-acme/postgres 5432/TCP",
		"caas-acme/cloudify-manager → caas-acme/rabbitmq 5671-5672/TCP, 15671-15672/TCP",
		"ingress-nginx/controller → caas-acme/cloudify-manager 80/TCP, 443/TCP",
	}, inner)
}

// The allow-all policy with which they proved that policy works opens the tenant to all but other tenants, and taking it
// away again leaves nothing behind.
func TestExampleOpened(t *testing.T) {
	w := exampleWorld(t)
	before := w.Connectivity()
	open := object("networking.k8s.io/v1", "NetworkPolicy", "caas-acme", "allow-all", nil)
	open.Content["spec"] = map[string]any{
		"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{map[string]any{}}, "egress": []any{map[string]any{}},
	}
	w.Apply(reach.Change{Object: open})
	d := reach.Diff(before, w.Connectivity())
	require.Empty(t, d.Lost)
	var gained []string
	for _, c := range d.Gained {
		gained = append(gained, c.String())
	}
	require.Contains(t, gained, "any address → any pod of caas-acme everything")
	require.Contains(t, gained, "web-test/web → any pod of caas-acme everything")
	for _, line := range gained {
		require.NotContains(t, line, "caas-globex", "the guard stands")
	}
	w.Apply(reach.Change{Object: open, Removed: true})
	require.True(t, reach.Diff(before, w.Connectivity()).Empty())
}
