package main

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// question is a command of people, and the permissions of the table that it misses.
type question struct {
	args []string
	of   func(a permissions.Access) bool
}

// questions are the commands that between them miss every permission, where Calico's own API server serves its kinds.
func questions() []question {
	reads := func(verb string, tiers bool) func(permissions.Access) bool {
		return func(a permissions.Access) bool {
			return a.Verb == verb && inTiers(a) == tiers && a.Group != kinds.GroupStored
		}
	}
	onlyFor := func(verb string, resources ...string) func(permissions.Access) bool {
		return func(a permissions.Access) bool {
			return a.Verb == verb && slices.Contains(resources, a.Resource) && a.Group != kinds.GroupStored
		}
	}
	doctors := []string{"daemonsets", "felixconfigurations"}
	return []question{
		{[]string{"reach", "--live"}, func(a permissions.Access) bool {
			return reads("list", false)(a) && !slices.Contains(doctors, a.Resource)
		}},
		{[]string{"reach", "--live"}, reads("list", true)},
		{[]string{"reach", "--live"}, onlyFor("get", "tiers")},
		{[]string{"diff", "."}, func(a permissions.Access) bool { return a.Verb == "watch" && !inTiers(a) }},
		{[]string{"diff", "."}, reads("watch", true)},
		{[]string{"diff", "."}, onlyFor("get", "configmaps")},
		{[]string{"doctor"}, onlyFor("list", "daemonsets")},
		{[]string{"doctor"}, onlyFor("list", "felixconfigurations")},
		{[]string{"doctor"}, onlyFor("get", "apiservices", "configmaps")},
	}
}

// What people may read is what their commands need: each says which permission it misses, and where that is granted.
func (p *powers) missPeople(t *testing.T) {
	p.t = t
	p.inOrder()
	calico := exec.CommandContext(t.Context(), p.plane.Kubectl(), "apply", "-f", "-")
	calico.Stdin = strings.NewReader(calicoNode)
	out, err := calico.CombinedOutput()
	require.NoError(t, err, "%s", out)
	missed := map[permissions.Access]bool{}
	for _, q := range questions() {
		p.missQuestion(t, q, missed)
	}
	// Calico without its API server, as some clusters are: what it keeps is read itself.
	registrations := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	require.NoError(t, p.dynamic.Resource(registrations).Delete(t.Context(), "v3."+kinds.GroupCalico, metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		_, err := p.kube.Discovery().ServerResourcesForGroupVersion(kinds.GroupCalico + "/v3")
		return err != nil
	}, eventuallyLimit, 20*time.Millisecond)
	stored := func(felix bool) func(permissions.Access) bool {
		return func(a permissions.Access) bool {
			return a.Verb == "list" && a.Group == kinds.GroupStored && (a.Resource == "felixconfigurations") == felix
		}
	}
	p.missQuestion(t, question{[]string{"reach", "--live"}, stored(false)}, missed)
	p.missQuestion(t, question{[]string{"doctor"}, stored(true)}, missed)
	for _, a := range accesses(permissions.Reader) {
		assert.True(t, missed[a], "nobody asks for it: %s", a)
	}
}

const calicoNode = `
apiVersion: v1
kind: Namespace
metadata: {name: calico-system}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: calico-system}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec: {containers: [{name: calico-node, image: "quay.io/calico/node:v3.31.0"}]}
`

// missQuestion has a command miss what it misses, together, or with RINGFENCE_SCALE=full each by itself.
func (p *powers) missQuestion(t *testing.T, q question, missed map[permissions.Access]bool) {
	of := slices.DeleteFunc(accesses(permissions.Reader), func(a permissions.Access) bool { return !q.of(a) })
	require.NotEmpty(t, of, "%v", q.args)
	for _, a := range of {
		missed[a] = true
	}
	together := [][]permissions.Access{of}
	if full() {
		together = nil
		for _, a := range of {
			together = append(together, []permissions.Access{a})
		}
	}
	for _, lacking := range together {
		t.Run(q.args[0]+"/"+lacking[0].String(), func(t *testing.T) {
			p.t = t
			args := append(slices.Clone(q.args), "--kubeconfig", p.account(permissions.Reader, lacking...))
			if q.args[0] == "diff" {
				args[1] = p.clone
			}
			var said string
			require.Eventually(t, func() bool { // on a busy machine it may have waited in vain for an answer, and say that
				var code int
				said, code = ask(args)
				return code == exitUnknown && !slices.ContainsFunc(lacking, func(a permissions.Access) bool { return !names(said, a, permissions.Reader) })
			}, eventuallyLimit, 20*time.Millisecond, "%v\n%s", lacking, (*saidLast)(&said))
		})
	}
}

// saidLast is what was said last, as it stands when it is printed.
type saidLast string

// String implements fmt.Stringer.
func (s *saidLast) String() string { return string(*s) }

// ask runs a command in this process, and returns all that it prints.
func ask(args []string) (said string, code int) {
	var out bytes.Buffer
	code = run(context.Background(), environment{
		Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	return out.String(), code
}
