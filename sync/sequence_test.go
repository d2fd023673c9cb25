package sync

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// storm is the way to an API server with trouble on it: watches that are cut, and
// answers that are none.
type storm struct {
	inner  http.RoundTripper
	status atomic.Int64 // what requests are answered, 0 for the truth

	mu      stdsync.Mutex
	watches []io.Closer
}

// newStorm lets the bench's requests pass through it.
func newStorm(b *bench) *storm {
	b.Helper()
	inner, err := rest.TransportFor(rest.CopyConfig(b.server))
	require.NoError(b, err)
	s := &storm{inner: inner}
	b.inject(s.pass)
	return s
}

func (s *storm) pass(r *http.Request) *http.Response {
	if status := int(s.status.Load()); status != 0 {
		body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, http.StatusText(status), status)
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
		}
	}
	if r.URL.Query().Get("watch") == "" {
		return nil
	}
	answer, err := s.inner.RoundTrip(r)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	s.watches = append(s.watches, answer.Body)
	s.mu.Unlock()
	return answer
}

// cut ends every watch in the middle.
func (s *storm) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		_ = w.Close()
	}
	s.watches = nil
}

// sequence is a daemon, a repository and a cluster that are changed at random.
type sequence struct {
	*daemon
	*storm
	tenants    []string
	allowances map[string]map[string]string // by tenant, name: the rule
}

// Whatever is done to Git and to the cluster, in whatever order, with watches cut
// and the API server failing in between: whenever things are quiet, the cluster
// equals Git and no drift is left.
func TestQuietMeansEqual(t *testing.T) {
	b := newBench(t)
	q := &sequence{storm: newStorm(b), allowances: map[string]map[string]string{}}
	repo := newRepository(t)
	for _, name := range []string{"a", "b", "c"} {
		q.tenants = append(q.tenants, b.namespace+"-"+name)
		q.allowances[b.namespace+"-"+name] = map[string]string{"first": "{}"}
	}
	q.daemon = startDaemon(b, repo, nil)
	q.push()
	rounds := 6
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		rounds = 60
	}
	rapid.Check(t, func(rt *rapid.T) {
		// rapid chooses how often it calls; what is done lives on from one call to the next.
		if rounds--; rounds < 0 {
			return
		}
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			q.change(rt)
		}
		q.status.Store(0)
		q.push()
		q.quiet(rt)
	})
}

func (q *sequence) push() {
	parts := map[string]string{}
	for _, name := range q.tenants {
		objects := "{apiVersion: v1, kind: Namespace, metadata: {name: " + name + "}}"
		for allowed, rule := range q.allowances[name] {
			objects += "\n---\n" + allowance(allowed, rule)
		}
		parts["overlays/"+name+"/kustomization.yaml"] = "namespace: " + name + "\nresources: [objects.yaml]"
		parts["overlays/"+name+"/objects.yaml"] = objects
	}
	q.Offer(q.repo.commit(parts))
}

// change does one thing, to Git, to the cluster, or to the way between.
func (q *sequence) change(rt *rapid.T) {
	name := rapid.SampledFrom(q.tenants).Draw(rt, "tenant")
	allowed := rapid.SampledFrom([]string{"first", "second", "third"}).Draw(rt, "policy")
	policy := drift.ID{Kind: kinds.NetworkPolicy, Namespace: name, Name: rapid.SampledFrom([]string{"deny-all", allowed}).Draw(rt, "object")}
	switch kind := rapid.SampledFrom([]string{"allow", "revoke", "push", "open", "label", "delete", "recreate", "extra", "finalizer", "cut", "fail", "calm"}).Draw(rt, "change"); kind {
	case "allow":
		q.allowances[name][allowed] = rapid.SampledFrom([]string{"{}", "{ports: [{port: 80}]}", "{from: [{podSelector: {}}]}"}).Draw(rt, "rule")
	case "revoke":
		delete(q.allowances[name], allowed)
	case "push":
		q.push()
	case "open":
		q.rogueMerge(policy, `{"spec":{"egress":[{}],"policyTypes":["Ingress","Egress"]}}`)
	case "label":
		q.rogueMerge(policy, `{"metadata":{"labels":{"theirs":"x"}}}`)
	case "finalizer":
		q.rogueMerge(policy, `{"metadata":{"finalizers":["example.com/hang"]}}`)
		_ = q.others(policy).Delete(q.Context(), policy.Name, metav1.DeleteOptions{})
	case "delete", "recreate":
		live := q.live(policy)
		_ = q.others(policy).Delete(q.Context(), policy.Name, metav1.DeleteOptions{})
		if live != nil && kind == "recreate" {
			u := live.DeepCopy()
			u.SetResourceVersion("")
			u.SetUID("")
			u.SetManagedFields(nil)
			_, _ = q.others(policy).Create(q.Context(), u, metav1.CreateOptions{FieldManager: "someone"})
		}
	case "extra": // comes and goes: what stays would rightly be reported
		u := q.want(allowance("extra", "{}")).DeepCopy()
		u.SetNamespace(name)
		if _, err := q.others(policy).Create(q.Context(), u, metav1.CreateOptions{FieldManager: "someone"}); err == nil {
			_ = q.others(policy).Delete(q.Context(), "extra", metav1.DeleteOptions{})
		}
	case "cut":
		q.cut()
	case "fail":
		q.status.Store(int64(rapid.SampledFrom([]int{500, 503, 429, 410, 403}).Draw(rt, "status")))
	case "calm":
		q.status.Store(0)
	}
}

// rogueMerge changes an object if it is there.
func (q *sequence) rogueMerge(id drift.ID, patch string) {
	_, _ = q.others(id).Patch(q.Context(), id.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "someone"})
}

// quiet waits until the daemon says that all is in order, and then looks for itself.
func (q *sequence) quiet(rt *rapid.T) {
	commit := ""
	said := func() bool {
		status := q.Status()
		commit = status.Revision
		for _, name := range q.tenants {
			if t := q.tenant(name); t.State != Synced || t.Drift != 0 {
				return false
			}
		}
		return status.Ready
	}
	settled := func() string {
		for _, name := range q.tenants {
			for _, w := range q.world.Load().targets[name].wanted {
				live := q.live(w.ID)
				if live == nil {
					return w.ID.String() + " is missing"
				}
				fields, err := w.Fields(live)
				require.NoError(rt, err)
				if len(fields) > 0 {
					return w.ID.String() + " differs in " + paths(fields)
				}
			}
			if got, want := len(q.policies(name)), 1+len(q.allowances[name]); got != want {
				return fmt.Sprintf("%s has %d policies, not %d: %v", name, got, want, q.policies(name))
			}
		}
		return ""
	}
	why := "it was never quiet"
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !said() {
			continue
		}
		if why = settled(); why == "" && said() {
			return
		}
	}
	rt.Fatalf("at %s: %s; %+v", short(commit), why, q.Tenants())
}
