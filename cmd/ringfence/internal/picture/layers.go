package picture

import (
	"cmp"
	"slices"
)

// arrange gives every node of the band a layer (callers left of those they call, as far as there are no circles) and a
// row, and every edge a path through the layers between its ends.
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
}

// assignLayers is the longest path from any source; edges that close a circle do not count.
func (b *band) assignLayers() {
	out := map[*node][]*node{}
	for _, e := range b.edges {
		out[e.from] = append(out[e.from], e.to)
	}
	state := map[*node]int{} // 1: on the path, 2: done
	var sorted []*node
	forward := map[[2]*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		state[n] = 1
		for _, to := range out[n] {
			if state[to] == 1 {
				continue // closes a circle
			}
			forward[[2]*node{n, to}] = true
			if state[to] == 0 {
				visit(to)
			}
		}
		state[n] = 2
		sorted = append(sorted, n)
	}
	for _, n := range b.nodes {
		if state[n] == 0 {
			visit(n)
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
	before, after := map[*node][]int{}, map[*node][]int{}
	for _, e := range b.edges {
		for i := 1; i < len(e.path); i++ {
			before[e.path[i]] = append(before[e.path[i]], e.path[i-1].row)
			after[e.path[i-1]] = append(after[e.path[i-1]], e.path[i].row)
		}
	}
	neighbours := after
	if rightward {
		neighbours = before
	}
	for _, layer := range b.layers {
		slices.SortStableFunc(layer, func(m, n *node) int { return cmp.Compare(middle(m, neighbours), middle(n, neighbours)) })
		for i, n := range layer {
			n.row = i
		}
	}
}

func middle(n *node, neighbours map[*node][]int) float64 {
	rows := neighbours[n]
	if len(rows) == 0 {
		return float64(n.row)
	}
	sum := 0
	for _, row := range rows {
		sum += row
	}
	return float64(sum) / float64(len(rows))
}
