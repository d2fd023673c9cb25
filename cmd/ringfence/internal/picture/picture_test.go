package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/drift/reach"
)

func connection(t testing.TB, from, to reach.Place, ports string) reach.Connection {
	t.Helper()
	p, err := reach.ParsePorts(ports)
	require.NoError(t, err)
	return reach.Connection{From: from, To: to, Ports: p.Rows()}
}

func pod(namespace, workload string) reach.Place {
	return reach.Place{Namespace: namespace, Workload: workload}
}

// random makes connections between few and many, with circles, loops and long ways.
func random(t testing.TB, seed uint64) *Picture {
	r := rand.New(rand.NewPCG(seed, 1))
	places := []reach.Place{{Any: "pod"}, {Any: "address"}, {CIDR: "internet"}, {Namespace: "*", Workload: "*"}, {Namespace: "x", Workload: "*"}}
	for i := range 3 + r.IntN(8) {
		places = append(places, pod([]string{"x", "y"}[i%2], fmt.Sprintf("w%d", i)))
	}
	p := &Picture{Title: "random"}
	seen := map[[2]reach.Place]bool{}
	for range r.IntN(30) {
		ends := [2]reach.Place{places[r.IntN(len(places))], places[r.IntN(len(places))]}
		if seen[ends] {
			continue
		}
		seen[ends] = true
		c := connection(t, ends[0], ends[1], []string{"*", "80/TCP", "1-9/UDP", "ICMP"}[r.IntN(4)])
		list := []*[]reach.Connection{&p.Unknown, &p.Opened, &p.Closed, &p.Connections}[min(r.IntN(8), 3)]
		*list = append(*list, c)
	}
	return p
}

// Whatever the connections: valid XML, an edge for each, every node once in its band, and no label or box upon another.
func TestSVGOfAnything(t *testing.T) {
	for seed := range uint64(200) {
		p := random(t, seed)
		var first, second bytes.Buffer
		require.NoError(t, p.SVG(&first))
		require.NoError(t, p.SVG(&second))
		require.Equal(t, first.String(), second.String(), "the same input gives the same picture")
		require.Equal(t, len(p.all()), strings.Count(first.String(), "url(#tip"), "seed %d", seed)
		require.Equal(t, len(p.Opened), strings.Count(first.String(), "url(#tip-opened)"), "seed %d", seed)
		wellFormed(t, first.Bytes())
		for _, b := range p.bands() {
			b.arrange()
			(&drawing{}).band(b, 0)
			apart(t, b)
		}
	}
}

func wellFormed(t *testing.T, document []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

// area is a part of the picture.
type area struct {
	what                     string
	left, top, right, bottom float64
}

func apart(t *testing.T, b *band) {
	t.Helper()
	var areas []area
	for _, n := range b.nodes {
		areas = append(areas, area{n.place.String(), n.x - n.width/2, n.y - n.size()/2, n.x + n.width/2, n.y + n.size()/2})
		for _, s := range append(slices.Clone(n.left), n.right...) {
			require.LessOrEqual(t, s.y+s.height/2, n.y+n.size()/2+0.01, "a line meets its node")
			require.GreaterOrEqual(t, s.y-s.height/2, n.y-n.size()/2-0.01)
		}
	}
	for _, e := range b.edges {
		for i := 1; i < len(e.path); i++ {
			require.Equal(t, e.path[i-1].layer+1, e.path[i].layer, "a path crosses every layer")
		}
		require.Contains(t, append(slices.Clone(e.from.left), e.from.right...), e.start)
		require.Contains(t, append(slices.Clone(e.to.left), e.to.right...), e.end)
		tip, far := e.label()
		areas = append(areas, area{e.full, min(tip, far), e.end.y - e.tall()/2, max(tip, far), e.end.y + e.tall()/2})
	}
	for i, a := range areas {
		for _, c := range areas[:i] {
			across := min(a.right, c.right)-max(a.left, c.left) > 0.01
			down := min(a.bottom, c.bottom)-max(a.top, c.top) > 0.01
			require.False(t, across && down, "%q lies upon %q", a.what, c.what)
		}
		require.Greater(t, a.left, -0.01)
		require.Greater(t, a.top, -0.01)
	}
}

// Names are somebody's: they cannot leave the place that they are written in.
func TestNamesAreEscaped(t *testing.T) {
	hostile := `"]</text><script>alert(1)</script>` + "\x00\n`x`"
	p := &Picture{Title: hostile, Connections: []reach.Connection{connection(t, pod(hostile, hostile), pod("b", "db"), "5432/TCP")}}
	var svg, mermaid bytes.Buffer
	require.NoError(t, p.SVG(&svg))
	wellFormed(t, svg.Bytes())
	assert.NotContains(t, svg.String(), "<script")
	require.NoError(t, p.Mermaid(&mermaid))
	assert.NotContains(t, mermaid.String(), "<script")
	assert.NotContains(t, mermaid.String(), "\x00")
	assert.Equal(t, 1+3+3+1, strings.Count(mermaid.String(), "\n"), mermaid.String())
	assert.Zero(t, strings.Count(mermaid.String(), `"`)%2)
}

// Callers stand left of those they call; what closes a circle points back. Who calls from outside is on the left of all,
// who is called outside on the right, and who does both is there twice.
func TestLayers(t *testing.T) {
	dns := pod("kube-system", "dns")
	p := &Picture{Inner: func(namespace string) bool { return namespace == "a" }, Connections: []reach.Connection{
		connection(t, pod("a", "front"), pod("a", "back"), "80"), connection(t, pod("a", "back"), pod("a", "db"), "80"),
		connection(t, pod("a", "front"), pod("a", "db"), "80"), connection(t, pod("a", "db"), pod("a", "front"), "80"),
		connection(t, pod("a", "db"), pod("a", "db"), "80"), connection(t, dns, pod("a", "db"), "9"), connection(t, pod("a", "db"), dns, "53/UDP"),
	}}
	b := p.bands()[0]
	b.arrange()
	layers := map[string][]int{}
	for _, n := range b.nodes {
		layers[n.place.Workload] = append(layers[n.place.Workload], n.layer)
	}
	assert.Equal(t, map[string][]int{"front": {1}, "back": {2}, "db": {3}, "dns": {0, 4}}, layers)
	left, _, right, _, framed := b.frame()
	require.True(t, framed)
	for _, n := range b.nodes {
		assert.Equal(t, n.place.Namespace == "a", n.x > left && n.x < right, n.place)
	}
}

// Of all places that leave the nodes apart, the nearest to the wanted ones.
func TestSpread(t *testing.T) {
	layer := []*node{{}, {}, {}}
	step := boxHeight + rowGap
	for _, tt := range []struct{ wanted, want []float64 }{
		{[]float64{0, 100, 300}, []float64{0, 100, 300}},
		{[]float64{0, 0, 0}, []float64{-step, 0, step}},
		{[]float64{10, 0, 500}, []float64{5 - step/2, 5 + step/2, 500}},
	} {
		spread(layer, tt.wanted)
		for i, n := range layer {
			assert.InDelta(t, tt.want[i], n.y, 0.01, tt.wanted)
		}
	}
}

func TestNothing(t *testing.T) {
	var svg, mermaid bytes.Buffer
	require.NoError(t, (&Picture{}).SVG(&svg))
	assert.Contains(t, svg.String(), "no connection is allowed")
	require.NoError(t, (&Picture{}).Mermaid(&mermaid))
	assert.Equal(t, "flowchart LR\n", mermaid.String())
}

func TestWrapped(t *testing.T) {
	assert.Equal(t, []string{"80/TCP, 443/TCP"}, wrapped("80/TCP, 443/TCP"))
	assert.Equal(t, []string{"5671-5672/TCP,", "15671-15672/TCP"}, wrapped("5671-5672/TCP, 15671-15672/TCP"))
	many := wrapped(strings.TrimSuffix(strings.Repeat("15671-15672/TCP, ", 9), ", "))
	assert.Equal(t, []string{"15671-15672/TCP,", "15671-15672/TCP,", "15671-15672/TCP,", "and 6 more"}, many)
}

// Long names are broken where they can be, and never cut within a part; what does not fit is in the node's title.
func TestLongNames(t *testing.T) {
	for name, want := range map[string][]string{
		"app=web":                              {"app=web"},
		"any pod":                              {"any pod"},
		"app.kubernetes.io/name=ingress-nginx": {"app.kubernetes.io/", "name=ingress-nginx"},
		"any address but 169.254.169.254/32, fd00:ec2::254/128":                                 {"any address but", "169.254.169.254/32,", "fd00:ec2::254/128"},
		"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/17 and 155 more ranges": {"0.0.0.0/8, 10.0.0.0/8,", "100.64.0.0/10, 127.0.0.0/8,", "and more"},
		strings.Repeat("a", 60): {strings.Repeat("a", 60)},
		"/":                     {"/"},
		" ":                     {""},
		"":                      {""},
	} {
		assert.Equal(t, want, broken(name), name)
	}
	p := &Picture{Connections: []reach.Connection{{From: reach.Place{CIDR: "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/17"}, To: reach.Place{Namespace: "a", Workload: "b"}}}}
	var svg strings.Builder
	require.NoError(t, p.SVG(&svg))
	assert.Contains(t, svg.String(), "<title>0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/17</title>")
}
