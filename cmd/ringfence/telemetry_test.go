package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestTelemetryModule has the tests of the nested module run, which knows Prometheus' parser and
// Grafana's schema: those of dashboards, alerts and recording rules. Without promtool it says so and leaves their cases out.
func TestTelemetryModule(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Log("there is no promtool (Debian: prometheus): the rules are parsed, and not tried on their cases")
	}
	testModule(t, filepath.Join("internal", "telemetry"))
}

// What a cluster is given builds as it is: ConfigMaps that Grafana's sidecar finds and kubectl can apply, objects of
// grafana-operator that refer to them, and the operator's rules.
func TestTelemetryKustomizations(t *testing.T) {
	builds := map[string]resmap.ResMap{}
	for _, folder := range []string{"alerts", "dashboards", "grafana-operator"} {
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(repositoryRoot, "base", "ringfence", folder))
		require.NoError(t, err, folder)
		builds[folder] = resources
	}
	require.Equal(t, 1, builds["alerts"].Size())
	assert.Equal(t, "PrometheusRule", builds["alerts"].Resources()[0].GetKind())

	keys := map[string]string{}
	for _, r := range builds["dashboards"].Resources() {
		assert.Equal(t, "1", r.GetLabels()["grafana_dashboard"], r.GetName())
		assert.Less(t, len(r.MustYaml()), 256<<10, "%s: kubectl apply keeps it whole in an annotation", r.GetName())
		for key, text := range r.GetDataMap() {
			keys[r.GetName()] = key
			assert.True(t, json.Valid([]byte(text)), key)
		}
	}
	assert.Len(t, keys, 3)
	for _, r := range builds["grafana-operator"].Resources() {
		if r.GetKind() == "GrafanaDashboard" {
			name, err := r.GetString("spec.configMapRef.name")
			require.NoError(t, err)
			key, err := r.GetString("spec.configMapRef.key")
			require.NoError(t, err)
			assert.Equal(t, keys[name], key, r.GetName())
			delete(keys, name)
		}
	}
	assert.Empty(t, keys, "dashboards without an object for grafana-operator")
}

// Every command that the runbook gives for Ringfence is one, with the flags that it has.
func TestRunbookCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "runbook.md"))
	require.NoError(t, err)
	commands := regexp.MustCompile("`ringfence ([^`|]+)").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, commands)
	for _, m := range commands {
		command, rest, err := newRootCommand(environment{}).Find(strings.Fields(m[1]))
		require.NoError(t, err, m[1])
		require.True(t, command.HasParent(), "%s: no such command", m[1])
		require.NoError(t, command.ParseFlags(rest), m[1])
		require.NoError(t, command.ValidateArgs(command.Flags().Args()), m[1])
	}
}
