package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ringfence/ringfence"
)

// neighbours are pods around the daemon, some of which are what its network policies speak of, and some only call themselves so.
const neighbours = `
{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}
---
{apiVersion: v1, kind: Pod, metadata: {name: prometheus, namespace: monitoring, labels: {app.kubernetes.io/name: prometheus}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: grafana, namespace: monitoring, labels: {app.kubernetes.io/name: grafana}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ingress-nginx}}
---
{apiVersion: v1, kind: Pod, metadata: {name: controller, namespace: ingress-nginx, labels: {app.kubernetes.io/name: ingress-nginx}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
---
{apiVersion: v1, kind: Pod, metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: tenant, labels: {kubernetes.io/metadata.name: tenant}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: spy, namespace: tenant, labels: {app.kubernetes.io/name: prometheus, k8s-app: kube-dns}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: other, namespace: ringfence-system}}
---
# The other replica.
apiVersion: v1
kind: Pod
metadata: {name: second, namespace: ringfence-system, labels: {app.kubernetes.io/name: ringfence}}
spec:
  containers:
  - name: ringfence
    ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}, {name: hook, containerPort: 8081}]
`

// The daemon's own fence, asked as anybody would: Prometheus reaches the metrics, the ingress controller the page and the hook, and
// nobody else anything; the replicas reach each other's hooks; the daemon reaches DNS, and the ports of API servers and Git wherever they are, but for link-local
// addresses, where clouds give credentials.
func TestManifestsFence(t *testing.T) {
	folder := t.TempDir()
	manifest, err := kustomized(t, manifestsFolder).AsYaml()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ringfence.yml"), manifest, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "neighbours.yml"), []byte(neighbours), 0o600))
	const daemon = "ringfence-system/ringfence"
	for _, c := range []struct {
		from, to, port string
		allowed        bool
	}{
		{"monitoring/prometheus", daemon, "9090/TCP", true},
		{"monitoring/prometheus", daemon, "8080/TCP", false},
		{"monitoring/prometheus", daemon, "8081/TCP", false},
		{"monitoring/grafana", daemon, "9090/TCP", false},
		{"tenant/spy", daemon, "9090/TCP", false},
		{"tenant/spy", daemon, "8080/TCP", false},
		{"tenant/spy", daemon, "8081/TCP", false},
		{"ingress-nginx/controller", daemon, "8080/TCP", true},
		{"ingress-nginx/controller", daemon, "8081/TCP", true},
		{"ingress-nginx/controller", daemon, "9090/TCP", false},
		{"ringfence-system/other", daemon, "8080/TCP", false},
		{daemon, "ringfence-system/second", "8081/TCP", true},
		{daemon, "ringfence-system/second", "8080/TCP", false},
		{"ringfence-system/second", daemon, "8081/TCP", true},
		{"ringfence-system/second", daemon, "9090/TCP", false},
		{"8.8.8.8", daemon, "8081/TCP", false},
		{"10.1.2.3", daemon, "9090/TCP", false},
		{daemon, "kube-system/dns", "53/UDP", true},
		{daemon, "kube-system/dns", "53/TCP", true},
		{daemon, "tenant/spy", "53/UDP", false},
		{daemon, "10.100.0.1", "443/TCP", true},
		{daemon, "10.1.2.3", "6443/TCP", true},
		{daemon, "140.82.112.3", "443/TCP", true},
		{daemon, "140.82.112.3", "22/TCP", true},
		{daemon, "140.82.112.3", "80/TCP", false},
		{daemon, "169.254.169.254", "443/TCP", false},
		{daemon, "fd00:ec2::254", "443/TCP", false},
		{daemon, "tenant/spy", "5432/TCP", false},
		{"ringfence-system/other", "10.100.0.1", "443/TCP", false},
	} {
		said, code := ask([]string{"reach", folder, "--from", c.from, "--to", c.to, "--port", c.port})
		want := exitFindings
		if c.allowed {
			want = 0
		}
		assert.Equal(t, want, code, "%s -> %s %s\n%s", c.from, c.to, c.port, said)
	}
}

// The monitors find the daemon: they select its pods, or its Service, and scrape the port of metrics by its name.
func TestManifestsMonitors(t *testing.T) {
	var deployment appsv1.Deployment
	var service corev1.Service
	base := kustomized(t, manifestsFolder)
	find(t, base, "Deployment", "ringfence", &deployment)
	find(t, base, "Service", "ringfence", &service)
	var ports, served []string
	for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
		ports = append(ports, p.Name)
	}
	for _, p := range service.Spec.Ports {
		served = append(served, p.Name)
	}
	for component, of := range map[string]struct {
		endpoints string
		labels    map[string]string
		ports     []string
	}{
		"pod-monitor":     {"podMetricsEndpoints", deployment.Spec.Template.Labels, ports},
		"service-monitor": {"endpoints", service.Labels, served},
	} {
		overlay := t.TempDir()
		relative, err := filepath.Rel(overlay, repositoryPath(t))
		require.NoError(t, err)
		kustomization := "resources: [" + relative + "/base/ringfence]\ncomponents: [" + relative + "/base/ringfence/" + component + "]\n"
		require.NoError(t, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600))
		built := kustomized(t, overlay)
		require.Equal(t, base.Size()+1, built.Size(), component)
		for _, r := range built.Resources() {
			if r.GetApiVersion() != "monitoring.coreos.com/v1" {
				continue
			}
			monitor, err := r.Map()
			require.NoError(t, err)
			spec := monitor["spec"].(map[string]any)
			assert.Contains(t, of.ports, spec[of.endpoints].([]any)[0].(map[string]any)["port"])
			for key, value := range spec["selector"].(map[string]any)["matchLabels"].(map[string]any) {
				assert.Equal(t, value, of.labels[key], component)
			}
		}
	}
}

func repositoryPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(repositoryRoot)
	require.NoError(t, err)
	return path
}

// An overlay that names base/ringfence is refused, whatever namespace it says: the daemon can be no tenant, and gives itself no
// rights. Everybody else is rendered.
func TestManifestsAreNoTenant(t *testing.T) {
	for _, kustomization := range []string{
		"resources: [../../base/ringfence]\n",
		"namespace: caas-self\nresources: [../../base/ringfence]\n",
		"namespace: ringfence-system\nresources: [../../base/ringfence]\n",
		"namespace: caas-self\nresources: [../../base/ringfence/rbac.yaml]\n",
		"namespace: caas-self\nresources: [rbac.yaml]\n",
		"namespace: ringfence-system\nresources: [networkpolicy.yaml]\n",
	} {
		root := t.TempDir()
		require.NoError(t, os.CopyFS(root, ringfence.Example()))
		require.NoError(t, os.RemoveAll(filepath.Join(root, "base", "ringfence")))
		require.NoError(t, os.CopyFS(filepath.Join(root, "base", "ringfence"), os.DirFS(manifestsFolder)))
		require.NoError(t, os.MkdirAll(filepath.Join(root, "overlays", "self"), 0o755))
		require.NoError(t, os.CopyFS(filepath.Join(root, "overlays", "self"), os.DirFS(manifestsFolder))) // its files, as copies
		require.NoError(t, os.Remove(filepath.Join(root, "overlays", "self", "kustomization.yaml")))
		require.NoError(t, os.WriteFile(filepath.Join(root, "overlays", "self", "kustomization.yaml"), []byte(kustomization), 0o600))
		said, code := ask([]string{"render", root})
		assert.Equal(t, exitUnknown, code, kustomization)
		assert.Regexp(t, `(?m)no overlay may hold a ConfigMap|can be no tenant's|outside this kustomization's folder|may not hold the kind ClusterRole`, said, kustomization)
		assert.NotContains(t, said, "kind: ClusterRole", kustomization)
		assert.NotContains(t, said, "namespace: ringfence-system", kustomization)
		assert.Contains(t, said, "namespace: caas-acme", kustomization)
	}
}
