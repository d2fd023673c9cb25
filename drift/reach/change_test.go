package reach

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// key names an object as drawWorld makes it.
func keyOf(o Object) string {
	meta := o.Content["metadata"].(dict)
	namespace, _ := meta["namespace"].(string)
	return o.Content["apiVersion"].(string) + "/" + o.Content["kind"].(string) + "/" + namespace + "/" + meta["name"].(string)
}

// changesBetween turns one set of objects into another, removals and additions mixed as rapid likes.
func changesBetween(t *rapid.T, a, b []Object) []Change {
	have := map[string]Object{}
	for _, o := range a {
		have[keyOf(o)] = o
	}
	var out []Change
	for _, o := range b {
		if was, ok := have[keyOf(o)]; !ok || !reflect.DeepEqual(was.Content, o.Content) {
			out = append(out, Change{Object: o})
		}
		delete(have, keyOf(o))
	}
	for _, key := range sortedKeys(have) {
		out = append(out, Change{Object: have[key], Removed: true})
	}
	return rapid.Permutation(out).Draw(t, "changes")
}

// A world that was changed step by step equals one that was made anew.
func TestAppliedEqualsFresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, chance(t, "known", 50))
		w := worldOf(t, b, Config{})
		w.Connectivity()
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			next := *b
			switch {
			case chance(t, "all", 20):
				next = *drawWorld(t, true)
				next.version, next.pending = b.version, b.pending
			case chance(t, "remove", 40) && len(b.policies) > 0:
				next.policies = next.policies[1:]
			default:
				next.policies = append(append([]*brutePolicy{}, next.policies...), drawPolicy(t, 5+rapid.IntRange(0, 2).Draw(t, "name")))
				next.policies = lastOfEachName(next.policies, b.version)
			}
			w.Apply(changesBetween(t, b.objects(), next.objects())...)
			b = &next
			fresh := worldOf(t, b, Config{})
			require.Len(t, w.Problems(), len(fresh.Problems()))
			require.Equal(t, fresh.Connectivity().Report(true), w.Connectivity().Report(true))
			require.Equal(t, fresh.Connectivity().Report(false), w.Connectivity().Report(false))
			require.True(t, Diff(fresh.Connectivity(), w.Connectivity()).Empty())
		}
	})
}

func lastOfEachName(policies []*brutePolicy, version string) []*brutePolicy {
	last := map[string]int{}
	name := func(p *brutePolicy) string {
		_, kind, _ := p.render(version)
		return kind + "/" + p.namespace + "/" + p.name
	}
	for i, p := range policies {
		last[name(p)] = i
	}
	var out []*brutePolicy
	for i, p := range policies {
		if last[name(p)] == i {
			out = append(out, p)
		}
	}
	return out
}

// The difference holds exactly the pairs whose verdict differs, and is mirrored when the two are exchanged.
func TestDiffIsWhatChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawWorld(t, true)
		after := *before
		after.policies = append(append([]*brutePolicy{}, before.policies...), drawPolicy(t, 9))
		a, b := worldOf(t, before, Config{}).Connectivity(), worldOf(t, &after, Config{}).Connectivity()
		d, back := Diff(a, b), Diff(b, a)
		require.Equal(t, d.Gained, back.Lost)
		require.Equal(t, d.Lost, back.Gained)
		require.True(t, Diff(a, a).Empty())
		require.Empty(t, d.Unsure)
		for _, q := range before.questions() {
			if q.source.pod == nil || q.destination.pod == nil {
				continue
			}
			for _, p := range packets {
				text := p.packet.protocol + " " + itoa(p.packet.port)
				from := func(x Place) bool { return covers(x, q.source.pod.namespace, q.source.pod.name) }
				to := func(x Place) bool { return covers(x, q.destination.pod.namespace, q.destination.pod.name) }
				was, is := before.allowed(q.source, q.destination, p.packet), after.allowed(q.source, q.destination, p.packet)
				if got := allows(d.Gained, from, to, text); got != (is && !was) {
					t.Fatalf("%s %s: gained %v, but it was %v and is %v\n%s", q.text, text, got, was, is, d)
				}
				if got := allows(d.Lost, from, to, text); got != (was && !is) {
					t.Fatalf("%s %s: lost %v, but it was %v and is %v\n%s", q.text, text, got, was, is, d)
				}
			}
		}
	})
}

// Adding a rule to a Kubernetes NetworkPolicy of isolated pods never removes a connection.
func TestAllowNeverRemoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawWorld(t, true)
		thousand := 1000.0
		isolating := &brutePolicy{
			kind: "KNP", namespace: "x", name: "isolating", tier: "default", order: &thousand, types: []string{"Ingress", "Egress"},
			selector: drawKube(t), kubeIn: drawKubeRules(t), kubeOut: drawKubeRules(t),
		}
		before.policies = append(before.policies, isolating)
		wider := *isolating
		wider.kubeIn = append(drawKubeRules(t), isolating.kubeIn...)
		wider.kubeOut = append(drawKubeRules(t), isolating.kubeOut...)
		after := *before
		after.policies = append(append([]*brutePolicy{}, before.policies[:len(before.policies)-1]...), &wider)
		d := Diff(worldOf(t, before, Config{}).Connectivity(), worldOf(t, &after, Config{}).Connectivity())
		require.Empty(t, d.Lost)
		require.Empty(t, d.Unsure)
	})
}

// Adding an Allow rule anywhere in a policy that already judges the direction never removes a connection, whatever tiers,
// orders, Pass and Deny there are.
func TestAllowAnywhereNeverRemoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawWorld(t, true)
		old := drawPolicy(t, 9)
		if old.kind == "KNP" {
			return // above
		}
		egress := chance(t, "egress", 50)
		if old.kind != "CNP" {
			old.types = []string{"Ingress", "Egress"}
		} else if !old.judges(egress) {
			return // the first rule of a direction is what makes it judge that direction
		}
		allow := drawRule(t)
		if old.kind == "CNP" {
			allow = bruteRule{source: bruteEntity{namespaces: drawKube(t)}}
			if egress {
				allow = bruteRule{dest: bruteEntity{namespaces: drawKube(t)}}
			}
		}
		allow.action = "Allow"
		wider := *old
		rules := &wider.ingress
		if egress {
			rules = &wider.egress
		}
		at := rapid.IntRange(0, len(*rules)).Draw(t, "at")
		*rules = slices.Insert(slices.Clone(*rules), at, allow)
		after := *before
		after.policies = append(slices.Clone(before.policies), &wider)
		before.policies = append(before.policies, old)
		d := Diff(worldOf(t, before, Config{}).Connectivity(), worldOf(t, &after, Config{}).Connectivity())
		require.Empty(t, d.Lost)
		require.Empty(t, d.Unsure)
	})
}

// A difference is mirrored where much is unknown, too, and a world does not differ from itself made anew.
func TestDiffIsMirrored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := Config{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/30")}}
		before := drawWorld(t, false)
		after := *before
		after.policies = append(slices.Clone(before.policies), drawPolicy(t, 9))
		a, b := worldOf(t, before, config).Connectivity(), worldOf(t, &after, config).Connectivity()
		d, back := Diff(a, b), Diff(b, a)
		require.Equal(t, d.Gained, back.Lost)
		require.Equal(t, d.Lost, back.Gained)
		require.Equal(t, d.Unsure, back.Unsure)
		require.True(t, Diff(a, worldOf(t, before, config).Connectivity()).Empty())
	})
}

// Where addresses are not known, the whole connectivity claims nothing that the verdict for the pair does not say.
func TestConnectivityNeverGuesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, false)
		w := worldOf(t, b, Config{PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/30")}})
		report := w.Connectivity().Report(true)
		for _, from := range b.pods {
			for _, to := range b.pods {
				if from == to {
					continue
				}
				for _, p := range packets {
					verdict, err := w.Decide(PodPeer(from.namespace, from.name), PodPeer(to.namespace, to.name), portsOf(t, p.packet, p.ports))
					require.NoError(t, err)
					text := p.packet.protocol + " " + itoa(p.packet.port)
					is := func(pod *brutePod) func(Place) bool {
						return func(x Place) bool { return covers(x, pod.namespace, pod.name) }
					}
					allowed := allows(report.Connections, is(from), is(to), text)
					unknown := allows(report.Unknown, is(from), is(to), text)
					require.False(t, allowed && unknown)
					require.False(t, allowed && verdict.Outcome != Allowed, "%v", verdict.Reasons)
					require.False(t, !allowed && !unknown && verdict.Outcome != Denied, "%v", verdict.Reasons)
				}
			}
		}
	})
}

// The order of the objects never matters.
func TestOrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawWorld(t, false)
		objects := b.objects()
		config := Config{Objects: objects, CalicoVersion: b.version}
		first, err := New(config)
		require.NoError(t, err)
		config.Objects = rapid.Permutation(objects).Draw(t, "objects")
		second, err := New(config)
		require.NoError(t, err)
		require.Equal(t, first.Connectivity().Report(false), second.Connectivity().Report(false))
	})
}

// What was unknown and becomes known is neither gained nor lost: it is told as unsure, in both directions.
func TestUnknownThatBecomesKnownIsUnsure(t *testing.T) {
	policy := Object{Content: dict{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "x", "name": "p"},
		"spec": dict{"podSelector": dict{}, "ingress": []any{dict{"from": []any{dict{"namespaceSelector": dict{"matchLabels": dict{"team": "red"}}}}}}},
	}}
	workloads := []Workload{{Namespace: "x", Name: "a"}, {Namespace: "z", Name: "d"}}
	w, err := New(Config{Objects: []Object{policy}, Workloads: workloads})
	require.NoError(t, err)
	before := w.Connectivity()
	require.Contains(t, lines(before.Report(false).Unknown)[0], "z/d → x/a everything (unknown: ")
	w.Apply(Change{Object: Object{Content: dict{"apiVersion": "v1", "kind": "Namespace", "metadata": dict{"name": "z", "labels": dict{"team": "red"}}}}})
	for _, d := range []Difference{Diff(before, w.Connectivity()), Diff(w.Connectivity(), before)} {
		require.Empty(t, d.Gained)
		require.Empty(t, d.Lost)
		require.Len(t, d.Unsure, 1)
		require.Contains(t, d.Unsure[0].String(), "z/d → x/a everything")
	}
}
