package controlplane

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// kubectl runs p's kubectl in an environment whose KUBECONFIG names another
// cluster, and returns what it prints.
func kubectl(t *testing.T, p *ControlPlane, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.Kubectl(), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG=/nowhere/production", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func testKubectl(t *testing.T, p *ControlPlane) {
	out, err := kubectl(t, p, "version")
	require.NoError(t, err, out)
	assert.Regexp(t, `Client Version: v1\.37\.\d+\n`, out)
	assert.Regexp(t, `Server Version: v1\.37\.\d+\n`, out)

	out, err = kubectl(t, p, "get", "ns", "-o", "name")
	require.NoError(t, err, out)
	assert.Contains(t, out, "namespace/kube-system\n")

	// The public group, not the storage, which holds no tier.
	out, err = kubectl(t, p, "get", "tiers", "-o", "name")
	require.NoError(t, err, out)
	assert.Contains(t, out, "tier.projectcalico.org/default\n")

	out, err = kubectl(t, p, "auth", "can-i", "delete", "namespaces", "--as", "nobody")
	require.Error(t, err)
	assert.Contains(t, out, "no")

	out, err = kubectl(t, p, "get", "nonsense")
	require.Error(t, err)
	assert.Contains(t, out, `the server doesn't have a resource type "nonsense"`)

	out, err = kubectl(t, p, "--kubeconfig", "/nowhere/else", "get", "ns")
	require.Error(t, err, "an explicit --kubeconfig wins")
	assert.Contains(t, out, "/nowhere/else")

	info, err := os.Stat(p.Kubeconfig())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func testOperator(t *testing.T, p *ControlPlane) {
	path, err := OperatorCRDs(t.Context())
	require.NoError(t, err)
	out, err := kubectl(t, p, "apply", "--server-side", "-f", path)
	require.NoError(t, err, out)
	out, err = kubectl(t, p, "wait", "--for=condition=Established", "--timeout=60s", "crd/installations.operator.tigera.io", "crd/apiservers.operator.tigera.io")
	require.NoError(t, err, out)

	installation := object("Installation", "default", map[string]any{"kubernetesProvider": "EKS", "cni": map[string]any{"type": "AmazonVPC"}})
	installation.SetAPIVersion("operator.tigera.io/v1")
	d, err := dynamic.NewForConfig(p.REST())
	require.NoError(t, err)
	eventually(t, func() bool {
		_, err = d.Resource(schema.GroupVersionResource{Group: "operator.tigera.io", Version: "v1", Resource: "installations"}).
			Create(t.Context(), installation, metav1.CreateOptions{FieldValidation: "Strict"})
		return err == nil
	}, "an Installation is accepted")
}

// A folder whose name is hostile to a shell is still one word to it.
func TestKubectlScriptQuotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's $HOME "and" more`)
	require.NoError(t, os.Mkdir(dir, 0o700))
	binary := filepath.Join(dir, "binary")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\necho \"$KUBECONFIG\" \"$@\"\n"), 0o700))
	path := filepath.Join(dir, "kubectl")
	require.NoError(t, writeKubectl(path, binary, filepath.Join(dir, "kubeconfig")))
	out, err := exec.Command(path, "get", "a b").Output()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "kubeconfig")+" kubectl get a b", strings.TrimSpace(string(out)))
}
