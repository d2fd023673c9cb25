package config_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// fixedPoint holds that what is written of a configuration parses, and is
// written the same again.
func fixedPoint(t require.TestingT, daemon bool, data []byte) bool {
	write := func(data []byte) (string, error) {
		var out bytes.Buffer
		if daemon {
			d, err := config.ParseDaemon("f.yaml", data)
			if err != nil {
				return "", err
			}
			require.NoError(t, strict.WriteYAML(&out, d.Tree()))
			return out.String(), nil
		}
		r, err := config.ParseRepository("f.yaml", data)
		if err != nil {
			return "", err
		}
		require.NoError(t, strict.WriteYAML(&out, r.Tree()))
		// The comment tells a guard that is named from the default.
		return strings.Replace(out.String(), "guard: base/guard # used if it exists", "guard: base/guard", 1), nil
	}
	once, err := write(data)
	if err != nil {
		return false
	}
	twice, err := write([]byte(once))
	require.NoError(t, err, "%q became:\n%s", data, once)
	assert.Equal(t, once, twice)
	return true
}

// settings are lines that may stand in both files, in any combination.
var settings = map[string][]string{
	"layout":  {"tenants: \"t/*\"", "cluster: c", "guard: g", "guard: base/guard", "namespaces: [a-*, \"[b-c]?\"]", "expect: [\"*\"]", "namespaceLabels: []", "tenantTiers: [a, b]"},
	"network": {"podCIDRs: [fd00::/8]", "serviceCIDRs: [1.2.3.4/32]", "dns: {namespace: x}", "dns: {labels: {a/b: \"1\", c: \"\"}}", "calicoVersion: auto"},
	"gate":    {"lint: off", "tests: off"},
	"limits":  {"treeBytes: 1G", "treeBytes: -1", "fileBytes: 4097", "files: -5", "yamlDepth: 3", "yamlAliases: 1", "objectsPerTenant: 2", "renderTime: 90m", "renderTime: -1s"},
}

var daemonSettings = map[string][]string{
	"source":         {"path: a/b", "poll: \"TZ=Europe/Berlin 0 6 * * *\"", "auth: {username: \"a: #b\", tokenFile: \"/x y\"}", "ref: {semver: \">=1 <2\"}", "ref: {tag: \"1.0\"}", "allowRewind: true"},
	"sync":           {"mode: observe", "workers: 3", "qps: 0.25", "qps: -7", "maxPrune: {objects: -1, tenants: 0}"},
	"drift":          {"mode: report", "audit: \"@hourly\"", "extra: report"},
	"http":           {"listen: \"[::1]:0\"", "metricsListen: \":9\""},
	"log":            {"level: debug", "format: json"},
	"leaderElection": {"namespace: x"},
}

func draw(t *rapid.T, from map[string][]string, text *strings.Builder) {
	for _, section := range []string{"source", "sync", "drift", "http", "log", "leaderElection", "layout", "network", "gate", "limits"} {
		lines, seen := from[section], map[string]bool{}
		if section == "source" && lines != nil {
			text.WriteString("source:\n  url: https://git.example.com/r\n")
		} else if len(lines) > 0 {
			fmt.Fprintf(text, "%s:\n  {}\n", section)
		}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, max(0, len(lines)-1)), rapid.ID).Draw(t, section) {
			if len(lines) == 0 {
				break
			}
			key, _, _ := strings.Cut(lines[i], ":")
			if seen[key] {
				continue
			}
			seen[key] = true
			whole := strings.Replace(text.String(), section+":\n  {}\n", section+":\n", 1)
			text.Reset()
			fmt.Fprintf(text, "%s  %s\n", whole, lines[i])
		}
	}
}

// TestFixedPoint holds that the effective configuration means what the file meant.
func TestFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		text.WriteString(repositoryHead)
		draw(t, settings, &text)
		require.True(t, fixedPoint(t, false, []byte(text.String())), "refused:\n%s", text.String())

		text.Reset()
		text.WriteString(daemonHead)
		draw(t, daemonSettings, &text)
		pins := strings.Builder{}
		draw(t, settings, &pins)
		require.True(t, fixedPoint(t, true, []byte(text.String()+pins.String())), "refused:\n%s%s", text.String(), pins.String())
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(repositoryHead))
	f.Add([]byte(daemonSource))
	f.Add([]byte(daemonSource + "listen: :0\nsync: {qps: 1e3}\nlimits: {treeBytes: 64Mi}\n"))
	f.Add([]byte(daemonHead + "source: {url: ssh://h/r, poll: \"TZ=UTC 0 0 * * *\", ref: {semver: ^1}}\n"))
	f.Add([]byte(repositoryHead + "layout: {tenants: \"[a-z]/*\"}\nnetwork: {podCIDRs: [::/0]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fixedPoint(t, false, data)
		fixedPoint(t, true, data)
	})
}
