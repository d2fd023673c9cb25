package picture

import (
	"cmp"
	"slices"
)

// arrange gives every node of the band a layer (callers left of those they call, as far as there are no circles) and a
// row, every edge a path through the layers between its ends, and all of them their place.
func (b *band) arrange() {
	b.assignLayers()
	last := 0
	for _, n := range b.nodes {
		last = max(last, n.layer)
	}
	b.layers = make([][]*node, last+1)
	for _, n := range b.nodes {
		b.layers[n.layer] = append(b.layers[n.layer], n)
	}
	for _, e := range b.edges {
		b.route(e)
	}
	for sweep := range 8 {
		b.order(sweep%2 == 0)
	}
	b.place()
}

// assignLayers puts callers from outside first, those called outside last, and orders what is inside between them.
func (b *band) assignLayers() {
	first := 0
	if slices.ContainsFunc(b.nodes, func(n *node) bool { return n.side == callers }) {
		first = 1
	}
	b.layerInside(first)
	last := first
	for _, n := range b.nodes {
		if n.side == inside {
			last = max(last, n.layer+1)
		}
	}
	for _, n := range b.nodes {
		if n.side == called {
			n.layer = last
		}
	}
}

// layerInside is the longest path from any source; edges that close a circle do not count.
func (b *band) layerInside(first int) {
	out := map[*node][]*node{}
	for _, e := range b.edges {
		if e.from.side == inside && e.to.side == inside {
			out[e.from] = append(out[e.from], e.to)
		}
	}
	sorted, forward := depthFirst(b.nodes, out)
	for _, n := range b.nodes {
		if n.side == inside {
			n.layer = first
		}
	}
	for _, n := range slices.Backward(sorted) {
		for _, to := range out[n] {
			if forward[[2]*node{n, to}] {
				to.layer = max(to.layer, n.layer+1)
			}
		}
	}
}

// depthFirst returns the nodes, each after all that it leads to, and the edges that close no circle.
func depthFirst(nodes []*node, out map[*node][]*node) (sorted []*node, forward map[[2]*node]bool) {
	const onPath, done = 1, 2
	state := map[*node]int{}
	forward = map[[2]*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		state[n] = onPath
		for _, to := range out[n] {
			if state[to] == onPath {
				continue
			}
			forward[[2]*node{n, to}] = true
			if state[to] != done {
				visit(to)
			}
		}
		state[n] = done
		sorted = append(sorted, n)
	}
	for _, n := range nodes {
		if state[n] == 0 {
			visit(n)
		}
	}
	return sorted, forward
}

// route gives an edge a place in each layer that it crosses.
func (b *band) route(e *edge) {
	left, right := e.from, e.to
	if left.layer > right.layer {
		left, right = right, left
	}
	e.path = []*node{left}
	for layer := left.layer + 1; layer < right.layer; layer++ {
		d := &node{layer: layer, dummy: true}
		b.layers[layer] = append(b.layers[layer], d)
		e.path = append(e.path, d)
	}
	if right != left {
		e.path = append(e.path, right)
	}
}

// order sorts the nodes of each layer by the middle of their neighbours in the layer before, or after.
func (b *band) order(rightward bool) {
	for _, layer := range b.layers {
		for i, n := range layer {
			n.row = i
		}
	}
	before, after := b.neighbours()
	near := after
	if rightward {
		near = before
	}
	row := func(n *node) float64 { return float64(n.row) }
	for _, layer := range b.layers {
		slices.SortStableFunc(layer, func(m, n *node) int { return cmp.Compare(middle(m, near[m], row), middle(n, near[n], row)) })
		for i, n := range layer {
			n.row = i
		}
	}
}

// neighbours returns for each node those that edges lead to in the layer before and in the one after.
func (b *band) neighbours() (before, after map[*node][]*node) {
	before, after = map[*node][]*node{}, map[*node][]*node{}
	for _, e := range b.edges {
		for i := 1; i < len(e.path); i++ {
			l, r := e.path[i-1], e.path[i]
			if l.layer != r.layer {
				before[r], after[l] = append(before[r], l), append(after[l], r)
			}
		}
	}
	return before, after
}

// middle is the mean of the neighbours' places, or the node's own if it has none.
func middle(n *node, near []*node, at func(*node) float64) float64 {
	if len(near) == 0 {
		return at(n)
	}
	sum := 0.0
	for _, m := range near {
		sum += at(m)
	}
	return sum / float64(len(near))
}
