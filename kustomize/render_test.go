package kustomize

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden parts of testdata anew")

// Files of an archive in testdata that are no part of its tree.
const (
	configFile = "CONFIG" // the Config's fields as YAML; owners: namespace → overlay
	wantFile   = "WANT"   // the golden summary of the rendering
)

// treeOf returns the files of a txtar archive as a file system.
func treeOf(archive *txtar.Archive) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name != configFile && f.Name != wantFile {
			tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return tree
}

// archiveText returns a tree from text in txtar's format.
func archiveText(text string) fstest.MapFS { return treeOf(txtar.Parse([]byte(text))) }

func configOf(t testing.TB, archive *txtar.Archive) Config {
	t.Helper()
	var c struct {
		Tenants, Cluster, Guard, OwnNamespace    string
		Namespaces, NamespaceLabels, TenantTiers []string
		TenantMay                                []string
		Limits                                   Limits
		Owners                                   map[string]string
	}
	for _, f := range archive.Files {
		if f.Name == configFile {
			require.NoError(t, yaml.UnmarshalStrict(f.Data, &c))
		}
	}
	return Config{
		Tenants: c.Tenants, Cluster: c.Cluster, Guard: c.Guard, OwnNamespace: c.OwnNamespace,
		Namespaces: c.Namespaces, NamespaceLabels: c.NamespaceLabels, TenantTiers: c.TenantTiers, TenantMay: c.TenantMay, Limits: c.Limits,
		Owner: func(ns string) (string, bool) { o, ok := c.Owners[ns]; return o, ok },
	}
}

func render(t testing.TB, cfg Config, tree fs.FS) *Rendering {
	t.Helper()
	r, err := New(cfg)
	require.NoError(t, err)
	got, err := r.Render(context.Background(), tree)
	require.NoError(t, err)
	return got
}

// summary writes down what a rendering says, for golden files.
func summary(r *Rendering) string {
	var b strings.Builder
	for _, t := range r.Tenants {
		summarize(&b, "tenant "+t.Name, t)
	}
	if r.Cluster != nil {
		summarize(&b, "cluster", r.Cluster)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "problem %s\n", p)
	}
	for _, f := range r.Unplaced {
		fmt.Fprintf(&b, "unplaced %s\n", f)
	}
	return b.String()
}

func summarize(b *strings.Builder, title string, t *Tenant) {
	fmt.Fprintf(b, "%s: %s\n", title, t.Overlay)
	for _, list := range []struct {
		title   string
		objects []Object
	}{{"object", t.Objects}, {"setting", t.Settings}} {
		for _, o := range list.objects {
			notes := ""
			if o.Guard {
				notes += " guard"
			}
			if ingress, egress := o.Isolates(); ingress || egress {
				notes += fmt.Sprintf(" isolates(%t,%t)", ingress, egress)
			}
			fmt.Fprintf(b, "  %s %s/%s %s %s:%d%s\n", list.title, o.GetAPIVersion(), o.GetKind(), strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/"), o.Origin.File, o.Origin.Line, notes)
		}
	}
	for _, p := range t.Problems {
		fmt.Fprintf(b, "  problem %s\n", p)
	}
}

// TestRender renders each tree of testdata/render and compares what comes out, down to
// the text of each problem.
func TestRender(t *testing.T) {
	files, err := filepath.Glob("testdata/render/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			got := summary(render(t, configOf(t, archive), treeOf(archive)))
			last := &archive.Files[len(archive.Files)-1]
			require.Equal(t, wantFile, last.Name, "the last file of the archive")
			if *update {
				last.Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
			assert.Equal(t, string(last.Data), got)
		})
	}
}
