package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// spoken is what Git says of one object: its spec, as the API server keeps it, and labels
// beside ours.
type spoken struct {
	Spec   any
	Labels map[string]string
}

// where names an object.
type where struct {
	kind            schema.GroupVersionResource
	namespace, name string
}

func (w where) String() string {
	return w.kind.Resource + "." + w.kind.Group + " " + w.namespace + "/" + w.name
}

var calicoV3 = schema.GroupVersion{Group: kinds.GroupCalico, Version: "v3"}

// wish is what Git says now: for each tenant, and "" for the cluster overlay, its objects.
type wish struct {
	dice    *rand.Rand
	calico  bool     // there is something of Calico's among it
	pool    []string // of tenants
	tenants map[string]map[where]spoken
	guard   string // of the labels of the guard's policy
	ever    map[string]bool
}

func newWish(dice *rand.Rand, calico bool, pool ...string) *wish {
	w := &wish{dice: dice, calico: calico, pool: pool, tenants: map[string]map[where]spoken{}, guard: "1", ever: map[string]bool{}}
	if calico {
		w.tenants[""] = map[where]spoken{tier(): {Spec: fields("{order: 500, defaultAction: Pass}")}}
	}
	for _, name := range pool[:len(pool)/2] {
		w.join(name)
	}
	return w
}

func tier() where { return where{kinds.Tier.GVR(), "", "fence"} }

func fields(text string) any {
	var out any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

func pick[T any](dice *rand.Rand, of ...T) T { return of[dice.IntN(len(of))] }

func (w *wish) join(name string) {
	w.tenants[name] = map[where]spoken{{kinds.Namespace.GVR(), "", name}: {Labels: map[string]string{"team": pick(w.dice, "a", "b")}}}
	w.ever[name] = true
	for range 3 {
		w.allow(name)
	}
}

// allow adds or changes one object of a tenant.
func (w *wish) allow(name string) {
	n := w.dice.IntN(4)
	if n == 3 && !w.calico {
		n = 0
	}
	if n == 3 {
		w.tenants[name][where{calicoV3.WithResource("networkpolicies"), name, "default.calico"}] = spoken{Spec: fields(fmt.Sprintf(
			"{tier: default, order: %d, selector: app == 'calico', types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {}, destination: {ports: [%d]}}]}", 100+w.dice.IntN(3), 80+w.dice.IntN(3)))}
		return
	}
	app := string(rune('a' + n))
	w.tenants[name][where{kinds.NetworkPolicy.GVR(), name, "allow-" + app}] = spoken{Spec: fields(strings.ReplaceAll(pick(w.dice,
		"{podSelector: {matchLabels: {app: APP}}, policyTypes: [Ingress], ingress: [{}]}",
		"{podSelector: {matchLabels: {app: APP}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: [{port: 80, protocol: TCP}]}]}",
		"{podSelector: {matchLabels: {app: APP}}, policyTypes: [Ingress], ingress: [{ports: [{port: 443, protocol: TCP}]}]}",
		"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 5432, protocol: TCP}]}]}",
	), "APP", app))}
}

// cluster changes the cluster overlay.
func (w *wish) cluster() {
	all, n := w.tenants[""], w.dice.IntN(2)
	if all == nil {
		return
	}
	policy := where{calicoV3.WithResource("globalnetworkpolicies"), "", fmt.Sprint("fence.", string(rune('a'+n)))}
	set := where{calicoV3.WithResource("globalnetworksets"), "", "outside"}
	switch w.dice.IntN(6) {
	case 0:
		delete(all, policy)
	case 1:
		all[tier()] = spoken{Spec: fields(fmt.Sprintf("{order: %d, defaultAction: Pass}", 500+w.dice.IntN(3)))}
	case 2:
		all[set] = spoken{Spec: fields(fmt.Sprintf("{nets: [198.51.%d.0/24]}", w.dice.IntN(4)))}
	default:
		all[policy] = spoken{Spec: fields(fmt.Sprintf(
			"{tier: fence, order: %d, namespaceSelector: projectcalico.org/name starts with \"f-\", types: [Egress], egress: [{action: Deny, source: {}, destination: {nets: [169.254.%d.0/24]}}]}", 10+n, w.dice.IntN(4)))}
	}
}

// change does one thing to Git and says what.
func (w *wish) change() string {
	name := pick(w.dice, w.pool...)
	all := w.tenants[name]
	if all == nil {
		w.join(name)
		return "join " + name
	}
	switch w.dice.IntN(8) {
	case 0:
		if len(w.tenants) > 2 { // "" among them, where there is Calico; an overlays folder that is emptied is refused
			delete(w.tenants, name)
			return "leave " + name
		}
	case 1:
		w.cluster()
		return "cluster"
	case 2:
		for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b where) int { return cmp.Compare(a.String(), b.String()) }) {
			if at.kind != kinds.Namespace.GVR() {
				delete(all, at)
				break
			}
		}
		return "revoke " + name
	case 3:
		w.guard = fmt.Sprint(w.dice.IntN(10))
		return "guard"
	case 4:
		all[where{kinds.Namespace.GVR(), "", name}] = spoken{Labels: map[string]string{"team": pick(w.dice, "a", "b", "c")}}
		return "label " + name
	}
	w.allow(name)
	return "allow " + name
}

// commit writes it into the repository and returns the commit.
func (w *wish) commit(repo *repository) string {
	files := map[string]string{"base/guard/deny-all.yaml": object(where{kinds.NetworkPolicy.GVR(), "", "deny-all"}, w.guards())}
	for _, name := range append(slices.Clone(w.pool), "") {
		folder := "overlays/" + name
		if name == "" {
			folder = "overlays/cluster"
		}
		if w.tenants[name] == nil {
			files[folder] = ""
			continue
		}
		files[folder+"/kustomization.yaml"] = "resources: [objects.yaml]"
		var objects []string
		for at, what := range w.tenants[name] {
			objects = append(objects, object(at, what))
		}
		slices.Sort(objects)
		files[folder+"/objects.yaml"] = strings.Join(objects, "\n---\n")
	}
	repo.write(files)
	repo.git("add", "--all")
	repo.git("commit", "--quiet", "--allow-empty", "--message", "change")
	cmd := exec.Command("git", "rev-parse", "HEAD")
	cmd.Dir = repo.dir
	out, err := cmd.Output()
	require.NoError(repo.t, err)
	return strings.TrimSpace(string(out))
}

func (w *wish) guards() spoken {
	return spoken{Spec: fields("{podSelector: {}, policyTypes: [Ingress, Egress]}"), Labels: map[string]string{"guard": w.guard}}
}

func object(at where, what spoken) string {
	kind := kinds.Namespace.GroupVersionKind
	for _, k := range kinds.Guarded() {
		if k.GVR() == at.kind {
			kind = k.GroupVersionKind
		}
	}
	meta := map[string]any{"name": at.name}
	if at.namespace != "" {
		meta["namespace"] = at.namespace
	}
	if len(what.Labels) > 0 {
		meta["labels"] = what.Labels
	}
	o := map[string]any{"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind, "metadata": meta}
	if what.Spec != nil {
		o["spec"] = what.Spec
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// wanted returns everything that must be in the cluster, and with what labels. there are
// the namespaces that exist: of those that have left Git, the guard stays.
func (w *wish) wanted(there map[string]bool) map[where]spoken {
	out := map[where]spoken{}
	for _, name := range append(slices.Clone(w.pool), "") {
		labels := map[string]string{"app.kubernetes.io/managed-by": "ringfence", "ringfence.dev/tenant": name}
		if name == "" {
			delete(labels, "ringfence.dev/tenant")
		}
		add := func(at where, what spoken) {
			all := maps.Clone(labels)
			maps.Copy(all, what.Labels)
			out[at] = spoken{what.Spec, all}
		}
		for at, what := range w.tenants[name] {
			add(at, what)
		}
		if name != "" && (w.tenants[name] != nil || there[name]) {
			add(where{kinds.NetworkPolicy.GVR(), name, "deny-all"}, w.guards())
		}
	}
	return out
}
