package reach

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// twoByTwo are two namespaces of two pods, each closed but for db, which web may call.
func twoByTwo() []Object {
	var out []Object
	add := func(apiVersion, kind, namespace, name string, rest dict) {
		meta := dict{"name": name}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		content := dict{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
		for k, v := range rest {
			content[k] = v
		}
		out = append(out, Object{content, Origin{File: "objects.yaml", Line: len(out) + 1}})
	}
	for _, namespace := range []string{"a", "b"} {
		add("v1", "Namespace", "", namespace, nil)
		for _, app := range []string{"db", "web"} {
			add("v1", "Pod", namespace, app, nil)
			out[len(out)-1].Content["metadata"].(dict)["labels"] = dict{"app": app}
		}
		add("networking.k8s.io/v1", "NetworkPolicy", namespace, "db", dict{"spec": dict{
			"podSelector": dict{"matchLabels": dict{"app": "db"}},
			"ingress":     []any{dict{"from": []any{dict{"podSelector": dict{"matchLabels": dict{"app": "web"}}}}}},
		}})
	}
	return out
}

func decided(t *testing.T, w *World, from, to string) Verdict {
	t.Helper()
	v, err := w.Decide(PodPeer(from[:1], from[2:]), PodPeer(to[:1], to[2:]), AllPorts())
	require.NoError(t, err)
	return v
}

// What could not be read makes unknown what it may concern, and nothing else; and it is said why.
func TestUnread(t *testing.T) {
	w, err := New(Config{Objects: twoByTwo(), WholeWorld: true, Unread: []Unread{{Namespace: "a", Origin: Origin{File: "overlays/a"}, Reason: "overlay overlays/a is refused"}}})
	require.NoError(t, err)
	require.Empty(t, w.Problems())
	v := decided(t, w, "a/web", "a/db")
	require.Equal(t, Unknown, v.Outcome)
	require.Equal(t, "egress: unknown: overlay overlays/a is refused (overlays/a)", v.Reasons[0].String())
	require.Equal(t, Unknown, decided(t, w, "b/web", "a/db").Outcome)
	require.Equal(t, Allowed, decided(t, w, "b/web", "b/db").Outcome)

	report := w.Connectivity().Report(false)
	w.Explain(report.Unknown)
	require.NotEmpty(t, report.Unknown)
	for _, c := range report.Unknown {
		require.True(t, c.From.Namespace == "a" || c.To.Namespace == "a", c)
		require.Equal(t, "overlay overlays/a is refused (overlays/a)", c.Reason)
	}

	w, err = New(Config{Objects: twoByTwo(), WholeWorld: true, Unread: []Unread{{}}})
	require.NoError(t, err)
	require.Equal(t, Unknown, decided(t, w, "b/web", "b/db").Outcome)

	w, err = New(Config{Objects: twoByTwo(), WholeWorld: true, Unread: []Unread{{Except: []string{"b"}}}})
	require.NoError(t, err)
	require.Equal(t, Unknown, decided(t, w, "a/web", "a/db").Outcome)
	require.Equal(t, Allowed, decided(t, w, "b/web", "b/db").Outcome)
}

// Policies that are wrong in ways that only their surroundings show make unknown what they concern: one that is defined twice, one with a
// label that is no text, one of a tier that cannot be read.
func TestDoubtfulPolicies(t *testing.T) {
	tiered := Object{Content: dict{
		"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": dict{"name": "early.x", "namespace": "a"},
		"spec": dict{"tier": "early", "selector": `app == "db"`, "ingress": []any{dict{"action": "Allow"}}},
	}}
	for name, extra := range map[string][]Object{
		"defined twice": {{Content: dict{
			"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"name": "db", "namespace": "a"},
			"spec": dict{"podSelector": dict{}, "ingress": []any{dict{}}},
		}, Origin: Origin{File: "more.yaml", Line: 1}}},
		"a label that is no text": {{Content: dict{
			"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
			"metadata": dict{"name": "open", "namespace": "a", "labels": dict{"tier": int64(5)}}, "spec": dict{"podSelector": dict{}, "ingress": []any{dict{}}},
		}}},
		"a tier that cannot be read": {tiered, {Content: dict{
			"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": dict{"name": "early"},
			"spec": dict{"order": "first"},
		}}},
	} {
		w, err := New(Config{Objects: append(twoByTwo(), extra...), WholeWorld: true})
		require.NoError(t, err)
		require.Len(t, w.Problems(), 1, name)
		require.Equal(t, Unknown, decided(t, w, "a/web", "a/db").Outcome, name)
		require.Equal(t, Allowed, decided(t, w, "b/web", "b/db").Outcome, name)
	}
	w, err := New(Config{Objects: append(twoByTwo(), tiered), WholeWorld: true})
	require.NoError(t, err)
	require.Equal(t, Allowed, decided(t, w, "a/web", "a/db").Outcome, "a tier without an object comes last")
}

// The reason of an unknown connection names the rule and what it asks for, whatever form the places have.
func TestExplain(t *testing.T) {
	w, err := New(Config{Implied: true, Objects: []Object{{Content: dict{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict{"namespace": "a", "name": "x"},
		"spec": dict{"podSelector": dict{}, "ingress": []any{dict{"from": []any{dict{"namespaceSelector": dict{"matchLabels": dict{"team": "web"}}}}}}},
	}, Origin: Origin{File: "x.yaml", Line: 3}}}, Workloads: []Workload{{Namespace: "b", Name: "one"}, {Namespace: "b", Name: "two"}}})
	require.NoError(t, err)
	report := w.Connectivity().Report(false)
	w.Explain(report.Unknown)
	require.NotEmpty(t, report.Unknown)
	for _, c := range report.Unknown {
		require.Equal(t, "it depends on labels or addresses that are not known: NetworkPolicy a/x spec.ingress[0] (x.yaml:3)", c.Reason, c.String())
	}
	odd := []Connection{{From: Place{CIDR: "internet"}, To: Place{Namespace: "z", Workload: "*"}, Ports: AllPorts().Rows(), Reason: "kept"}}
	w.Explain(odd)
	require.Equal(t, "kept", odd[0].Reason)
}

func TestParseICMP(t *testing.T) {
	code := uint8(4)
	require.True(t, mustPorts(t, "3/ICMP").Equal(ICMP(3, nil)))
	require.True(t, mustPorts(t, "3.4/icmp").Equal(ICMP(3, &code)))
	require.Equal(t, "ICMPv6 type 128", mustPorts(t, "128/ICMPv6").String())
	for _, text := range []string{"256/ICMP", "x/ICMP", "3.x/ICMP", "3.256/ICMPv6", "3-4/ICMP"} {
		_, err := ParsePorts(text)
		require.ErrorContains(t, err, "ICMP", text)
	}
}
