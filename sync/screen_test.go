package sync

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// one is the id of the NetworkPolicy "one" of a namespace.
func one(namespace string) drift.ID {
	return drift.ID{Kind: kinds.NetworkPolicy, Namespace: namespace, Name: "one"}
}

// badPolicy is a file of one policy that a test's rule forbids by its name.
func badPolicy(name string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: " + name + "\nspec:\n  podSelector: {}\n  ingress:\n  - ports:\n    - protocol: TCP\n      port: 80\n"
}

// with adds files to an overlay's, each named among its resources.
func with(overlay map[string]string, folder string, added map[string]string) map[string]string {
	file := "overlays/" + folder + "/kustomization.yaml"
	names := []string{"objects.yaml"}
	for name, text := range added {
		overlay["overlays/"+folder+"/"+name] = text
		names = append(names, name)
	}
	namespace, _, _ := strings.Cut(overlay[file], "\n")
	overlay[file] = namespace + "\nresources: [" + strings.Join(names, ", ") + "]"
	return overlay
}

// forbid makes a rule of the cluster about NetworkPolicies of the bench's namespaces until it is taken back, and waits until
// it holds. What it does not hold for must be a policy named "probe".
func (b *bench) forbid(condition, message string) (takeBack func()) {
	b.Helper()
	policies := schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}
	bindings := policies.GroupVersion().WithResource("validatingadmissionpolicybindings")
	_, err := b.rogue.Resource(policies).Create(b.Context(), parseObject(b.T, fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: %[1]s}, spec: {
		matchConstraints: {resourceRules: [{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [networkpolicies]}]},
		matchConditions: [{name: ours, expression: "object.metadata.namespace.startsWith('%[1]s')"}],
		validations: [{expression: %[2]q, message: %[3]q}, {expression: "object.metadata.name != 'probe'", message: probed}]}}`, b.namespace, "!("+condition+")", message)), metav1.CreateOptions{})
	require.NoError(b, err)
	_, err = b.rogue.Resource(bindings).Create(b.Context(), parseObject(b.T, fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: %[1]s}, spec: {policyName: %[1]s, validationActions: [Deny]}}`, b.namespace)), metav1.CreateOptions{})
	require.NoError(b, err)
	takeBack = func() {
		_ = b.rogue.Resource(bindings).Delete(context.Background(), b.namespace, metav1.DeleteOptions{})
		_ = b.rogue.Resource(policies).Delete(context.Background(), b.namespace, metav1.DeleteOptions{})
	}
	b.Cleanup(takeBack)
	probe := parseObject(b.T, b.text(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: probe, namespace: NS}, spec: {podSelector: {}}}`))
	require.Eventually(b, func() bool {
		_, err := b.rogue.Resource(kinds.NetworkPolicy.GVR()).Namespace(b.namespace).Create(b.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil
	}, 20*time.Second, 50*time.Millisecond)
	return takeBack
}

// Of 20 tenants the new revision of one is refused by a rule of the cluster. It keeps what it had, corrected, and says all
// that is wrong and where; nothing of it was written; the others get theirs. Restarts change nothing of it. When the rule
// goes, it gets its own, without a commit.
func TestOneRefusedAmongTwenty(t *testing.T) {
	b := newBench(t)
	repo := newRepository(t)
	name := func(i int) string { return fmt.Sprintf("%s-%d", b.namespace, i) }
	var names []string
	before, after := map[string]string{}, map[string]string{}
	for i := range 20 {
		names = append(names, name(i))
		before = files(before, overlay(fmt.Sprint(i), name(i), "one"))
		after = files(after, overlay(fmt.Sprint(i), name(i), "one", "two"))
	}
	bad, others := names[7], append(append([]string{}, names[:7]...), names[8:]...)
	after = files(after, with(overlay("7", bad, "one", "two"), "7", map[string]string{"bad.yaml": badPolicy("bad"), "worse.yaml": badPolicy("worse")}))
	takeBack := b.forbid("object.metadata.name in ['bad', 'worse']", "no such policy in here")

	d := startDaemon(b, repo, nil)
	first := repo.commit(before)
	d.Offer(first)
	d.at(first, Synced, names...)
	d.done(first)
	second := repo.commit(after)
	d.Offer(second)
	d.at(second, Failed, bad)
	d.at(second, Synced, others...)
	refusals := []string{
		"overlays/7/bad.yaml:1:1: the ValidatingAdmissionPolicy " + b.namespace + " denies NetworkPolicy.networking.k8s.io " + bad + "/bad: no such policy in here (hint: a rule of this cluster, not of Kubernetes: mend the object, or the rule; it is asked again from time to time)",
		"overlays/7/worse.yaml:1:1: the ValidatingAdmissionPolicy " + b.namespace + " denies NetworkPolicy.networking.k8s.io " + bad + "/worse: no such policy in here (hint: a rule of this cluster, not of Kubernetes: mend the object, or the rule; it is asked again from time to time)",
	}
	told := func() (out []string) {
		for _, p := range d.tenant(bad).Problems {
			out = append(out, p.Error())
		}
		return out
	}
	stands := func() {
		assert.Equal(t, refusals, told())
		assert.Equal(t, []string{"deny-all", "one"}, d.policies(bad))
		assert.Equal(t, first.Revision().Commit, d.tenant(bad).Applied)
		st := d.done(second)
		assert.Equal(t, map[string]exception{bad: {Revision: first.Revision().Commit, Refused: true}}, st.Tenants)
		b.merge(one(bad), `{spec: {ingress: [{}, {}]}}`)
		d.until("corrected", func() bool {
			rules, _, _ := unstructured.NestedSlice(b.live(one(bad)).Object, "spec", "ingress")
			return len(rules) == 1
		})
	}
	stands()
	for _, name := range others {
		assert.Equal(t, []string{"deny-all", "one", "two"}, d.policies(name))
	}
	d.stop()

	d = startDaemon(b, repo, nil)
	d.Offer(second)
	d.at(second, Failed, bad)
	d.at(second, Synced, others...)
	stands()
	takeBack()
	d.at(second, Synced, bad)
	assert.Equal(t, []string{"bad", "deny-all", "one", "two", "worse"}, d.policies(bad))
	d.until("the state knows", func() bool { return len(d.saved().Tenants) == 0 })
}

// A new tenant of which something is refused is only isolated, also after a restart, until Git is mended. What somebody else
// has under a refused name stays his.
func TestRefusedWithoutLastGood(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + ns + `}}`)
	b.create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bad, namespace: ` + ns + `}, spec: {podSelector: {}}}`)
	b.forbid("object.metadata.name == 'bad'", "not that one")
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one", "bad"))
	d.Offer(first)
	for range 2 {
		d.at(first, Failed, ns)
		d.until("isolated", func() bool { return assert.ObjectsAreEqual([]string{"bad", "deny-all"}, d.policies(ns)) })
		require.Len(t, d.tenant(ns).Problems, 1)
		assert.Contains(t, d.tenant(ns).Problems[0].Error(), "overlays/a/objects.yaml:5:1: the ValidatingAdmissionPolicy")
		assert.Equal(t, map[string]exception{ns: {Refused: true}}, d.done(first).Tenants)
		d.stop()
		d = startDaemon(b, repo, nil)
		d.Offer(first)
	}
	d.at(first, Failed, ns)
	mended := repo.commit(overlay("a", ns, "one"))
	d.Offer(mended)
	d.until("applied, and what never was ours stays", func() bool {
		return assert.ObjectsAreEqual([]string{"bad", "deny-all", "one"}, d.policies(ns))
	})
	d.at(mended, Drifted, ns) // by what is not in Git
	assert.Empty(t, d.done(mended).Tenants)
}

// A refused overlay is refused at each commit that does not mend it, without another word; its first mended one is applied.
func TestRefusedUntilMended(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	b.forbid("object.metadata.name.startsWith('bad')", "not that one")
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.Offer(repo.commit(overlay("a", ns, "one", "bad")))
	d.until("refused", func() bool { return d.tenant(ns).State == Failed })
	var states atomic.Int64
	b.inject(func(r *http.Request) *http.Response {
		if !dryRun(r) && r.Method == http.MethodPatch {
			states.Add(1)
		}
		return nil
	})
	for _, other := range []string{"x", "y"} {
		next := repo.commit(map[string]string{other: "z"})
		d.Offer(next)
		d.until("adopted", func() bool { return d.Status().Revision == next.Revision().Commit })
		assert.Equal(t, Failed, d.tenant(ns).State)
	}
	d.Offer(repo.commit(overlay("a", ns, "one", "bad2")))
	d.until("told anew", func() bool {
		return len(d.tenant(ns).Problems) == 1 && strings.Contains(d.tenant(ns).Problems[0].Message, "/bad2")
	})
	assert.Zero(t, states.Load(), "nothing is written")
	mended := repo.commit(overlay("a", ns, "one", "good"))
	d.Offer(mended)
	d.at(mended, Synced, ns)
	assert.Equal(t, []string{"deny-all", "good", "one"}, d.policies(ns))
}

// A tenant that was refused from the beginning, and only isolated, is quarantined if its overlay leaves Git while nobody runs.
func TestRefusedAndLeft(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	b.create(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + ns + `}}`)
	b.forbid("object.metadata.name == 'bad'", "not that one")
	d := startDaemon(b, repo, nil)
	first := repo.commit(files(overlay("a", ns, "one", "bad"), overlay("b", b.namespace+"-b", "one")))
	d.Offer(first)
	d.at(first, Failed, ns)
	d.done(first)
	d.until("isolated", func() bool { return assert.ObjectsAreEqual([]string{"deny-all"}, d.policies(ns)) })
	d.stop()
	left := repo.commit(map[string]string{"overlays/a": ""})
	d = startDaemon(b, repo, nil)
	d.Offer(left)
	d.at(left, Quarantined, ns)
	assert.NotNil(t, d.done(left).Tenants[ns].Quarantined)
	assert.Equal(t, []string{"deny-all"}, d.policies(ns))
}

// The last good state is the last that was reached, though only something was removed in it and nothing had to be validated.
func TestRefusedAfterRemoval(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	b.forbid("object.metadata.name == 'bad'", "not that one")
	d := startDaemon(b, repo, nil)
	for _, names := range [][]string{{"one", "two"}, {"one"}} {
		s := repo.commit(overlay("a", ns, names...))
		d.Offer(s)
		d.at(s, Synced, ns)
		d.done(s)
	}
	refused := repo.commit(overlay("a", ns, "one", "bad"))
	d.Offer(refused)
	d.at(refused, Failed, ns)
	d.done(refused)
	assert.Never(t, func() bool { return !assert.ObjectsAreEqual([]string{"deny-all", "one"}, d.policies(ns)) }, time.Second, 20*time.Millisecond)
}

// What passes is no verdict: while no dry-run is answered the last good state stands and is corrected; then the new one comes.
func TestNoVerdict(t *testing.T) {
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	d := startDaemon(b, repo, nil)
	first := repo.commit(overlay("a", ns, "one"))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.done(first)
	b.inject(func(r *http.Request) *http.Response {
		if !dryRun(r) {
			return nil
		}
		return &http.Response{
			StatusCode: http.StatusInternalServerError, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"failed calling webhook","reason":"InternalError","code":500}`)),
		}
	})
	second := repo.commit(overlay("a", ns, "one", "two"))
	d.Offer(second)
	d.at(second, Failed, ns)
	require.Len(t, d.tenant(ns).Problems, 1)
	assert.Regexp(t, `^overlays/a: what is new cannot be validated now: asking the API server whether it accepts .*/two: .*failed calling webhook \(hint: nothing of it is written until it can be; it is tried again\)$`,
		d.tenant(ns).Problems[0].Error())
	b.merge(one(ns), `{spec: {ingress: [{}, {}]}}`)
	d.until("corrected", func() bool {
		rules, _, _ := unstructured.NestedSlice(b.live(one(ns)).Object, "spec", "ingress")
		return len(rules) == 1
	})
	assert.Equal(t, []string{"deny-all", "one"}, d.policies(ns))
	b.inject(nil)
	d.at(second, Synced, ns)
	assert.Equal(t, []string{"deny-all", "one", "two"}, d.policies(ns))
}

// 100 equal tenants are one tenant's dry-runs, a start at what is applied none, and neither is a commit that changes nothing.
func TestDryRunsAreCounted(t *testing.T) {
	b := newBench(t)
	repo := newRepository(t)
	var tried, read, listed atomic.Int64
	count := func(r *http.Request) *http.Response {
		switch {
		case dryRun(r):
			tried.Add(1)
		case r.URL.Path == "/openapi/v3":
			listed.Add(1)
		case strings.HasPrefix(r.URL.Path, "/openapi/"):
			read.Add(1)
		}
		return nil
	}
	b.inject(count)
	d := startDaemon(b, repo, nil)
	all, names := map[string]string{}, []string{}
	for i := range 100 {
		names = append(names, fmt.Sprintf("%s-%d", b.namespace, i))
		all = files(all, overlay(fmt.Sprint(i), names[i], "one", "two", "three"))
	}
	first := repo.commit(all)
	d.Offer(first)
	d.at(first, Synced, names...)
	assert.Equal(t, int64(5), tried.Load())
	assert.Equal(t, int64(1), read.Load())
	lists := listed.Load()
	assert.LessOrEqual(t, lists, int64(d.cluster.Definitions()), "listed again only if definitions may have changed, as at the start they may some times")
	d.done(first)
	t.Logf("100 tenants of 5 objects: %d dry-runs, %d requests for schemas, %d for the list of them", tried.Load(), read.Load(), lists)
	nothing := repo.commit(nil)
	d.Offer(nothing)
	d.at(nothing, Synced, names...)
	d.done(nothing)
	d.stop()
	d = startDaemon(b, repo, nil)
	d.Offer(nothing)
	d.at(nothing, Synced, names...)
	assert.Equal(t, int64(5), tried.Load())
	assert.Equal(t, int64(1), read.Load())
	assert.Equal(t, lists, listed.Load())
	require.NoError(t, b.others(one(names[3])).Delete(t.Context(), "one", metav1.DeleteOptions{}))
	d.until("corrected", func() bool { return len(d.policies(names[3])) == 4 })
	assert.Equal(t, int64(5), tried.Load(), "drift is not validated")
}

// A tenant with an object of a kind that is not served yet waits for that alone. When its definition comes, the object is
// validated and applied by itself: one that is refused then takes the tenant back.
func TestDefinitionComesLater(t *testing.T) {
	raw, err := os.ReadFile(path.Join("validate", "testdata", "definition.yaml"))
	require.NoError(t, err)
	b := newBench(t)
	repo, ns := newRepository(t), b.namespace+"-a"
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	d := startDaemon(b, repo, nil)
	policy := func(tier string) map[string]string {
		return map[string]string{
			"overlays/cluster/kustomization.yaml": "resources: [policy.yaml]",
			"overlays/cluster/policy.yaml":        "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: " + b.namespace + "}\nspec:\n  priority: 500\n  tier: " + tier + "\n  weight: 5\n",
		}
	}
	first := repo.commit(files(overlay("a", ns, "one"), policy("Admin")))
	d.Offer(first)
	d.at(first, Synced, ns)
	d.at(first, Failed, clusterTenant)
	require.Len(t, d.tenant(clusterTenant).Problems, 1)
	assert.Contains(t, d.tenant(clusterTenant).Problems[0].Error(), "overlays/cluster/policy.yaml:1: ")
	assert.Contains(t, d.tenant(clusterTenant).Problems[0].Error(), "the cluster does not serve policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy")

	_, err = b.rogue.Resource(definitions).Create(t.Context(), parseObject(t, string(raw)), metav1.CreateOptions{})
	require.NoError(t, err)
	began := time.Now()
	t.Cleanup(func() {
		assert.NoError(t, b.rogue.Resource(definitions).Delete(context.Background(), "clusternetworkpolicies.policy.networking.k8s.io", metav1.DeleteOptions{}))
	})
	d.at(first, Synced, clusterTenant)
	t.Logf("applied %s after its definition", time.Since(began).Round(10*time.Millisecond))

	second := repo.commit(policy("Baseline"))
	d.Offer(second)
	d.at(second, Failed, clusterTenant)
	require.Len(t, d.tenant(clusterTenant).Problems, 1)
	assert.Regexp(t, `^overlays/cluster/policy.yaml:4:1: spec: .*a baseline policy has a priority below 100 \(hint: .*\)$`, d.tenant(clusterTenant).Problems[0].Error())
}
