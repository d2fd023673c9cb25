package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/permissions"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sources/gitserver"
	engine "github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// powers is a control plane and a policy repository with an object of every guarded kind, for daemons whose accounts lack something.
type powers struct {
	t         *testing.T // the one that runs
	plane     *controlplane.ControlPlane
	kube      kubernetes.Interface
	dynamic   dynamic.Interface
	git       *gitserver.Server
	clone     string // of its repository
	accounts  int
	spoiled   bool        // the cluster may not be as Git says
	conflicts atomic.Bool // each server-side apply of a daemon's meets another's
}

func newPowers(t *testing.T, calico controlplane.Calico, args ...string) *powers {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard, Calico: calico, Args: args})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	require.NoError(t, install(plane.Kubectl(), manifestsFolder))
	p := &powers{t: t, plane: plane, spoiled: true}
	p.kube, err = kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)
	p.dynamic, err = dynamic.NewForConfig(plane.REST())
	require.NoError(t, err)
	define := exec.CommandContext(t.Context(), plane.Kubectl(), "apply", "-f", "-") // the one guarded kind that no control plane serves
	define.Stdin = strings.NewReader(clusterNetworkPolicies)
	out, err := define.CombinedOutput()
	require.NoError(t, err, "%s", out)

	p.git, err = gitserver.New(gitserver.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.git.Close() })
	files := fstest.MapFS{}
	for name, content := range p.files() {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	require.NoError(t, p.git.CreateRepository("policies", files))
	p.clone = filepath.Join(t.TempDir(), "clone")
	p.run("git", "clone", "-q", p.git.Folder("policies"), p.clone)
	return p
}

const clusterNetworkPolicies = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: clusternetworkpolicies.policy.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for tests only"}
spec:
  group: policy.networking.k8s.io
  names: {kind: ClusterNetworkPolicy, plural: clusternetworkpolicies, singular: clusternetworkpolicy, listKind: ClusterNetworkPolicyList}
  scope: Cluster
  versions:
  - name: v1alpha2
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// specs are those of an object of every guarded kind, none of which opens or closes anything for a pod that there may be.
func specs() map[string]string {
	const rules = `selector: app == "a", types: [Ingress], ingress: [{action: Allow}]`
	return map[string]string{
		"networkpolicies." + kinds.GroupKubernetes:             `{podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{}]}`,
		"networkpolicies." + kinds.GroupCalico:                 `{` + rules + `}`,
		"networksets." + kinds.GroupCalico:                     `{nets: [192.0.2.0/24]}`,
		"stagednetworkpolicies." + kinds.GroupCalico:           `{stagedAction: Set, ` + rules + `}`,
		"stagedkubernetesnetworkpolicies." + kinds.GroupCalico: `{stagedAction: Set, podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{}]}`,
		"tiers." + kinds.GroupCalico:                           `{order: 500}`,
		"globalnetworkpolicies." + kinds.GroupCalico:           `{` + rules + `}`,
		"globalnetworksets." + kinds.GroupCalico:               `{nets: [192.0.2.0/24]}`,
		"stagedglobalnetworkpolicies." + kinds.GroupCalico:     `{stagedAction: Set, ` + rules + `}`,
		"clusternetworkpolicies." + kinds.GroupPolicy:          `{tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`,
		"adminnetworkpolicies." + kinds.GroupPolicy:            `{priority: 5, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`,
		"baselineadminnetworkpolicies." + kinds.GroupPolicy:    `{subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}]}]}`,
	}
}

// nameOf returns the name that the object of a kind has in the repository.
func nameOf(k kinds.Kind) string {
	if k.Kind == "BaselineAdminNetworkPolicy" { // nobody may call one otherwise
		return "default"
	}
	if k.Tiered { // both spellings of which are one
		return "default.one"
	}
	return "one"
}

// tenantOf returns the tenant that has the object of a kind: each namespaced kind has one of its own, so that no failure
// hides another.
func tenantOf(k kinds.Kind) string {
	if !k.Namespaced {
		return ""
	}
	return strings.ToLower("t-" + k.Resource + "-" + strings.ReplaceAll(k.Group, ".", "-"))
}

// files are those of the repository.
func (p *powers) files() map[string]string {
	all := specs()
	out := map[string]string{
		"ringfence.yaml": "apiVersion: ringfence.dev/v1\nkind: Repository\nlayout: {namespaces: [\"t-*\"]}\ngate: {lint: off, tests: off}\n",
		// Something is left of the cluster overlay without the rest.
		"overlays/cluster/stays.yaml": "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: stays}\nspec: {nets: [198.51.100.0/24]}\n",
	}
	cluster := []string{"stays.yaml"}
	for _, k := range kinds.Guarded() {
		spec, ok := all[k.Resource+"."+k.Group]
		require.True(p.t, ok, "%s: a guarded kind of which no object is known here", k.Kind)
		text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n", k.GroupVersion(), k.Kind, nameOf(k), spec)
		tenant := tenantOf(k)
		if tenant == "" {
			cluster = append(cluster, k.Resource+".yaml")
			out["overlays/cluster/"+k.Resource+".yaml"] = text
			continue
		}
		for name, content := range overlayOf(tenant, "policy.yaml") {
			out[name] = content
		}
		out["overlays/"+tenant+"/policy.yaml"] = text
	}
	out["overlays/cluster/kustomization.yaml"] = "resources: [" + strings.Join(cluster, ", ") + "]\n"
	return out
}

// overlayOf returns the files of an overlay with a Namespace and files of others.
func overlayOf(tenant string, resources ...string) map[string]string {
	return map[string]string{
		"overlays/" + tenant + "/kustomization.yaml": fmt.Sprintf("namespace: %s\nresources: [%s]\n", tenant, strings.Join(append([]string{"namespace.yaml"}, resources...), ", ")),
		"overlays/" + tenant + "/namespace.yaml":     fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {team: one}}\n", tenant),
	}
}

// push commits files and pushes them.
func (p *powers) push(files map[string]string) {
	for name, content := range files {
		path := filepath.Join(p.clone, filepath.FromSlash(name))
		require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(p.t, os.WriteFile(path, []byte(content), 0o600))
	}
	p.run("git", "-C", p.clone, "add", "-A")
	p.run("git", "-C", p.clone, "commit", "-q", "--allow-empty", "-m", "more")
	p.run("git", "-C", p.clone, "push", "-q", "origin", "HEAD:main")
}

func (p *powers) run(name string, args ...string) string {
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Env = os.Environ()
	for key, value := range gitIdentity {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// emptied takes every object but one out of Git.
func (p *powers) emptied(*weakDaemon) {
	files := map[string]string{"overlays/cluster/kustomization.yaml": "resources: [stays.yaml]\n"}
	for _, k := range kinds.Guarded() {
		if tenant := tenantOf(k); tenant != "" {
			for name, content := range overlayOf(tenant) {
				files[name] = content
			}
		}
	}
	p.push(files)
}

// pushAnything pushes a commit that changes a tenant.
func (p *powers) pushAnything(*weakDaemon) {
	p.push(map[string]string{"overlays/t-networksets-projectcalico-org/policy.yaml": "apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: one}\nspec: {nets: [203.0.113.0/24]}\n"})
}

// newTenant pushes the overlay of a tenant that there was never.
func (p *powers) newTenant(*weakDaemon) { p.push(overlayOf("t-new")) }

func (p *powers) forgetState(*weakDaemon) {
	require.NoError(p.t, p.kube.CoreV1().ConfigMaps("ringfence-system").Delete(p.t.Context(), engine.StateName, metav1.DeleteOptions{}))
}

func (p *powers) forgetLease(*weakDaemon) {
	require.NoError(p.t, p.kube.CoordinationV1().Leases("ringfence-system").Delete(p.t.Context(), "ringfence", metav1.DeleteOptions{}))
}

// each does something to the object of each guarded kind but tiers, without which the rest is not written, or of the
// resources that are named, of which one may be a tenant's Namespace.
func (p *powers) each(do func(k kinds.Kind, namespace, name string), only ...string) {
	for _, k := range kinds.Guarded() {
		if len(only) == 0 && k != kinds.Tier || slices.Contains(only, k.Resource) {
			do(k, tenantOf(k), nameOf(k))
		}
	}
	if slices.Contains(only, kinds.Namespace.Resource) {
		do(kinds.Namespace, "", tenantOf(kinds.NetworkPolicy))
	}
}

func (p *powers) of(k kinds.Kind, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return p.dynamic.Resource(k.GVR())
	}
	return p.dynamic.Resource(k.GVR()).Namespace(namespace)
}

func (p *powers) delete(k kinds.Kind, namespace, name string) {
	require.NoError(p.t, p.of(k, namespace).Delete(p.t.Context(), name, metav1.DeleteOptions{}))
}

// label changes a label that Git may say, and adds another.
func (p *powers) label(k kinds.Kind, namespace, name string) {
	_, err := p.of(k, namespace).Patch(p.t.Context(), name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"team":"two","foreign":"yes"}}}`), metav1.PatchOptions{FieldManager: "rogue"})
	require.NoError(p.t, err)
}

// labelTwice has the same drift corrected twice: its Event recurs.
func (p *powers) labelTwice(d *weakDaemon) {
	p.each(p.label, "networksets")
	d.until(p.t, `msg="drift corrected"`)
	d.untilInOrder(p.t)
	p.each(p.label, "networksets")
}

// visit asks for the page with a token of the cluster's.
func (p *powers) visit(d *weakDaemon) {
	path := filepath.Join(p.t.TempDir(), "kubeconfig")
	require.NoError(p.t, writeAccount(p.plane, "ringfence-system", "people", path))
	rest, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(p.t, err)
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+d.address+"/", http.NoBody)
	require.NoError(p.t, err)
	request.Header.Set("Authorization", "Bearer "+rest.BearerToken)
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	require.NoError(p.t, response.Body.Close())
	assert.Equal(p.t, http.StatusServiceUnavailable, response.StatusCode)
}

// inOrder has a daemon with all permissions bring everything in order.
func (p *powers) inOrder() {
	if !p.spoiled {
		return
	}
	p.conflicts.Store(false)
	p.push(p.files())
	whole := p.start(p.account(permissions.Daemon))
	whole.untilInOrder(p.t)
	whole.stop(p.t)
	p.spoiled = false
}

// account makes an account with a holder's permissions but some, and returns its kubeconfig file once the API server has
// heard of it. It is always another one: Calico's API server remembers for a while what one might do.
func (p *powers) account(who permissions.Holder, lacking ...permissions.Access) (kubeconfig string) {
	const own = "ringfence-system"
	ctx, meta := p.t.Context(), metav1.ObjectMeta{Name: fmt.Sprintf("weak-%d", p.accounts)}
	p.accounts++
	granted := slices.DeleteFunc(accesses(who), func(a permissions.Access) bool { return slices.Contains(lacking, a) })
	var wide, narrow []rbacv1.PolicyRule
	for _, a := range granted {
		rule := rbacv1.PolicyRule{APIGroups: []string{a.Group}, Resources: []string{a.Resource}, Verbs: []string{a.Verb}}
		if a.Name != "" {
			rule.ResourceNames = []string{a.Name}
		}
		if a.Own {
			narrow = append(narrow, rule)
		} else {
			wide = append(wide, rule)
		}
	}
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: own, Name: meta.Name}}
	must := func(_ any, err error) { require.NoError(p.t, err) }
	rbac := p.kube.RbacV1()
	must(p.kube.CoreV1().ServiceAccounts(own).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}))
	must(rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: wide}, metav1.CreateOptions{}))
	must(rbac.Roles(own).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: narrow}, metav1.CreateOptions{}))
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name}
	must(rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}, metav1.CreateOptions{}))
	ref.Kind = "Role"
	must(rbac.RoleBindings(own).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}, metav1.CreateOptions{}))

	for _, a := range []permissions.Access{granted[0], granted[len(granted)-1], lastOf(granted, false), lastOf(granted, true)} {
		require.Eventually(p.t, func() bool { return p.may(meta.Name, a) }, eventuallyLimit, 5*time.Millisecond, "%s", a)
	}
	for _, a := range lacking {
		require.False(p.t, p.may(meta.Name, a), "%s", a)
	}
	path := filepath.Join(p.t.TempDir(), "kubeconfig")
	require.NoError(p.t, writeAccount(p.plane, own, meta.Name, path))
	return path
}

// lastOf returns the last access that is, or is not, in Ringfence's own namespace.
func lastOf(all []permissions.Access, own bool) permissions.Access {
	for _, a := range slices.Backward(all) {
		if a.Own == own {
			return a
		}
	}
	return all[0]
}

func accesses(who permissions.Holder) (out []permissions.Access) {
	for _, r := range permissions.Of(permissions.Rules(""), who) {
		out = append(out, r.Accesses()...)
	}
	return out
}

func (p *powers) may(account string, a permissions.Access) bool {
	review, err := p.kube.AuthorizationV1().SubjectAccessReviews().Create(p.t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:ringfence-system:" + account, Groups: []string{"system:authenticated"},
			ResourceAttributes: a.Attributes("ringfence-system"),
		},
	}, metav1.CreateOptions{})
	require.NoError(p.t, err)
	return review.Status.Allowed
}

// wrap makes applies of a daemon's conflict.
func (p *powers) wrap(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if p.conflicts.Load() && r.Header.Get("Content-Type") == string(types.ApplyPatchType) && r.URL.Query().Get("dryRun") == "" {
			return &http.Response{
				StatusCode: http.StatusConflict, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
				Header: http.Header{"Content-Type": {"application/json"}},
				Body:   io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"it was changed","reason":"Conflict","code":409}`)),
			}, nil
		}
		return next.RoundTrip(r)
	})
}

// weakDaemon is a daemon that runs in this process, and what it has logged.
type weakDaemon struct {
	cancel  context.CancelFunc
	ended   chan error
	address string
	engine  *engine.Replica
	head    func() string // the newest commit

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (d *weakDaemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

// said returns what it has logged.
func (d *weakDaemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.ReplaceAll(d.log.String(), `\"`, `"`)
}

// start runs a daemon with an account.
func (p *powers) start(kubeconfig string) *weakDaemon {
	rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(p.t, err)
	rest.Wrap(p.wrap)
	file, err := config.ParseDaemon("config.yaml", fmt.Appendf(nil, `
apiVersion: ringfence.dev/v1
kind: Config
dataDir: %s
source: {url: %q, poll: "@every 1s"}
drift: {audit: "@every 1s"}
leaderElection: {enabled: true}
http: {listen: "127.0.0.1:0", auth: kubernetes}
`, p.t.TempDir(), p.git.URL("policies")))
	require.NoError(p.t, err)
	d := &weakDaemon{ended: make(chan error, 1), head: func() string { return p.run("git", "-C", p.clone, "rev-parse", "HEAD") }}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	started := make(chan struct{})
	go func() {
		d.ended <- app.Run(ctx, app.Config{
			Daemon: file, REST: rest, Build: webBuild(), Log: slog.New(slog.NewTextHandler(d, nil)),
			Started: func(address string, replica *engine.Replica) {
				d.address, d.engine = address, replica
				close(started)
			},
		})
	}()
	<-started
	return d
}

// untilInOrder waits until the daemon leads and everything is as the newest revision says.
func (d *weakDaemon) untilInOrder(t *testing.T) {
	t.Helper()
	head := d.head()
	require.Eventually(t, func() bool {
		tenants := d.engine.Tenants()
		return d.engine.Leads() && d.engine.Status().Revision == head && len(tenants) > 0 && !slices.ContainsFunc(tenants, func(t engine.Tenant) bool {
			return t.State != engine.Synced || t.Applied != head
		})
	}, eventuallyLimit, 20*time.Millisecond, "%s", (*saidLate)(d))
}

// until waits until it has logged a text.
func (d *weakDaemon) until(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(d.said(), text) }, eventuallyLimit, 20*time.Millisecond, "%s: %s", text, (*saidLate)(d))
}

func (d *weakDaemon) stop(t *testing.T) {
	d.cancel()
	assert.NoError(t, <-d.ended)
}
