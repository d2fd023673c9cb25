package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/exposure"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// viewOf is a daemon that is held to this, on a cluster with these objects.
func viewOf(desired []sync.Desired, workloads []kustomize.Workload, live map[kinds.Kind][]*unstructured.Unstructured) *sync.View {
	cluster := drift.Imagined(live)
	return &sync.View{
		Edition: &desired, Desired: desired, Workloads: func() []kustomize.Workload { return workloads },
		Namespaces: cluster.NamespaceLabels().All(), Live: cluster.In, BuiltIn: func(*drift.Observed) bool { return false },
	}
}

// example is an engine that fences the example repository, on a cluster that is as change leaves it.
func example(t *testing.T, change func(live map[kinds.Kind][]*unstructured.Unstructured)) *engine {
	t.Helper()
	renderer, err := kustomize.New(kustomize.Config{Guard: "base/guard", Cluster: "overlays/cluster"})
	require.NoError(t, err)
	rendering, err := renderer.Render(t.Context(), ringfence.Example())
	require.NoError(t, err)
	e := &engine{status: sync.Status{Ready: true, Leader: true, Revision: commit, Tenants: map[sync.State]int{}}}
	var desired []sync.Desired
	var workloads []kustomize.Workload
	live := map[kinds.Kind][]*unstructured.Unstructured{}
	for _, tenant := range append([]*kustomize.Tenant{rendering.Cluster}, rendering.Tenants...) {
		require.Empty(t, tenant.Problems)
		d := sync.Desired{Name: tenant.Name, Revision: commit, Whole: true}
		for _, o := range tenant.Objects {
			d.Objects = append(d.Objects, drift.NewWanted(o))
			live[o.Kind] = append(live[o.Kind], o.DeepCopy())
		}
		desired, workloads = append(desired, d), append(workloads, tenant.Workloads()...)
		e.tenants = append(e.tenants, sync.Tenant{Name: tenant.Name, Overlay: tenant.Overlay, State: sync.Synced, Applied: commit, Wanted: commit, Objects: len(d.Objects)})
		if tenant.Name != "" {
			e.status.Tenants[sync.Synced]++
		}
	}
	if change != nil {
		change(live)
	}
	repository, err := config.ReadRepository(ringfence.Example())
	require.NoError(t, err)
	e.view = viewOf(desired, workloads, live)
	e.view.Network = exposure.Network{PodCIDRs: repository.Network.PodCIDRs, NodeCIDRs: repository.Network.NodeCIDRs}
	return e
}

// allowAll is what a tired engineer applies.
func allowAll(t testing.TB, namespace string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow-all, namespace: `+namespace+`},
		spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}`), &u.Object))
	return u
}

// The picture of a tenant is drawn from what the cluster has, and says what somebody has opened and closed by hand.
func TestFence(t *testing.T) {
	page := get(t, handler(t, example(t, nil), polled()), "/tenants/caas-acme", http.StatusOK, htmlType)
	says(t, page, `role="img"`, true, "picture")
	says(t, page, "caas-acme/app=cloudify-manager → caas-acme/app=postgres 5432/TCP", true, "its words")
	says(t, page, "that Git does not allow", false, "nothing is open")
	says(t, page, "caas-globex/", false, "of others")

	opened := example(t, func(live map[kinds.Kind][]*unstructured.Unstructured) {
		policies := slices.DeleteFunc(live[kinds.NetworkPolicy], func(u *unstructured.Unstructured) bool {
			return u.GetNamespace() == "caas-globex" && u.GetName() == "postgres"
		})
		live[kinds.NetworkPolicy] = append(policies, allowAll(t, "caas-acme"))
	})
	h := handler(t, opened, polled())
	page = get(t, h, "/tenants/caas-acme", http.StatusOK, htmlType)
	says(t, page, "open that Git does not allow", true, "acme")
	says(t, page, `class="edge opened"`, true, "acme")
	says(t, page, `<span class="pill bad">opened</span>`, true, "acme")
	page = get(t, h, "/tenants/caas-globex", http.StatusOK, htmlType)
	says(t, page, "closed that Git allows", true, "globex")
	says(t, page, `class="edge closed"`, true, "globex")
	page = get(t, h, "/tenants/caas-initech", http.StatusOK, htmlType)
	says(t, page, "closed that Git allows", false, "initech")

	opened.view.Blind = "tiers cannot be seen"
	page = get(t, handler(t, opened, polled()), "/tenants/caas-acme", http.StatusOK, htmlType)
	says(t, page, "What is live is unknown: tiers cannot be seen.", true, "blind")
	says(t, page, `class="edge opened"`, false, "blind")
}

func TestQuestions(t *testing.T) {
	h := handler(t, example(t, func(live map[kinds.Kind][]*unstructured.Unstructured) {
		live[kinds.NetworkPolicy] = append(live[kinds.NetworkPolicy], allowAll(t, "caas-acme"))
	}), polled())
	for query, want := range map[string][]string{
		"":                        {"How to write a peer"},
		"from=caas-acme/postgres": {"a peer is missing"},
		"from=caas-globex/cloudify-manager&to=caas-globex/postgres&port=5432/TCP": {
			`The cluster: <span class="verdict allow">allow</span>`, `Git: <span class="verdict allow">allow</span>`, "base/tenant/postgres.yaml:3", "ingress: allow by NetworkPolicy",
		},
		"from=cloudify-manager&to=postgres&port=5433/TCP&tenant=caas-globex": {`The cluster: <span class="verdict deny">deny</span>`},
		"from=internet&to=caas-acme/postgres": {
			`The cluster: <span class="verdict allow">allow</span>`, `Git: <span class="verdict deny">deny</span>`, "The cluster is not as Git says.", "allow-all", "(live)",
		},
		"from=caas-acme/postgres&to=caas-globex/nobody":    {"there is no workload caas-globex/nobody"},
		"from=a&to=b&port=99999/TCP":                       {"99999"},
		"from=%3Cscript%3E/x&to=%3Cscript%3E/%3Cb%3E":      {"there is no workload &lt;script&gt;/&lt;b&gt;"},
		"from=internet&to=caas-acme/postgres&port=%3Cb%3E": {"&lt;b&gt;"},
	} {
		page := get(t, h, "/reach?"+query, http.StatusOK, htmlType)
		for _, text := range want {
			says(t, page, text, true, query)
		}
		says(t, page, "<script>", false, query)
	}
	blind := example(t, nil)
	blind.view.Blind = "tiers cannot be seen"
	page := get(t, handler(t, blind, polled()), "/reach?from=internet&to=caas-acme/postgres", http.StatusOK, htmlType)
	says(t, page, `The cluster: <span class="verdict unknown">unknown</span>`, true, "blind")
	says(t, page, "tiers cannot be seen", true, "blind")
	page = get(t, handler(t, &engine{}, polled()), "/reach?from=internet&to=caas-acme/postgres", http.StatusOK, htmlType)
	assert.Equal(t, 1, strings.Count(page, "Unknown: nothing was rendered yet."))
}

// The whole cluster: tenants that are alike are one row, what is live and what crosses is told by name.
func TestCluster(t *testing.T) {
	h := handler(t, example(t, nil), polled())
	page := get(t, h, "/cluster", http.StatusOK, htmlType)
	for _, text := range []string{"3 tenants, whose fences have 3 shapes", ">ingress-nginx</th>", ">internet</th>", ">each other</th>", "5432/TCP"} {
		says(t, page, text, true, "/cluster")
	}
	says(t, page, "Not as Git says", false, "/cluster")
	link := regexp.MustCompile(`href="(/cluster\?shape=[0-9a-f]+)">caas-globex<`).FindStringSubmatch(page)
	require.NotNil(t, link)
	one := get(t, h, link[1], http.StatusOK, htmlType)
	says(t, one, "Tenants like caas-globex", true, link[1])
	says(t, one, `role="img"`, true, link[1])
	says(t, one, "1 tenant<", true, link[1])
	says(t, get(t, h, "/cluster?q=initech", http.StatusOK, htmlType), "1 shape<", true, "a search")
	says(t, get(t, h, "/cluster?shape=none", http.StatusOK, htmlType), "The whole cluster", true, "a shape that is no more")

	opened := example(t, func(live map[kinds.Kind][]*unstructured.Unstructured) {
		live[kinds.NetworkPolicy] = append(live[kinds.NetworkPolicy], allowAll(t, "caas-acme"))
	})
	h = handler(t, opened, polled())
	page = get(t, h, "/cluster", http.StatusOK, htmlType)
	says(t, page, `<a class="bad" href="/tenants/caas-acme">caas-acme</a>`, true, "/cluster")
	says(t, page, "1 not as Git says", true, "/cluster")
	says(t, get(t, handler(t, &engine{}, polled()), "/cluster", http.StatusOK, htmlType), "Unknown: nothing was rendered yet.", true, "/cluster")
}

// A tenant's page says at once whether the fence stands, and never well of what cannot be seen.
func TestVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(e *engine)
		want   string
	}{
		"all is well": {func(*engine) {}, `<p class="verdict good">The fence stands<`},
		"open":        {func(e *engine) { e.drift = append(e.drift, openedBy("caas-acme")) }, `<p class="verdict bad">The fence is open<`},
		"another's":   {func(e *engine) { e.drift = append(e.drift, openedBy("caas-globex")) }, `<p class="verdict good">The fence stands<`},
		"corrected": {func(e *engine) {
			d := openedBy("caas-acme")
			d.Corrected = at("09:00:01Z")
			e.drift = append(e.drift, d)
		}, `<p class="verdict good">The fence stands<`},
		"an effect that is unknown": {func(e *engine) {
			d := openedBy("caas-acme")
			d.Effect = drift.EffectUnknown
			e.drift = append(e.drift, d)
		}, `<p class="verdict unknown">It cannot be told`},
		"blind":               {func(e *engine) { e.status.Blind = []string{"tiers"} }, `<p class="verdict unknown">It cannot be told`},
		"not ready":           {func(e *engine) { e.status.Ready = false }, `<p class="verdict unknown">It cannot be told`},
		"unknown":             {func(e *engine) { e.tenants[1].State = sync.Unknown }, `<p class="verdict unknown">It cannot be told`},
		"of a newer daemon":   {func(e *engine) { e.tenants[1].State = "new" }, `<p class="verdict unknown">It cannot be told`},
		"drifted, and closed": {func(e *engine) { e.tenants[1].State = sync.Drifted }, `<p class="verdict warn">The fence is not as Git says; nothing is open`},
		"failed":              {func(e *engine) { e.tenants[1].State = sync.Failed }, "the last good state is held"},
		"never good":          {func(e *engine) { e.tenants[1].State, e.tenants[1].Applied = sync.Failed, "" }, "it is isolated and no more"},
		"quarantined":         {func(e *engine) { e.tenants[1].State = sync.Quarantined }, "In quarantine"},
		"suspended":           {func(e *engine) { e.tenants[1].State = sync.Suspended }, "what is newer in Git waits"},
		"pending":             {func(e *engine) { e.tenants[1].State = sync.Pending }, "The fence is not up yet"},
	} {
		e := example(t, nil)
		require.Equal(t, "caas-acme", e.tenants[1].Name)
		tt.change(e)
		says(t, get(t, handler(t, e, polled(), enforced("calico", 0)), "/tenants/caas-acme", http.StatusOK, htmlType), tt.want, true, name)
	}
	for engine, want := range map[string]string{"none": "nothing known enforces it", "unknown": "whether it is enforced cannot be seen"} {
		says(t, get(t, handler(t, example(t, nil), polled(), enforced(engine, 0)), "/tenants/caas-acme", http.StatusOK, htmlType), want, true, engine)
	}
	says(t, get(t, handler(t, example(t, nil), polled(), enforced("calico", 1)), "/tenants/caas-acme", http.StatusOK, htmlType), "not enforced on every node", true, "a node")
	overlay := example(t, nil)
	says(t, get(t, handler(t, overlay, polled(), enforced("calico", 0)), "/tenants/_cluster", http.StatusOK, htmlType), "What is cluster-scoped is as Git says", true, "overlay")
	overlay.drift = append(overlay.drift, openedBy(""))
	h := handler(t, overlay, polled(), enforced("calico", 0))
	says(t, get(t, h, "/tenants/_cluster", http.StatusOK, htmlType), "let through what Git does not", true, "overlay")
	says(t, get(t, h, "/", http.StatusOK, htmlType), "<h1>The cluster&#39;s own policies let through what Git does not</h1>", true, "overview")
	overlay.drift = append(overlay.drift, openedBy("caas-acme"))
	page := get(t, handler(t, overlay, polled(), enforced("calico", 0)), "/", http.StatusOK, htmlType)
	says(t, page, "<h1>1 fence is open</h1>", true, "both")
	says(t, page, "let through what Git does not", true, "both")
	says(t, get(t, handler(t, changed(t), polled(), enforced("calico", 0)), "/tenants/caas-acme", http.StatusOK, htmlType),
		"The fence is open", true, "what is live opens it, though no difference of the tenant's is known")
}

// A crowd: what is open stands first, peers of one tenant alone are no columns, what crosses is told, and a picture that would be too
// full says what is not in it.
func TestCrowdIsBounded(t *testing.T) {
	e := crowd(t, 1500)
	h := handler(t, e, polled())
	page := get(t, h, "/", http.StatusOK, htmlType)
	says(t, page, "12 fences are open", true, "/")
	rows := regexp.MustCompile(`<tr><th scope="row"><a href="/tenants/(t-[0-9]+)"`).FindAllStringSubmatch(page, -1)
	require.Len(t, rows, 100)
	assert.Equal(t, "t-0001", rows[0][1], "it is open")
	assert.Equal(t, "t-1376", rows[11][1], "it is open")
	assert.Equal(t, "t-0002", rows[12][1], "it failed")

	page = get(t, h, "/cluster", http.StatusOK, htmlType)
	_, matrix, _ := strings.Cut(page, `<table class="matrix">`)
	assert.Equal(t, 7, strings.Count(matrix, `<th scope="col">`))
	says(t, page, `<th scope="col">others</th>`, true, "/cluster")
	says(t, page, `<b>198.51.3.0/24</b> 9000/TCP`, true, "/cluster")
	says(t, page, "any pod of t-0999", true, "what crosses")
	says(t, page, "Not as Git says <small>12</small>", true, "/cluster")

	busy := crowd(t, 2)
	for i := range 500 {
		busy.view.Desired[0].Objects = append(busy.view.Desired[0].Objects, drift.NewWanted(kustomize.Object{Kind: kinds.NetworkPolicy, Unstructured: parsed(t, fmt.Sprintf(
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p-%d, namespace: t-0000}, spec: {podSelector: {matchLabels: {app: a%[1]d}}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: %[1]d}]}]}}", i+1))}))
	}
	page = get(t, handler(t, busy, polled()), "/tenants/t-0000", http.StatusOK, htmlType)
	says(t, page, "more connections would make the picture too full", true, "a tenant with very much")
	says(t, page, "<code>ringfence reach --live --tenant t-0000</code> lists them all", true, "a tenant with very much")
	assert.Less(t, strings.Count(page, "<"), 20_000)
}

// Who can reach whom is looked at while a page is open: whoever goes on to it need not wait.
func TestLooksAhead(t *testing.T) {
	var asked atomic.Int64
	e := example(t, nil)
	base := running(t, handler(t, e, polled(), func(c *web.Config) { c.Engine = counting{e, &asked} }))
	time.Sleep(2 * time.Millisecond)
	assert.Zero(t, asked.Load(), "nobody has a page open")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/events", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Eventually(t, func() bool { return asked.Load() > 0 }, 30*time.Second, time.Millisecond)
}

// counting counts how often it is asked what decides.
type counting struct {
	*engine
	asked *atomic.Int64
}

func (c counting) View() *sync.View {
	c.asked.Add(1)
	return c.engine.View()
}
