package register

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// What is written is what Calico's manifests have, but for the kind of Service.
func TestObjects(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(ca, []byte("PEM"), 0o600))
	r, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, 4321, ca)
	require.NoError(t, err)
	byKind := map[string]map[string]any{}
	for _, o := range r.objects() {
		byKind[o.object.GetKind()+" "+o.object.GetNamespace()+"/"+o.object.GetName()] = o.object.Object["spec"].(map[string]any)
	}
	assert.Equal(t, map[string]map[string]any{
		"Namespace /calico-apiserver":         {},
		"Service calico-apiserver/calico-api": {"type": "ExternalName", "externalName": "localhost"},
		"APIService /v3.projectcalico.org": {
			"group": "projectcalico.org", "version": "v3", "groupPriorityMinimum": int64(1500), "versionPriority": int64(200),
			"caBundle": "UEVN", "service": map[string]any{"namespace": "calico-apiserver", "name": "calico-api", "port": int64(4321)},
		},
	}, byKind)
	assert.Equal(t, "calico-api.calico-apiserver.svc", ServerName)
}

func TestNewNamesTheMissingAuthority(t *testing.T) {
	_, err := New(&rest.Config{}, 1, filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "reading the certificate authority")
}
