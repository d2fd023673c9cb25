package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// TestClusterAggregated runs the scripts of TestCluster that concern Calico's kinds on API servers beside which
// Calico's own serves them, as clusters up to Calico 3.31 do; with RINGFENCE_SCALE=full all that may.
func TestClusterAggregated(t *testing.T) {
	params := clusterParams(controlplane.CalicoAggregated)
	params.Files = calicoScripts(t, full())
	testscript.Run(t, params)
}

// TestClusterWithoutCalico runs them on API servers that know nothing of Calico, with the policies of Kubernetes in
// the repository alone; some, or with RINGFENCE_SCALE=full all. What a repository with Calico's comes to there is in diff_unserved and trouble_with_the_cluster.
func TestClusterWithoutCalico(t *testing.T) {
	params := clusterParams(controlplane.NoCalico)
	params.Files = calicoScripts(t, false)
	if !full() { // the life of a tenant, its drift and its end
		params.Files = slices.DeleteFunc(params.Files, func(name string) bool {
			base := filepath.Base(name)
			return base != "tenant_comes_and_goes.txtar" && base != "drift.txtar" && base != "offboarding.txtar"
		})
	}
	testscript.Run(t, params)
}

// calicoScripts returns the scripts of TestCluster that name kinds of Calico, or all that start an API server with them.
func calicoScripts(t *testing.T, all bool) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(clusterScripts, "*.txtar"))
	require.NoError(t, err)
	var out []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		has := func(part string) bool { return strings.Contains(string(text), part) }
		if has("\ncluster -calico") && (all || has("projectcalico") || has("[calico]") || has("$POLICIES")) {
			out = append(out, name)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// exampleFor returns the example repository for a cluster that serves Calico's kinds in the way that is named: without
// them, the guard is deny-all, and the cluster overlay holds nothing yet.
func exampleFor(calico controlplane.Calico) fs.FS {
	if calico != controlplane.NoCalico {
		return ringfence.Example()
	}
	return withFiles{ringfence.Example(), fstest.MapFS{
		"base/guard/kustomization.yaml":         {Data: []byte("resources:\n- deny-all.yaml\n")},
		"base/calico/policy/kustomization.yaml": {Data: []byte("namePrefix: ringfence.\n")},
	}}
}

// withFiles is a file system in which some files are others.
type withFiles struct {
	fs.FS
	files fstest.MapFS
}

// Open implements [fs.FS].
func (w withFiles) Open(name string) (fs.File, error) {
	if w.files[name] != nil {
		return w.files.Open(name)
	}
	return w.FS.Open(name)
}

// asRendered takes off an object what Calico's own API server adds to each: both sides of a rule, and a label.
func asRendered(object map[string]any) {
	if api, _ := object["apiVersion"].(string); api != "projectcalico.org/v3" {
		return
	}
	delete(labels(object), "projectcalico.org/tier")
	spec, _ := object["spec"].(map[string]any)
	for _, direction := range []string{"ingress", "egress"} {
		rules, _ := spec[direction].([]any)
		for _, r := range rules {
			rule := r.(map[string]any)
			maps.DeleteFunc(rule, func(side string, value any) bool {
				fields, is := value.(map[string]any)
				return (side == "source" || side == "destination") && is && len(fields) == 0
			})
		}
	}
}

// killCalico ends Calico's own API server, which stays registered: kill-calico.
func killCalico(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: kill-calico")
	}
	ts.Check((*planeOf(ts)).KillCalico())
}
