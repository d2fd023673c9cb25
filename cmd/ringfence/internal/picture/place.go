package picture

import (
	"cmp"
	"slices"
	"strings"
)

// Sizes in pixels.
const (
	boxLeast    = 110.0 // width
	boxHeight   = 42.0  // at least
	dummyHeight = 14.0
	rowGap      = 20.0
	bend        = 70.0 // room for a curve between two layers
	tip         = 20.0 // from a label to the node, with the arrow's head
	quiet       = 12.0 // height of a slot without a label
	inset       = 18.0 // from the border of the namespace to its nodes
	headroom    = 26.0 // for its name
	charWidth   = 7.8  // of 12 px text
	labelWidth  = 6.4  // of a character of a label
	lineHeight  = 14.0
	wordHeight  = 16.0 // of a line of a node's words
)

// slot is where an edge leaves or meets a node, one below the other on either side of it; a label lies on its line.
type slot struct {
	edge   *edge
	y      float64
	height float64
	next   *node // where the line leads
}

// place gives nodes their coordinates, from the upper left corner of the band, and edges their slots.
func (b *band) place() {
	b.slots()
	b.placeRows()
	b.placeColumns()
	for _, n := range b.nodes {
		settle(n.left, n.y)
		settle(n.right, n.y)
	}
}

// slots gives both ends of every edge one. Edges that point backward, or stay in their layer, end on the right.
func (b *band) slots() {
	for _, e := range b.edges {
		e.start, e.end = &slot{edge: e, height: quiet}, &slot{edge: e, height: e.tall() + 6}
		first, last := e.path[0], e.path[len(e.path)-1]
		switch {
		case first.layer == last.layer:
			e.start.next, e.end.next = e.to, e.from
			e.from.right = append(e.from.right, e.start)
			e.to.right = append(e.to.right, e.end) // of the same node, perhaps
		case e.from == first:
			e.start.next, e.end.next = e.path[1], e.path[len(e.path)-2]
			e.from.right, e.to.left = append(e.from.right, e.start), append(e.to.left, e.end)
		default:
			e.start.next, e.end.next = e.path[len(e.path)-2], e.path[1]
			e.from.left, e.to.right = append(e.from.left, e.start), append(e.to.right, e.end)
		}
	}
}

// tall is the height of the label, and wide its width.
func (e *edge) tall() float64 { return lineHeight*float64(len(e.lines)) + 2 }

func (e *edge) wide() float64 {
	width := 0
	for _, line := range e.lines {
		width = max(width, len([]rune(line)))
	}
	return labelWidth*float64(width) + 8
}

// size is the height of a node: its slots must have room, and its words.
func (n *node) size() float64 {
	if n.dummy {
		return dummyHeight
	}
	what, _ := names(n.place)
	return max(boxHeight, total(n.left)+8, total(n.right)+8, wordHeight*float64(len(broken(what))+1)+10)
}

func total(slots []*slot) float64 {
	sum := 0.0
	for _, s := range slots {
		sum += s.height
	}
	return sum
}

// settle stacks the slots of one side around the node's middle, by where their lines lead.
func settle(slots []*slot, y float64) {
	slices.SortStableFunc(slots, func(a, b *slot) int { return cmp.Compare(a.next.y, b.next.y) })
	at := y - total(slots)/2
	for _, s := range slots {
		s.y = at + s.height/2
		at += s.height
	}
}

// placeRows moves every node as near to the middle of its neighbours as its layer has room.
func (b *band) placeRows() {
	for _, layer := range b.layers {
		spread(layer, make([]float64, len(layer)))
	}
	before, after := b.neighbours()
	level := func(n *node) float64 { return n.y }
	for sweep := range 12 {
		near, layers := before, slices.Clone(b.layers)
		if sweep%2 == 1 {
			near = after
			slices.Reverse(layers)
		}
		for _, layer := range layers {
			wanted := make([]float64, len(layer))
			for i, n := range layer {
				wanted[i] = middle(n, near[n], level)
			}
			spread(layer, wanted)
		}
	}
	top := 0.0
	for i, layer := range b.layers {
		for j, n := range layer {
			if y := n.y - n.size()/2; y < top || (i == 0 && j == 0) {
				top = y
			}
		}
	}
	for _, layer := range b.layers {
		for _, n := range layer {
			n.y -= top
		}
	}
}

// spread puts the nodes of a layer at the places that are, of all that keep their order and their distances, the nearest
// to the wanted ones by the sum of squares (pool adjacent violators).
func spread(layer []*node, wanted []float64) {
	type pool struct {
		sum   float64
		count int
	}
	var pools []pool
	offsets := make([]float64, len(layer))
	bottom := -rowGap
	for i, n := range layer {
		offsets[i] = bottom + rowGap + n.size()/2
		bottom = offsets[i] + n.size()/2
		pools = append(pools, pool{wanted[i] - offsets[i], 1})
		for len(pools) > 1 {
			a, b := pools[len(pools)-2], pools[len(pools)-1]
			if a.sum/float64(a.count) <= b.sum/float64(b.count) {
				break
			}
			pools = append(pools[:len(pools)-2], pool{a.sum + b.sum, a.count + b.count})
		}
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			layer[i].y = p.sum/float64(p.count) + offsets[i]
			i++
		}
	}
}

// placeColumns puts the layers side by side, with room for curves and labels between them.
func (b *band) placeColumns() {
	x := 0.0
	for i, layer := range b.layers {
		width := boxLeast
		for _, n := range layer {
			width = max(width, n.natural(b.namespace))
		}
		if i > 0 {
			x += room(b.layers[i-1], rightOf) + bend + room(layer, leftOf)
		}
		if b.bordered(layer) && (i == 0 || !b.bordered(b.layers[i-1])) {
			x += inset
		}
		if i > 0 && !b.bordered(layer) && b.bordered(b.layers[i-1]) {
			x += inset
		}
		for _, n := range layer {
			n.x, n.width = x+width/2, width
		}
		x += width
	}
}

// bordered reports whether a layer lies inside the namespace's border.
func (b *band) bordered(layer []*node) bool {
	return b.namespace != "" && slices.ContainsFunc(layer, func(n *node) bool { return !n.dummy && n.side == inside })
}

func leftOf(n *node) []*slot  { return n.left }
func rightOf(n *node) []*slot { return n.right }

// room is the width that the labels on one side of a layer need.
func room(layer []*node, of func(*node) []*slot) float64 {
	width := 0.0
	for _, n := range layer {
		for _, s := range of(n) {
			if s == s.edge.end {
				width = max(width, s.edge.wide()+tip)
			}
		}
	}
	return width
}

// natural is the width that a node's words need.
func (n *node) natural(home string) float64 {
	if n.dummy {
		return 0
	}
	width := 0
	for _, line := range n.lines(home) {
		width = max(width, len([]rune(line.text)))
	}
	return 20 + charWidth*float64(width)
}

// line is one line of a node's words, with its looks.
type line struct{ class, text string }

const (
	nodeChars = 28 // of a line; what has no place to break is longer
	nodeLines = 3
)

// lines are the words of a node: inside the border of its namespace that need not be said again.
func (n *node) lines(home string) (out []line) {
	what, where := names(n.place)
	for _, text := range broken(what) {
		out = append(out, line{"b", text})
	}
	if home != "" && n.place.Namespace == home {
		return out
	}
	return append(out, line{"w", where})
}

// broken breaks a name into lines where it has a slash, a comma or a space. What there is no room for is in the node's title.
func broken(name string) []string {
	out := []string{""}
	for name != "" {
		part := name
		if i := strings.IndexAny(name, "/, "); i >= 0 {
			part = name[:i+1]
		}
		last := &out[len(out)-1]
		if *last != "" && len([]rune(*last))+len([]rune(strings.TrimRight(part, " "))) > nodeChars {
			out = append(out, "")
			last = &out[len(out)-1]
		}
		*last += part
		name = name[len(part):]
	}
	if len(out) > nodeLines {
		out = append(out[:nodeLines-1], "and more")
	}
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// frame is the border of the namespace; ok is false where there is none.
func (b *band) frame() (left, top, right, bottom float64, ok bool) {
	for i, layer := range b.layers {
		if !b.bordered(layer) {
			continue
		}
		for _, n := range layer {
			if n.dummy {
				continue
			}
			l, t, r, u := n.x-n.width/2, n.y-n.size()/2, n.x+n.width/2, n.y+n.size()/2
			if last := i+1 == len(b.layers) || !b.bordered(b.layers[i+1]); last {
				r += room(layer, rightOf)
			}
			if !ok {
				left, top, right, bottom, ok = l, t, r, u, true
			}
			left, top, right, bottom = min(left, l), min(top, t), max(right, r), max(bottom, u)
		}
	}
	return left - inset, top - inset/2 - headroom, right + inset, bottom + inset/2, ok
}
