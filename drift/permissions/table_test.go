package permissions

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

var update = flag.Bool("update", false, "write the tables of docs/rbac.md anew")

const (
	manifests = "../../base/ringfence"
	document  = "../../cmd/ringfence/docs/rbac.md"
)

// granted is what a file's roles grant, by holder, as lines that can be compared.
func granted(t *testing.T, file string) map[Holder][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(manifests, file))
	require.NoError(t, err)
	out := map[Holder][]string{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var role rbacv1.ClusterRole // a Role has the same fields
		err := decoder.Decode(&role)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		if !strings.HasSuffix(role.Kind, "Role") {
			continue
		}
		own := role.Kind == "Role"
		assert.Equal(t, own, role.Namespace == "ringfence-system", role.Name)
		for _, rule := range role.Rules {
			if role.Name == "ringfence-viewer" { // the daemon's own pages, and nothing of the cluster's
				assert.Equal(t, rbacv1.PolicyRule{NonResourceURLs: []string{"/ringfence/*"}, Verbs: []string{"get"}}, rule)
				continue
			}
			assert.Empty(t, rule.NonResourceURLs, role.Name)
			for _, group := range rule.APIGroups {
				one := Rule{Group: group, Resources: rule.Resources, Names: rule.ResourceNames, Verbs: rule.Verbs, Own: own}
				out[Holder(role.Name)] = append(out[Holder(role.Name)], lines([]Rule{one})...)
			}
		}
	}
}

func lines(rules []Rule) (out []string) {
	for _, r := range rules {
		for _, a := range r.Accesses() {
			out = append(out, a.String())
		}
	}
	slices.Sort(out)
	return out
}

// The roles grant what the table says, nothing else, and nothing twice.
func TestRolesAreTheTable(t *testing.T) {
	for file, who := range map[string]Holder{"rbac.yaml": Daemon, "readers.yaml": Reader} {
		want, got := lines(Of(Rules(""), who)), granted(t, file)
		require.Len(t, got, 1, file)
		slices.Sort(got[who])
		assert.Equal(t, want, got[who], file)
		assert.Equal(t, want, slices.Compact(slices.Clone(want)), "the table says something twice")
	}
}

// Nothing is granted that a security team would not: no wildcard, no Secret, no way into a pod, no way to
// other rights, and no write outside the daemon's own kinds.
func TestNothingDangerous(t *testing.T) {
	writable := []string{"namespaces", "events", "configmaps", "leases", "tokenreviews", "subjectaccessreviews"}
	for _, r := range Rules("") {
		for _, a := range r.Accesses() {
			assert.NotContains(t, a.String(), "*")
			assert.NotContains(t, []string{"secrets", "pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token", "nodes/proxy"}, a.Resource)
			assert.NotContains(t, []string{"bind", "escalate", "impersonate", "deletecollection", "use", "approve", "sign"}, a.Verb)
			assert.NotEqual(t, "rbac.authorization.k8s.io", a.Group)
			reads := slices.Contains([]string{"get", "list", "watch"}, a.Verb)
			if r.Holder == Reader {
				assert.True(t, reads, "%s: who reads writes nothing", a)
			}
			if !reads && !strings.Contains(a.Group, "networking.k8s.io") && a.Group != "projectcalico.org" {
				assert.Contains(t, writable, a.Resource, "%s", a)
			}
			assert.False(t, a.Resource == "namespaces" && a.Verb == "delete")
			assert.False(t, a.Resource == "configmaps" && !a.Own)
		}
		assert.False(t, r.Names != nil && slices.Contains(r.Verbs, "create"), "RBAC knows no name at a create")
		assert.True(t, strings.HasSuffix(r.Lost, "."), r.Lost)
	}
}

// Another instance has a lease of its own.
func TestRulesOfAnInstance(t *testing.T) {
	assert.Contains(t, lines(Rules("blue")), `update leases.coordination.k8s.io "ringfence-blue" in Ringfence's namespace`)
	assert.Contains(t, lines(Rules("default")), `update leases.coordination.k8s.io "ringfence" in Ringfence's namespace`)
	assert.NotContains(t, lines(Rules("blue")), `update leases.coordination.k8s.io "ringfence" in Ringfence's namespace`)
}

// The document has the table, as it is; -update writes it.
func TestDocumentIsTheTable(t *testing.T) {
	data, err := os.ReadFile(document)
	require.NoError(t, err)
	text := string(data)
	for _, who := range []Holder{Daemon, Reader} {
		begin, end := fmt.Sprintf("<!-- table: %s -->\n", who), "<!-- end -->"
		before, rest, ok := strings.Cut(text, begin)
		require.True(t, ok, "%s has no %s", document, begin)
		_, after, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s has no %s", document, end)
		text = before + begin + "\n" + markdown(Of(Rules(""), who)) + "\n" + end + after
	}
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(text), 0o644))
		return
	}
	assert.Equal(t, text, string(data), "run: go test ./drift/permissions -update")
}

func markdown(rules []Rule) string {
	var b strings.Builder
	b.WriteString("| group | resources | verbs | needed | without it |\n|---|---|---|---|---|\n")
	for _, r := range rules {
		group, resources, needed := r.Group, "`"+strings.Join(r.Resources, "` `")+"`", "required"
		if group == "" {
			group = "core"
		}
		if r.Names != nil {
			resources += ", only `" + strings.Join(r.Names, "` `") + "`"
		}
		if r.Own {
			resources += ", in its own namespace"
		}
		if r.Optional {
			needed = "optional"
		}
		if r.If != Always {
			needed += ": " + string(r.If)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", group, resources, strings.Join(r.Verbs, " "), needed, r.Lost)
	}
	return b.String()
}
