package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/permissions"
	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// lack is one permission that is taken away, and what makes the daemon need it.
type lack struct {
	verb, group, resource string
	need                  func(p *powers)
}

// Without a permission the daemon says which one it misses, and where that is granted; and each of these is missed.
func TestPermissionsAreMissed(t *testing.T) {
	p := newPowers(t)
	none := func(*powers) {}
	const calico = "projectcalico.org"
	lacks := []lack{
		{"watch", "", "namespaces", none},
		{"list", "", "namespaces", none},
		{"patch", "", "namespaces", func(p *powers) { p.label("", "namespaces", "", "t-one") }},
		{"watch", "networking.k8s.io", "networkpolicies", none},
		{"list", "networking.k8s.io", "networkpolicies", none},
		{"create", "networking.k8s.io", "networkpolicies", func(p *powers) { p.delete("networking.k8s.io/v1", "networkpolicies", "t-one", "deny-all") }},
		{"patch", "networking.k8s.io", "networkpolicies", func(p *powers) { p.label("networking.k8s.io/v1", "networkpolicies", "t-one", "deny-all") }},
		{"update", "networking.k8s.io", "networkpolicies", func(p *powers) { p.label("networking.k8s.io/v1", "networkpolicies", "t-one", "deny-all") }},
		{"get", "networking.k8s.io", "networkpolicies", func(p *powers) {
			p.conflicts.Store(true)
			p.label("networking.k8s.io/v1", "networkpolicies", "t-one", "deny-all")
		}},
		{"watch", calico, "tiers", none},
		{"list", calico, "globalnetworksets", none},
		{"create", calico, "networksets", func(p *powers) { p.delete(calico+"/v3", "networksets", "t-one", "set") }},
		{"patch", calico, "networksets", func(p *powers) { p.label(calico+"/v3", "networksets", "t-one", "set") }},
		{"update", calico, "networksets", func(p *powers) { p.label(calico+"/v3", "networksets", "t-one", "set") }},
		{"get", "apiregistration.k8s.io", "apiservices", none},
		{"watch", "apiregistration.k8s.io", "apiservices", none},
		{"watch", "apiextensions.k8s.io", "customresourcedefinitions", none},
		{"list", "apps", "daemonsets", none},
		{"watch", "apps", "daemonsets", none},
		{"get", "", "configmaps", none},
		{"get", "coordination.k8s.io", "leases", none},
		{"update", "coordination.k8s.io", "leases", none},
	}
	for _, l := range lacks {
		t.Run(l.verb+" "+strings.TrimSuffix(l.resource+"."+l.group, "."), func(t *testing.T) { p.miss(t, l) })
	}
}

// powers is a control plane with a daemon whose account lacks a permission at a time.
type powers struct {
	t         *testing.T
	plane     *controlplane.ControlPlane
	kube      kubernetes.Interface
	dynamic   dynamic.Interface
	git       *gitserver.Server
	account   string      // its kubeconfig file
	conflicts atomic.Bool // each server-side apply of the daemon's meets another's
}

func newPowers(t *testing.T) *powers {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{
		Log: io.Discard, Calico: controlplane.CalicoCRD,
		// A newer API server streams lists, and lists are asked for by audits alone; an older one has each listed.
		Args: []string{"--feature-gates=WatchList=false"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	require.NoError(t, install(plane.Kubectl(), manifestsFolder))
	p := &powers{plane: plane, account: filepath.Join(t.TempDir(), "kubeconfig")}
	require.NoError(t, writeAccount(plane, "ringfence-system", "ringfence", p.account))
	p.kube, err = kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)
	p.dynamic, err = dynamic.NewForConfig(plane.REST())
	require.NoError(t, err)
	return p
}

// miss takes one permission away and has the daemon say so.
func (p *powers) miss(t *testing.T, l lack) {
	p.t = t
	p.conflicts.Store(false)
	p.grant(nil)
	p.repository()
	p.delete("v1", "configmaps", "ringfence-system", "ringfence-state") // nothing is known of the repository before
	p.delete("coordination.k8s.io/v1", "leases", "ringfence-system", "ringfence")
	p.delete("networking.k8s.io/v1", "networkpolicies", "t-one", "allow")
	whole := p.start()
	whole.until(t, `msg="tenant synced" tenant=t-one`, "there is a leader")
	whole.stop(t)
	p.grant(&l)
	daemon := p.start()
	l.need(p)
	daemon.until(t, fmt.Sprintf(`cannot %s resource \"%s\" in API group \"%s\"`, l.verb, l.resource, l.group), "base/ringfence/rbac.yaml does")
	daemon.stop(t)
}

// grant gives the daemon's account the table's permissions but one, and returns once the API server has heard of it.
func (p *powers) grant(without *lack) {
	var cluster, own []rbacv1.PolicyRule
	for _, a := range accesses() {
		if without != nil && a.Verb == without.verb && a.Group == without.group && a.Resource == without.resource {
			continue
		}
		rule := rbacv1.PolicyRule{APIGroups: []string{a.Group}, Resources: []string{a.Resource}, Verbs: []string{a.Verb}}
		if a.Name != "" {
			rule.ResourceNames = []string{a.Name}
		}
		if a.Own {
			own = append(own, rule)
		} else {
			cluster = append(cluster, rule)
		}
	}
	ctx := p.t.Context()
	wide, err := p.kube.RbacV1().ClusterRoles().Get(ctx, "ringfence", metav1.GetOptions{})
	require.NoError(p.t, err)
	wide.Rules = cluster
	_, err = p.kube.RbacV1().ClusterRoles().Update(ctx, wide, metav1.UpdateOptions{})
	require.NoError(p.t, err)
	narrow, err := p.kube.RbacV1().Roles("ringfence-system").Get(ctx, "ringfence", metav1.GetOptions{})
	require.NoError(p.t, err)
	narrow.Rules = own
	_, err = p.kube.RbacV1().Roles("ringfence-system").Update(ctx, narrow, metav1.UpdateOptions{})
	require.NoError(p.t, err)
	for _, a := range accesses() {
		want := without == nil || a.Verb != without.verb || a.Group != without.group || a.Resource != without.resource
		require.Eventually(p.t, func() bool { return p.may(a) == want }, eventuallyLimit, 5*time.Millisecond, "%s", a)
	}
}

func accesses() (out []permissions.Access) {
	for _, r := range permissions.Of(permissions.Rules(""), permissions.Daemon) {
		out = append(out, r.Accesses()...)
	}
	return out
}

func (p *powers) may(a permissions.Access) bool {
	review, err := p.kube.AuthorizationV1().SubjectAccessReviews().Create(p.t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:ringfence-system:ringfence", Groups: []string{"system:authenticated"},
			ResourceAttributes: a.Attributes("ringfence-system"),
		},
	}, metav1.CreateOptions{})
	require.NoError(p.t, err)
	return review.Status.Allowed
}

// repository serves a policy repository anew.
func (p *powers) repository() {
	server, err := gitserver.New(gitserver.Config{Dir: p.t.TempDir()})
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = server.Close() })
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"ringfence.yaml":                  "apiVersion: ringfence.dev/v1\nkind: Repository\nlayout: {namespaces: [\"t-*\"]}\n",
		"base/guard/kustomization.yaml":   "resources: [deny-all.yaml]\n",
		"base/guard/deny-all.yaml":        policyYAML("deny-all", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
		"overlays/one/kustomization.yaml": "namespace: t-one\nresources: [namespace.yaml, allow.yaml, other.yaml, set.yaml]\n",
		"overlays/one/namespace.yaml":     "apiVersion: v1\nkind: Namespace\nmetadata: {name: t-one, labels: {team: one}}\n",
		"overlays/one/allow.yaml":         policyYAML("allow", "{podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{}]}"),
		"overlays/one/other.yaml":         policyYAML("other", "{podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress], ingress: [{}]}"),
		"overlays/one/set.yaml":           "apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: set}\nspec: {nets: [192.0.2.0/24]}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	require.NoError(p.t, server.CreateRepository("policies", files))
	p.git = server
}

func (p *powers) of(version, resource, namespace string) dynamic.ResourceInterface {
	gv, err := schema.ParseGroupVersion(version)
	require.NoError(p.t, err)
	if version == "" {
		gv.Version = "v1"
	}
	if namespace == "" {
		return p.dynamic.Resource(gv.WithResource(resource))
	}
	return p.dynamic.Resource(gv.WithResource(resource)).Namespace(namespace)
}

func (p *powers) delete(version, resource, namespace, name string) {
	_ = p.of(version, resource, namespace).Delete(p.t.Context(), name, metav1.DeleteOptions{}) // or it is not there
}

// label changes an object that is Git's.
func (p *powers) label(version, resource, namespace, name string) {
	_, err := p.of(version, resource, namespace).Patch(p.t.Context(), name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"team":"two","foreign":"yes"}}}`), metav1.PatchOptions{FieldManager: "rogue"})
	require.NoError(p.t, err)
}

// wrap makes applies of the daemon's conflict.
func (p *powers) wrap(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if p.conflicts.Load() && r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/networkpolicies/") && r.URL.Query().Get("dryRun") == "" {
			return &http.Response{
				StatusCode: http.StatusConflict, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
				Header: http.Header{"Content-Type": {"application/json"}},
				Body:   io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"it was changed","reason":"Conflict","code":409}`)),
			}, nil
		}
		return next.RoundTrip(r)
	})
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// missing is a daemon that runs in this process, and what it has logged.
type missing struct {
	cancel context.CancelFunc
	ended  chan error

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (d *missing) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

func (p *powers) start() *missing {
	rest, err := clientcmd.BuildConfigFromFlags("", p.account)
	require.NoError(p.t, err)
	rest.Wrap(p.wrap)
	file, err := config.ParseDaemon("config.yaml", fmt.Appendf(nil, `
apiVersion: ringfence.dev/v1
kind: Config
dataDir: %s
source: {url: %q, poll: "@every 1s"}
drift: {audit: "@every 1s"}
leaderElection: {enabled: true}
http: {listen: "127.0.0.1:0"}
`, p.t.TempDir(), p.git.URL("policies")))
	require.NoError(p.t, err)
	d := &missing{ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go func() {
		d.ended <- app.Run(ctx, app.Config{Daemon: file, REST: rest, Build: webBuild(), Log: slog.New(slog.NewTextHandler(d, nil))})
	}()
	return d
}

// until waits until a line of the log has all of the texts.
func (d *missing) until(t *testing.T, texts ...string) {
	t.Helper()
	said := func() string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.log.String()
	}
	for deadline := time.Now().Add(eventuallyLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		all := said()
		if !strings.Contains(all, texts[0]) {
			continue
		}
		for _, text := range texts[1:] {
			if !strings.Contains(all, text) {
				all = ""
			}
		}
		if all != "" {
			return
		}
	}
	require.Fail(t, "it does not say so", "%s\n%s", texts, said())
}

func (d *missing) stop(t *testing.T) {
	d.cancel()
	assert.NoError(t, <-d.ended)
}
