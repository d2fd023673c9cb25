package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync/controlplane"
	"github.com/ringfence/ringfence/sync/controlplane/trouble"
)

// ordeal is a daemon that is killed again and again, behind a way on which things go
// wrong, while Git and the cluster change.
type ordeal struct {
	*testing.T
	*nursery
	*wish
	*law
	*annals
	repo    *repository
	rogue   dynamic.Interface
	calico  controlplane.Calico // how its kinds are served
	dice    *rand.Rand
	head    string
	deeds   []string // lately
	kills   map[string]int
	settled []time.Duration
}

// deathbeds are the moments at which a daemon is killed: in each state of a round, and
// before and after each kind of write.
func deathbeds() []string {
	var out []string
	for _, write := range []string{"state", "apply", "replace", "delete", "copy", "uncopy", "release"} {
		out = append(out, "before "+write, "after "+write)
	}
	for _, s := range stages {
		out = append(out, "in "+s.name)
	}
	return out
}

// Whatever is lost on the way, and whenever the daemon is killed: once things are quiet the
// cluster equals Git, and at no moment before was anything touched that is not Git's, was
// isolation missing or the state anything but whole.
func TestFaults(t *testing.T) {
	onEachFlavour(t, testFaults)
}

func testFaults(t *testing.T, calico controlplane.Calico) {
	rounds := 100
	if os.Getenv("RINGFENCE_SCALE") == "full" {
		rounds = 1000
	}
	if testing.Short() {
		rounds = 15
	}
	if n, err := strconv.Atoi(os.Getenv("RINGFENCE_ROUNDS")); err == nil {
		rounds = n
	}
	if calico != sharedCalico() {
		rounds /= 5
	}
	seed := seedOf(t)
	o := newOrdeal(t, calico, seed)
	for n := range rounds {
		o.round(n)
		if t.Failed() {
			t.Fatalf("round %d, RINGFENCE_SEED=%d: %s\n%s", n, seed, strings.Join(o.deeds, "; "), o.said(60))
		}
	}
	o.tellAll(rounds)
	if rounds < 100 { // too few for everything to happen
		return
	}
	for _, moment := range deathbeds() {
		assert.Positive(t, o.kills[moment], "no daemon was ever killed %s", moment)
	}
	for _, f := range trouble.Faults() {
		assert.Positive(t, o.proxy.Counts()[f], "%s never happened", f)
	}
}

func newOrdeal(t *testing.T, calico controlplane.Calico, seed uint64) *ordeal {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Config{
		Calico: calico, Log: io.Discard,
		Args: []string{"--etcd-compaction-interval=0"}, // Calico's own API server has no bookmarks: a watch of what is quiet goes on from long ago
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = plane.Stop() })
	proxy, err := trouble.Start(trouble.Config{REST: plane.REST(), Seed: seed})
	require.NoError(t, err)
	t.Cleanup(func() { _ = proxy.Close() })
	o := &ordeal{T: t, calico: calico, repo: newRepository(t), law: newLaw(), kills: map[string]int{}, dice: rand.New(rand.NewPCG(seed, 0))}
	o.rogue, err = dynamic.NewForConfig(plane.REST())
	require.NoError(t, err)
	o.annals = newAnnals(t, o.rogue, o.withCalico())
	o.wish = newWish(o.dice, o.withCalico(), "f-a", "f-b", "f-c", "f-d", "f-e", "f-f")
	o.bystand()
	o.nursery = newNursery(t, proxy, childConfig{Repo: o.repo.dir})
	return o
}

// withCalico says whether Calico's kinds are served.
func (o *ordeal) withCalico() bool { return o.calico != controlplane.NoCalico }

// create makes an object that is nobody's business.
func (o *ordeal) create(kind schema.GroupVersionResource, namespace, name, spec string) {
	o.T.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(o.T, u.UnmarshalJSON([]byte(object(where{kind, namespace, name}, spoken{Labels: map[string]string{"ringfence.dev/tenant": "f-a"}}))))
	u.SetNamespace(namespace)
	switch {
	case kind.Resource == "secrets" || kind.Resource == "configmaps":
		u.SetKind(map[string]string{"secrets": "Secret", "configmaps": "ConfigMap"}[kind.Resource])
	case spec != "":
		u.Object["spec"] = fields(spec)
	}
	client := o.rogue.Resource(kind)
	var made *unstructured.Unstructured
	var err error
	if namespace == "" {
		made, err = client.Create(o.T.Context(), u, metav1.CreateOptions{FieldManager: "someone"})
	} else {
		made, err = client.Namespace(namespace).Create(o.T.Context(), u, metav1.CreateOptions{FieldManager: "someone"})
	}
	require.NoError(o.T, err)
	o.bystanders[made.GetUID()] = made.GetResourceVersion()
}

// bystand makes what nobody may touch outside the tenants.
func (o *ordeal) bystand() {
	secrets, maps := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	for _, name := range []string{"bystander", "f-unfenced"} {
		o.create(kinds.Namespace.GVR(), "", name, "")
		o.create(kinds.NetworkPolicy.GVR(), name, "deny-all", "{podSelector: {}}")
		o.create(secrets, name, "secret", "")
		o.create(maps, name, StateName, "")
		if o.withCalico() {
			o.create(calicoV3.WithResource("networkpolicies"), name, "default.calico", "{tier: default, selector: all(), types: [Egress], egress: [{action: Allow}]}")
		}
	}
	if !o.withCalico() {
		return
	}
	o.create(calicoV3.WithResource("tiers"), "", "theirs", "{order: 900, defaultAction: Pass}")
	o.create(calicoV3.WithResource("globalnetworkpolicies"), "", "theirs.one", "{tier: theirs, selector: has(nobody), types: [Egress], egress: [{action: Allow}]}")
}

// stranger makes what nobody may touch inside a tenant.
func (o *ordeal) stranger(name string) {
	o.create(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, name, "stranger", "")
	o.create(kinds.NetworkPolicy.GVR(), name, "stranger", "{podSelector: {matchLabels: {app: stranger}}, policyTypes: [Ingress]}")
}

// round changes things in bad weather, kills the daemon, and in most cases waits until all
// is well.
func (o *ordeal) round(n int) {
	o.did("round %d", n)
	storm := trouble.Weather{}
	worst := pick(o.dice, 0, 0.005, 0.02, 0.05)
	for _, f := range trouble.Faults() {
		storm[f] = worst
	}
	o.proxy.Turn(storm)
	if !o.runs() {
		o.start()
	}
	o.did("weather %g", worst)
	moment := ""
	if o.dice.IntN(3) > 0 {
		moment = o.rarest()
		o.did("to die %s", moment)
		o.arm(moment, 1+o.dice.IntN(2))
	}
	for range 1 + o.dice.IntN(3) {
		o.did("%s", o.change())
	}
	o.head = o.commit(o.repo)
	o.known(o.head)
	o.did("commit %s", short(o.head))
	o.poll()
	for range o.dice.IntN(4) {
		time.Sleep(time.Duration(o.dice.IntN(200)) * time.Millisecond)
		o.trouble(moment)
	}
	o.fate(moment)
	if n%3 != 2 || o.dice.IntN(2) == 0 {
		o.quiet()
	}
}

// known notes the tenants of a commit.
func (o *ordeal) known(commit string) {
	all := map[string]bool{}
	for name := range o.wish.tenants {
		all[name] = true
	}
	o.law.tenants[commit] = all
}

// fate waits for the daemon's death, or brings it about, or lets it live.
func (o *ordeal) fate(moment string) {
	if moment == "" {
		if o.dice.IntN(4) == 0 {
			time.Sleep(time.Duration(o.dice.IntN(1500)) * time.Millisecond)
			o.kill()
			o.kills["at random"]++
			o.did("killed at random")
		}
		return
	}
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline) && o.runs(); time.Sleep(20 * time.Millisecond) {
		if o.dice.IntN(20) == 0 {
			o.trouble(moment)
		}
	}
	if o.runs() {
		o.kill()
		o.kills["at random"]++
		o.did("killed, not having died")
		return
	}
	if o.died == "" {
		o.T.Errorf("the daemon ended by itself: %s", o.cmd.ProcessState)
	}
	o.kills[o.died]++
	o.did("died %s", o.died)
}

// rarest returns the moment at which the fewest have died.
func (o *ordeal) rarest() string {
	all := deathbeds()
	o.dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return slices.MinFunc(all, func(a, b string) int { return cmp.Compare(o.kills[a], o.kills[b]) })
}

func (o *ordeal) did(format string, args ...any) {
	o.deeds = append(o.deeds, fmt.Sprintf(format, args...))
	o.deeds = o.deeds[max(0, len(o.deeds)-80):]
}

// trouble does one thing to the cluster, or to the way to it, such as leads to the moment.
func (o *ordeal) trouble(moment string) {
	name := pick(o.dice, o.pool...)
	what := pick(o.dice, "open", "delete", "hang", "label", "extra", "tier", "cut", "hang up", "part")
	switch strings.TrimPrefix(strings.TrimPrefix(moment, "before "), "after ") {
	case "copy", "uncopy", "release":
		what = pick(o.dice, "hang", what)
	case "replace":
		what = pick(o.dice, "open", what)
	}
	policies := o.rogue.Resource(kinds.NetworkPolicy.GVR()).Namespace(name)
	list, err := policies.List(o.T.Context(), metav1.ListOptions{})
	require.NoError(o.T, err)
	var all []string
	for _, u := range list.Items {
		// A copy that is changed while it stands in is somebody else's from then on, as package sync says.
		if u.GetName() != "stranger" && !strings.HasSuffix(u.GetName(), kustomize.ReservedSuffix) {
			all = append(all, u.GetName())
		}
	}
	switch what {
	case "cut":
		o.proxy.Cut()
	case "hang up":
		o.proxy.HangUp()
	case "part":
		o.proxy.Part(true)
		time.Sleep(time.Duration(o.dice.IntN(600)) * time.Millisecond)
		o.proxy.Part(false)
	case "tier":
		_, _ = o.rogue.Resource(kinds.Tier.GVR()).Patch(o.T.Context(), "fence", types.MergePatchType, []byte(`{"spec":{"order":700}}`), metav1.PatchOptions{FieldManager: "someone"})
	case "extra": // comes and goes: what stays is reported, and stays
		u := &unstructured.Unstructured{}
		require.NoError(o.T, u.UnmarshalJSON([]byte(object(where{kinds.NetworkPolicy.GVR(), name, "extra"}, spoken{Spec: fields("{podSelector: {}, ingress: [{}]}")}))))
		if _, err := policies.Create(o.T.Context(), u, metav1.CreateOptions{FieldManager: "someone"}); err == nil {
			_ = policies.Delete(o.T.Context(), "extra", metav1.DeleteOptions{})
		}
	default:
		if len(all) == 0 {
			return
		}
		name = name + "/" + o.vandalise(policies, what, pick(o.dice, all...))
	}
	o.did("%s %s", what, name)
}

// vandalise does something to one policy.
func (o *ordeal) vandalise(policies dynamic.ResourceInterface, what, name string) string {
	patch := func(text string) {
		if u, err := policies.Patch(o.T.Context(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "someone"}); err == nil {
			o.theirVersions[u.GetResourceVersion()] = true
		}
	}
	remove := func() {
		u, err := policies.Get(o.T.Context(), name, metav1.GetOptions{})
		if err != nil {
			return
		}
		uid, version := u.GetUID(), u.GetResourceVersion()
		if len(u.GetFinalizers()) == 0 {
			o.theirUIDs[uid] = true // if it is as we have seen it, it goes at once
		}
		_ = policies.Delete(o.T.Context(), name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	}
	switch what {
	case "open":
		patch(`{"spec":{"egress":[{}],"policyTypes":["Ingress","Egress"]}}`)
	case "label":
		patch(`{"metadata":{"labels":{"theirs":"x"}}}`)
	case "hang":
		patch(`{"metadata":{"finalizers":["example.com/hang"]}}`)
		remove()
	case "delete":
		remove()
	}
	return name
}

// quiet calms the weather, and waits until the state says that all is done and the cluster
// equals Git. Then all that has happened is judged.
func (o *ordeal) quiet() {
	o.proxy.Turn(nil)
	if !o.runs() {
		o.start()
	}
	o.poll()
	began, why := time.Now(), "nobody looked"
	for deadline := began.Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		changes, live := o.caughtUp()
		o.judgeAll(changes)
		if o.T.Failed() {
			return
		}
		if why = o.unlike(live); why == "" {
			o.settled = append(o.settled, time.Since(began))
			o.strangers(live)
			return
		}
		if !o.runs() { // a fuse from before
			o.kills[o.died]++
			o.start()
			o.poll()
		}
	}
	o.T.Errorf("never quiet: %s", why)
}

func (o *ordeal) judgeAll(changes []change) {
	for _, c := range changes {
		if wrong := o.judge(c); wrong != "" {
			o.T.Errorf("%s: at %d, gone %v: %s", wrong, c.version, c.gone, text(c.object))
		}
	}
}

// strangers makes things that nobody may touch in namespaces that are new.
func (o *ordeal) strangers(live map[schema.GroupVersionResource][]unstructured.Unstructured) {
	had := map[string]bool{}
	for _, u := range live[kinds.NetworkPolicy.GVR()] {
		had[u.GetNamespace()] = had[u.GetNamespace()] || u.GetName() == "stranger"
	}
	for _, u := range live[kinds.Namespace.GVR()] {
		if slices.Contains(o.pool, u.GetName()) && !had[u.GetName()] {
			o.stranger(u.GetName())
		}
	}
}

// unlike says in what the cluster is not what Git says; "" if it is.
func (o *ordeal) unlike(live map[schema.GroupVersionResource][]unstructured.Unstructured) string {
	if st := o.state; st == nil || st.Applied != o.head || len(st.Pending) > 0 {
		return fmt.Sprintf("the state is %+v at %s", st, short(o.head))
	}
	there, got := map[string]bool{}, map[where]*unstructured.Unstructured{}
	for kind, items := range live {
		for i, u := range items {
			at := where{kind, u.GetNamespace(), u.GetName()}
			switch {
			case kind == kinds.Namespace.GVR():
				there[u.GetName()] = true
			case kind.Group == "" || o.bystanders[u.GetUID()] != "" || builtInTiers[u.GetName()]:
				continue
			}
			got[at] = &items[i]
		}
	}
	want := o.wanted(there)
	for at, what := range want {
		if got[at] == nil {
			return at.String() + " is missing"
		}
		if wrong := differs(got[at], what); wrong != "" {
			return fmt.Sprintf("%s: %s: %s", at, wrong, text(got[at]))
		}
	}
	for at := range got {
		if _, ok := want[at]; !ok && at.kind != kinds.Namespace.GVR() {
			return at.String() + " is not in Git"
		}
	}
	return ""
}

// builtInTiers are those that Calico makes.
var builtInTiers = map[string]bool{"default": true, "adminnetworkpolicy": true, "baselineadminnetworkpolicy": true, "kube-admin": true, "kube-baseline": true}

// differs compares field for field, without any code of ours.
func differs(u *unstructured.Unstructured, what spoken) string {
	labels := maps.Clone(u.GetLabels())
	delete(labels, "kubernetes.io/metadata.name")
	delete(labels, "projectcalico.org/tier") // the API server's own
	if !reflect.DeepEqual(labels, what.Labels) {
		return fmt.Sprintf("labels are not %v", what.Labels)
	}
	if u.GetKind() == "Namespace" {
		return ""
	}
	if u.GetDeletionTimestamp() != nil || len(u.GetFinalizers()) > 0 {
		return "it hangs"
	}
	got, err := json.Marshal(u.Object["spec"])
	if err != nil {
		return err.Error()
	}
	if want, _ := json.Marshal(what.Spec); string(got) != string(want) { //nolint:errchkjson // it came from JSON
		return fmt.Sprintf("spec is not %s", want)
	}
	var entries []string
	for _, e := range u.GetManagedFields() {
		entries = append(entries, e.Manager+" "+string(e.Operation))
	}
	// Who died after a replacement that came first left an entry of it, which the next write takes away.
	if !slices.Equal(entries, []string{"ringfence Apply"}) && !slices.Equal(entries, []string{"ringfence Apply", "ringfence Update"}) {
		return fmt.Sprintf("it is managed by %v", entries)
	}
	return ""
}

// tellAll prints what happened.
func (o *ordeal) tellAll(rounds int) {
	slices.Sort(o.settled)
	o.T.Logf("%d rounds, %d settled; to settle: p50 %s, max %s; %d requests", rounds, len(o.settled),
		o.settled[len(o.settled)/2].Round(time.Millisecond), o.settled[len(o.settled)-1].Round(time.Millisecond), o.proxy.Requests())
	o.T.Logf("kills: %v", o.kills)
	o.T.Logf("faults: %v", o.proxy.Counts())
}
