package reach

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// expectation is the last document of each file in testdata/semantics: how the world is configured and what must hold.
type expectation struct {
	Config struct {
		CalicoVersion string   `yaml:"calicoVersion"`
		PodCIDRs      []string `yaml:"podCIDRs"`
		NodeCIDRs     []string `yaml:"nodeCIDRs"`
		Pending       bool     `yaml:"pending"`
		Open          bool     `yaml:"open"` // not the whole world
	} `yaml:"config"`
	Verdicts []string `yaml:"verdicts"` // "x/a -> x/b 80/TCP: allow because TEXT"
	Problems []string `yaml:"problems"` // parts of the texts, in order
}

func TestSemantics(t *testing.T) {
	files, err := filepath.Glob("testdata/semantics/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			objects, want := readCase(t, file)
			config := Config{
				Objects: objects, CalicoVersion: want.Config.CalicoVersion, Pending: want.Config.Pending, WholeWorld: !want.Config.Open,
				PodCIDRs: prefixes(want.Config.PodCIDRs), NodeCIDRs: prefixes(want.Config.NodeCIDRs),
			}
			w, err := New(config)
			require.NoError(t, err)
			problems := w.Problems()
			require.Len(t, problems, len(want.Problems), "%v", problems)
			for i, text := range want.Problems {
				require.Contains(t, problems[i].Error(), text)
			}
			require.NotEmpty(t, append(want.Verdicts, want.Problems...), "the file demands nothing")
			for _, line := range want.Verdicts {
				checkVerdict(t, w, line)
			}
			connectivityAgrees(t, w)
		})
	}
}

func prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// readCase returns the objects of a file with their lines, and its expectation.
func readCase(t *testing.T, file string) ([]Object, expectation) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	var objects []Object
	var want expectation
	for decoder := yaml.NewDecoder(f); ; {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return objects, want
		}
		require.NoError(t, err)
		content := map[string]any{}
		require.NoError(t, doc.Decode(&content))
		if content["kind"] == nil {
			require.NoError(t, doc.Decode(&want))
			continue
		}
		objects = append(objects, Object{Content: content, Origin: Origin{File: filepath.Base(file), Line: doc.Content[0].Line}})
	}
}

func checkVerdict(t *testing.T, w *World, line string) {
	t.Helper()
	question, answer, ok := strings.Cut(line, ": ")
	require.True(t, ok, line)
	from, rest, ok := strings.Cut(question, " -> ")
	require.True(t, ok, line)
	to, portText, _ := strings.Cut(rest, " ")
	ports, err := ParsePorts(portText)
	require.NoError(t, err, line)
	answer, because, _ := strings.Cut(answer, " because ")
	verdict, err := w.Decide(peerOf(from), peerOf(to), ports)
	require.NoError(t, err, line)
	require.Equal(t, answer, verdict.Outcome.String(), "%s\n%v", line, verdict.Reasons)
	reasons := make([]string, len(verdict.Reasons))
	for i, r := range verdict.Reasons {
		reasons[i] = r.String()
	}
	require.Contains(t, strings.Join(reasons, "\n"), because, line)
}

// peerOf reads namespace/name, an address, a CIDR, or one of the words of a PolicyTest. others:NS is every pod outside.
func peerOf(text string) Peer {
	switch text {
	case "internet":
		return InternetPeer()
	case "anyone":
		return AnyonePeer()
	}
	if own, ok := strings.CutPrefix(text, "others:"); ok {
		return PodsPeer(text, func(namespace string) bool { return namespace != own })
	}
	if addresses, err := ParseAddresses(text); err == nil {
		return AddressPeer(addresses)
	}
	namespace, name, _ := strings.Cut(text, "/")
	return PodPeer(namespace, name)
}

// connectivityAgrees compares every pair of the whole connectivity with the verdict that is asked for it alone.
func connectivityAgrees(t *testing.T, w *World) {
	t.Helper()
	w.Connectivity()
	for from, a := range w.conn.endpoints {
		for to, b := range w.conn.endpoints {
			if from == to || a.host || (b.host && a.node == b.node) {
				continue
			}
			verdict, err := w.Decide(PodPeer(a.Namespace, a.Name), PodPeer(b.Namespace, b.Name), AllPorts())
			require.NoError(t, err)
			got := w.conn.pair(from, to)
			// What differs between the versions of IP is unknown here, where Decide tells them apart.
			unsure := AllPorts().Minus(verdict.Allowed).Minus(verdict.Denied)
			require.Equal(t, unsure.String(), got.allow.Intersect(got.deny).String(), "%s -> %s", a, b)
			require.Equal(t, verdict.Allowed.String(), got.allow.Minus(got.deny).String(), "%s -> %s", a, b)
			require.Equal(t, verdict.Denied.String(), got.deny.Minus(got.allow).String(), "%s -> %s", a, b)
		}
	}
}

// hostNetwork pods are destinations of the whole connectivity, by name, and never its sources.
func TestHostsAreDestinationsOnly(t *testing.T) {
	objects, _ := readCase(t, "testdata/semantics/self-and-host.yaml")
	w, err := New(Config{Objects: objects, WholeWorld: true, PodCIDRs: prefixes([]string{"10.0.0.0/8"}), NodeCIDRs: prefixes([]string{"172.31.0.0/16"})})
	require.NoError(t, err)
	got := lines(w.Connectivity().Report(false).Connections)
	require.Contains(t, got, "y/c → x/agent everything")
	for _, line := range got {
		require.NotContains(t, line, "agent →")
		require.NotContains(t, line, "agent2 →")
	}
}
