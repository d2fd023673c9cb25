package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

const (
	repositoryHead = "apiVersion: ringfence.dev/v1\nkind: Repository\n"
	daemonHead     = "apiVersion: ringfence.dev/v1\nkind: Config\n"
	daemonSource   = daemonHead + "source: {url: \"https://git.example.com/policies.git\"}\n"
)

func yamlOf(t *testing.T, tree *yaml.Node) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, strict.WriteYAML(&out, tree))
	return out.String()
}

// TestDefaults holds the contract's defaults against what an empty file gives.
func TestDefaults(t *testing.T) {
	r, err := config.ParseRepository("ringfence.yaml", []byte(repositoryHead))
	require.NoError(t, err)
	assert.Equal(t, config.DefaultRepository(), r)
	golden(t, "repository.yaml", yamlOf(t, r.Tree()))

	d, err := config.ParseDaemon("config.yaml", []byte(daemonSource))
	require.NoError(t, err)
	golden(t, "daemon.yaml", yamlOf(t, d.Tree()))
	assert.Equal(t, 30*time.Second, interval(d.Source.Poll))
	assert.Equal(t, 10*time.Minute, interval(d.Drift.Audit))
}

func interval(s config.Schedule) time.Duration {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return s.Next(start).Sub(start)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// TestExample holds that the example repository's own file is accepted.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("../../../../ringfence.yaml")
	require.NoError(t, err)
	r, err := config.ParseRepository("ringfence.yaml", data)
	require.NoError(t, err)
	assert.Equal(t, []string{"caas-*"}, r.Layout.Namespaces)
	assert.True(t, r.GuardRequired())
}

func TestReadRepository(t *testing.T) {
	r, err := config.ReadRepository(fstest.MapFS{})
	require.NoError(t, err)
	assert.Equal(t, config.DefaultRepository(), r)

	r, err = config.ReadRepository(fstest.MapFS{"ringfence.yaml": {Data: []byte(repositoryHead + "gate: {lint: off}\n")}})
	require.NoError(t, err)
	assert.Equal(t, "off", r.Gate.Lint)

	_, err = config.ReadRepository(fstest.MapFS{"ringfence.yaml": {Data: []byte("kind: Repository\n")}})
	assert.EqualError(t, err, "ringfence.yaml:1:1: apiVersion: is required (allowed: ringfence.dev/v1)")

	_, err = config.ReadRepository(fstest.MapFS{"ringfence.yaml/x": {}})
	assert.ErrorContains(t, err, "reading ringfence.yaml: ")
}

func TestMerge(t *testing.T) {
	d, err := config.ParseDaemon("config.yaml", []byte(daemonSource+`
layout: {namespaces: [caas-*], guard: base/isolation}
network: {dns: {labels: {k8s-app: coredns}}}
drift: {mode: report, extra: report}
limits: {fileBytes: 2Mi}
`))
	require.NoError(t, err)
	r, err := config.ParseRepository("ringfence.yaml", []byte(repositoryHead+`
layout: {namespaces: ["*"], expect: [caas-*]}
network: {dns: {namespace: dns, labels: {a: b}}}
limits: {fileBytes: 1Ki, files: 10}
`))
	require.NoError(t, err)
	merged, err := d.Merge(r)
	require.NoError(t, err)

	assert.Equal(t, []string{"caas-*"}, merged.Layout.Namespaces)
	assert.Equal(t, []string{"caas-*"}, merged.Layout.Expect, "what is not pinned is the repository's")
	assert.Equal(t, "base/isolation", merged.Layout.Guard)
	assert.True(t, merged.GuardRequired())
	assert.Equal(t, config.DNS{Namespace: "dns", Labels: map[string]string{"k8s-app": "coredns"}}, merged.Network.DNS)
	assert.Equal(t, config.Bytes(2<<20), merged.Limits.FileBytes)
	assert.Equal(t, 10, merged.Limits.Files)
	assert.Equal(t, []string{"layout.namespaces", "layout.guard", "network.dns.labels", "drift.extra", "limits.fileBytes"}, merged.Pinned())
	assert.Contains(t, yamlOf(t, merged.Tree()), "guard: base/isolation # pinned by the daemon's file\n")
	assert.Contains(t, yamlOf(t, merged.Tree()), "namespaces: # pinned by the daemon's file\n")

	assert.Equal(t, []string{"*"}, r.Layout.Namespaces, "Merge changes nothing in its argument")
	assert.Equal(t, map[string]string{"a": "b"}, r.Network.DNS.Labels)
	assert.Empty(t, r.Pinned())
	assert.Equal(t, "report", d.Drift.Mode)
}

func TestMergeContradiction(t *testing.T) {
	d, err := config.ParseDaemon("config.yaml", []byte(daemonSource+"layout: {cluster: base/guard}\n"))
	require.NoError(t, err, "ringfence.yaml may name another guard")

	_, err = d.Merge(config.DefaultRepository())
	assert.EqualError(t, err, `config.yaml:4:9: layout.guard: is the same folder as layout.cluster, "base/guard" (give the guard a folder of its own)`)

	r, err := config.ParseRepository("ringfence.yaml", []byte(repositoryHead+"layout: {guard: base/isolation}\n"))
	require.NoError(t, err)
	_, err = d.Merge(r)
	assert.NoError(t, err)
}

func TestKustomize(t *testing.T) {
	cfg := config.DefaultRepository().Kustomize()
	assert.Empty(t, cfg.Guard, "the default guard need not exist")
	assert.True(t, cfg.TierPrefix, "of Calico 3.31")
	require.NotNil(t, cfg.Selector)
	require.NoError(t, cfg.Selector("app == 'web'"))
	require.Error(t, cfg.Selector("app = 'web'"))
	_, err := kustomize.New(cfg)
	require.NoError(t, err)

	r, err := config.ParseRepository("ringfence.yaml", []byte(repositoryHead+`
layout: {tenants: "t/*", cluster: c, guard: base/guard, namespaces: [a-*], namespaceLabels: [], tenantTiers: [x], tenantMay: [mode]}
limits: {fileBytes: 5, yamlDepth: 6, yamlAliases: -1, objectsPerTenant: 8, renderTime: 9s}
network: {calicoVersion: "3.32"}
`))
	require.NoError(t, err)
	cfg = r.Kustomize()
	require.NotNil(t, cfg.Selector)
	cfg.Selector = nil // functions cannot be compared
	assert.Equal(t, kustomize.Config{
		Tenants: "t/*", Cluster: "c", Guard: "base/guard",
		Namespaces: []string{"a-*"}, NamespaceLabels: []string{}, TenantTiers: []string{"x"}, TenantMay: []string{"mode"},
		Limits: kustomize.Limits{FileBytes: 5, YAMLDepth: 6, YAMLAliases: -1, ObjectsPerTenant: 8, RenderTime: 9 * time.Second},
	}, cfg)
	_, err = kustomize.New(cfg)
	assert.NoError(t, err)
}

func TestSources(t *testing.T) {
	d, err := config.ParseDaemon("config.yaml", []byte(daemonHead+`
source:
  url: https://git.example.com/policies.git
  ref: {tag: v1}
  path: policies
  auth: {username: u, passwordFile: /p}
  tls: {caFile: /ca, certFile: /cert, keyFile: /key}
  proxy: http://proxy:3128
  allowRewind: true
limits: {files: 7}
`))
	require.NoError(t, err)
	assert.Equal(t, sources.Config{
		URL: "https://git.example.com/policies.git", Ref: sources.Ref{Tag: "v1"}, Path: "policies",
		Auth: sources.Auth{Username: "u", PasswordFile: "/p"}, TLS: sources.TLS{CAFile: "/ca", CertFile: "/cert", KeyFile: "/key"},
		Proxy: "http://proxy:3128", AllowRewind: true,
		Limits: sources.Limits{TreeBytes: sources.DefaultTreeBytes, Files: 7, FileBytes: -1},
	}, d.Sources())
}

func TestCheckTree(t *testing.T) {
	tree := fstest.MapFS{"a/b": {Data: make([]byte, 10)}, "c": {Data: make([]byte, 5)}}
	for limits, want := range map[string]string{
		"{}":                         "",
		"{files: 3, treeBytes: 15}":  "",
		"{files: 2}":                 "measuring the repository: it has more than 2 files and folders, which limits.files allows",
		"{treeBytes: 14}":            "measuring the repository: its files have more than 14 bytes together, which limits.treeBytes allows",
		"{files: -1, treeBytes: -1}": "",
	} {
		r, err := config.ParseRepository("r.yaml", []byte(repositoryHead+"limits: "+limits+"\n"))
		require.NoError(t, err)
		if err := r.CheckTree(tree); want == "" {
			assert.NoError(t, err, limits)
		} else {
			assert.EqualError(t, err, want, limits)
		}
	}
}

func TestShortListen(t *testing.T) {
	d, err := config.ParseDaemon("config.yaml", []byte(daemonSource+"listen: :9090\n"))
	require.NoError(t, err)
	assert.Equal(t, ":9090", d.HTTP.Listen)
	assert.NotContains(t, yamlOf(t, d.Tree()), "\nlisten:")
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("token", "secret\n")
	write("empty", "")
	parse := func(text string) *config.Daemon {
		d, err := config.ParseDaemon("c.yaml", []byte(strings.ReplaceAll(daemonHead+text, "DIR", dir)))
		require.NoError(t, err)
		return d
	}
	assert.NoError(t, parse("source: {url: \"https://h/r\", auth: {tokenFile: DIR/token}}\n").CheckFiles())

	err := parse(`source:
  url: https://h/r
  auth:
    tokenFile: DIR/empty
  tls:
    caFile: DIR/none
    certFile: DIR
    keyFile: DIR/token
`).CheckFiles()
	assert.EqualError(t, err, strings.ReplaceAll(`c.yaml:6:16: source.auth.tokenFile: the file DIR/empty is empty
c.yaml:8:13: source.tls.caFile: there is no file DIR/none
c.yaml:9:15: source.tls.certFile: DIR is a folder, not a file`, "DIR", dir))
}

func TestJSON(t *testing.T) {
	d, err := config.ParseDaemon("c.yaml", []byte(daemonSource))
	require.NoError(t, err)
	b, err := strict.MarshalJSON(d.Tree())
	require.NoError(t, err)
	var got struct {
		Kind   string
		Source struct{ Poll string }
		Sync   struct{ QPS float64 }
	}
	require.NoError(t, json.Unmarshal(b, &got))
	assert.Equal(t, "Config", got.Kind)
	assert.Equal(t, "@every 30s", got.Source.Poll)
	assert.InDelta(t, -1.0, got.Sync.QPS, 0)
}
