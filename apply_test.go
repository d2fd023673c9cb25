package ringfence_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// cluster is a real API server with Calico's resources, spoken to as a person does.
type cluster struct {
	kubectl string
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Calico: controlplane.CalicoCRD, Log: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	return cluster{plane.Kubectl()}
}

// run runs kubectl, which must succeed and warn of nothing, and returns what it printed.
func (c cluster) run(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.kubectl, args...)
	command.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	require.NoError(t, err, "kubectl %s:\n%s", strings.Join(args, " "), stderr.String())
	assert.Empty(t, stderr.String(), "kubectl %s warns", strings.Join(args, " "))
	return stdout.String()
}

// apply writes objects as Ringfence does, with the strictest validation that there is, and says
// that the API server then has each policy just as it was rendered: nothing was dropped, and
// nothing filled in that the example left open.
func (c cluster) apply(t *testing.T, objects []kustomize.Object) {
	t.Helper()
	manifest := manifestOf(t, objects)
	c.run(t, manifest, "apply", "--server-side", "--field-manager=ringfence", "--validate=strict", "-f", "-")

	var live unstructured.UnstructuredList
	require.NoError(t, json.Unmarshal([]byte(c.run(t, manifest, "get", "-o", "json", "-f", "-")), &live))
	require.Len(t, live.Items, len(objects))
	for i, object := range objects {
		require.Equal(t, object.GetName(), live.Items[i].GetName())
		if object.Kind != kinds.Namespace { // its spec is the server's own
			assert.Equal(t, object.Object["spec"], live.Items[i].Object["spec"], "%s %s", object.Kind.Resource, object.GetName())
		}
	}
}

func manifestOf(t *testing.T, objects []kustomize.Object) []byte {
	t.Helper()
	var manifest bytes.Buffer
	for _, object := range objects {
		data, err := yaml.Marshal(object.Object)
		require.NoError(t, err)
		manifest.WriteString("---\n")
		manifest.Write(data)
	}
	return manifest.Bytes()
}

// Everything of the example that Ringfence applies is taken by a real API server, as it is.
func TestExampleApplies(t *testing.T) {
	rendering := renderExample(t)
	c := startCluster(t)
	for _, tenant := range append([]*kustomize.Tenant{rendering.Cluster}, rendering.Tenants...) {
		c.apply(t, tenant.Objects)
	}
	t.Run("by hand", func(t *testing.T) {
		for _, folder := range []string{"overlays/cluster", "overlays/acme", "overlays/globex", "overlays/initech"} {
			c.run(t, nil, "apply", "--server-side", "--dry-run=server", "--field-manager=ringfence", "--validate=strict", "-k", folder)
		}
	})
	t.Run("Calico's installation", func(t *testing.T) {
		definitions, err := controlplane.OperatorCRDs(t.Context())
		require.NoError(t, err)
		c.run(t, nil, "apply", "--server-side", "--force-conflicts", "-f", definitions)
		c.run(t, nil, "wait", "--for=condition=Established", "--timeout=1m", "-f", definitions)
		c.run(t, nil, "apply", "--server-side", "--validate=strict", "-k", "base/calico/install")
		for field, want := range map[string]string{"kubernetesProvider": "EKS", "cni.type": "AmazonVPC"} {
			assert.Equal(t, want, c.run(t, nil, "get", "installations.operator.tigera.io", "default", "-o", "jsonpath={.spec."+field+"}"))
		}
	})
	t.Run("an IPv4-mapped exception is refused", func(t *testing.T) {
		// Why base/tenant/internet.yaml excepts ::/80, which is wider.
		internet, err := fs.ReadFile(ringfence.Example(), "base/tenant/internet.yaml")
		require.NoError(t, err)
		command := exec.CommandContext(t.Context(), c.kubectl, "create", "--dry-run=server", "--namespace=default", "-f", "-")
		command.Stdin = bytes.NewReader(bytes.Replace(internet, []byte("::/80 "), []byte("::ffff:0:0/96 "), 1))
		out, err := command.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "must be a strict subset of `cidr`")
	})
}
