package telemetry

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what is generated")

const (
	root   = "../../../.."
	alerts = root + "/base/ringfence/alerts"
)

// rules is a file of rules, as Prometheus loads it.
type rules struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record,omitempty"`
	Alert       string            `json:"alert,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

func loadRules(t *testing.T) (all []rule) {
	t.Helper()
	var file rules
	require.NoError(t, yaml.UnmarshalStrict(read(t, alerts+"/rules.yaml"), &file))
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// loadAlerts returns the alerts by name.
func loadAlerts(t *testing.T) map[string]rule {
	t.Helper()
	byName := map[string]rule{}
	for _, r := range loadRules(t) {
		if r.Alert != "" {
			require.NotContains(t, byName, r.Alert)
			byName[r.Alert] = r
		}
	}
	return byName
}

// compareGolden compares a file with what is generated, or with -update writes it.
func compareGolden(t *testing.T, name string, want []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, want, 0o644))
		return
	}
	require.Equal(t, string(want), string(read(t, name)), "go test ./... -update in cmd/ringfence/internal/telemetry writes %s", name)
}

const prometheusRule = `# The rules of rules.yaml for the Prometheus operator; written from it by the tests of cmd/ringfence/internal/telemetry.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ringfence
  labels:
    app.kubernetes.io/name: ringfence
spec:
`

// The operator's object holds the plain rules, line for line.
func TestPrometheusRule(t *testing.T) {
	name := alerts + "/prometheusrule.yaml"
	_, plain, found := strings.Cut(string(read(t, alerts+"/rules.yaml")), "\ngroups:\n")
	require.True(t, found)
	compareGolden(t, name, []byte(prometheusRule+"  groups:\n"+regexp.MustCompile(`(?m)^.`).ReplaceAllString(plain, "  $0")))

	var object struct {
		Spec map[string]any `json:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(read(t, name), &object))
	var want map[string]any
	require.NoError(t, yaml.Unmarshal(read(t, alerts+"/rules.yaml"), &want))
	assert.Equal(t, want, object.Spec)
}

// Whoever is woken up reads what it is, what it means, what to do, and where there is more.
func TestAlertsSayWhatToDo(t *testing.T) {
	text := string(read(t, root+"/cmd/ringfence/docs/runbook.md"))
	var sections, names []string
	for _, m := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	for name, alert := range loadAlerts(t) {
		names = append(names, name)
		for _, key := range []string{"summary", "impact", "action"} {
			assert.NotEmpty(t, alert.Annotations[key], "%s: %s", name, key)
		}
		assert.Equal(t, Runbook+"#"+strings.ToLower(name), alert.Annotations["runbook_url"])
		assert.Contains(t, []string{"critical", "warning"}, alert.Labels["severity"], name)
		_, section, _ := strings.Cut(text, "\n## "+name+"\n\n")
		assert.Equal(t, alert.Labels["severity"] == "critical", strings.HasPrefix(section, "**Critical.**"), "%s: the runbook says how urgent it is", name)
	}
	assert.ElementsMatch(t, names, sections, "a section for each alert")
}

// promtool runs Prometheus' own tool where the alerts are.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool: Debian's package prometheus has it")
	}
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir = alerts
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestRulesAreAccepted(t *testing.T) { promtool(t, "check", "rules", "--lint-fatal", "rules.yaml") }

func TestRulesFire(t *testing.T) { promtool(t, "test", "rules", "rules_test.yaml") }

// The cases have at least one in which an alert fires, and one in which it does not.
func TestEveryAlertHasCases(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Expr    string `json:"expr"`
				Samples []any  `json:"exp_samples"`
			} `json:"promql_expr_test"`
		} `json:"tests"`
	}
	require.NoError(t, yaml.Unmarshal(read(t, alerts+"/rules_test.yaml"), &file))
	firing, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if m := regexp.MustCompile(`^ALERTS\{alertname="(\w+)", alertstate="firing"`).FindStringSubmatch(c.Expr); m != nil {
				firing[m[1]] = firing[m[1]] || len(c.Samples) > 0
				quiet[m[1]] = quiet[m[1]] || len(c.Samples) == 0
			}
		}
	}
	for name := range loadAlerts(t) {
		assert.True(t, firing[name], "%s: no case in which it fires", name)
		assert.True(t, quiet[name], "%s: no case in which it is quiet", name)
	}
}
