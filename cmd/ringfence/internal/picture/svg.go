package picture

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sizes in pixels.
const (
	boxHeight   = 44.0
	boxLeast    = 150.0
	dummyHeight = 20.0
	rowGap      = 18.0
	layerGap    = 190.0
	margin      = 24.0
	heading     = 34.0
	charWidth   = 7.3 // of 12 px text
	lineHeight  = 14.0
	labelChars  = 22
	labelLines  = 4
)

// style is the whole of the picture's looks, light and dark.
const style = `
text{font:12px system-ui,sans-serif;fill:#1c2430}
.h{font-weight:600;font-size:14px}.w{fill:#5b6675;font-size:11px}.b{font-weight:600}
.bg{fill:#ffffff}.box{fill:#eef4fb;stroke:#3b6ea5}.out{fill:#f6f6f6;stroke:#8a94a3}.any{fill:#fff3e0;stroke:#b26a00}
.edge{fill:none;stroke:#5b6675;stroke-width:1.4}.maybe{stroke-dasharray:5 4}.tip{fill:#5b6675}
.tag{fill:#ffffff;fill-opacity:.88}.l{font-size:11px}
@media(prefers-color-scheme:dark){text{fill:#e6ebf2}.w{fill:#a4afbd}.bg{fill:#12171f}.box{fill:#1a2b3f;stroke:#6ea3dd}
.out{fill:#20262f;stroke:#7b8796}.any{fill:#33260f;stroke:#e0a04a}.edge{stroke:#9aa6b5}.tip{fill:#9aa6b5}.tag{fill:#12171f}}
`

// SVG writes the picture as one SVG document.
func (p *Picture) SVG(w io.Writer) error {
	d := &drawing{picture: p}
	width, y := 320.0, margin
	for _, b := range p.bands() {
		b.arrange()
		right, bottom := d.band(b, y)
		width, y = max(width, right+margin), bottom+margin
	}
	if len(p.Connections)+len(p.Unknown) == 0 {
		d.text(margin, y+lineHeight, "h", "no connection is allowed")
		y += 2 * margin
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="t d">`, width, y, width, y)
	fmt.Fprintf(&out, "\n<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", escaped(p.Title), escaped(p.words()))
	fmt.Fprintf(&out, "<style>%s</style>\n", style)
	out.WriteString(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	fmt.Fprintf(&out, "<rect class=\"bg\" width=\"%.0f\" height=\"%.0f\"/>\n", width, y)
	for _, part := range []*bytes.Buffer{&d.edges, &d.labels, &d.boxes} {
		out.Write(part.Bytes())
	}
	out.WriteString("</svg>\n")
	_, err := w.Write(out.Bytes())
	return err
}

// words says the picture in text.
func (p *Picture) words() string {
	var lines []string
	for _, c := range slices.Concat(p.Connections, p.Unknown) {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "; ")
}

// drawing gathers the parts of a document: boxes lie over labels, and these over edges.
type drawing struct {
	picture              *Picture
	edges, labels, boxes bytes.Buffer
}

// band draws one band from y downwards and returns its right and lower end.
func (d *drawing) band(b *band, y float64) (right, bottom float64) {
	if b.namespace != "" {
		d.text(margin, y+lineHeight, "h", b.namespace)
		y += heading
	}
	height := 0.0
	for _, layer := range b.layers {
		height = max(height, stack(layer))
	}
	x := margin
	for _, layer := range b.layers {
		width := boxLeast
		for _, n := range layer {
			n.measure()
			width = max(width, n.width)
		}
		at := y + (height-stack(layer))/2
		for _, n := range layer {
			n.x, n.y, n.width = x+width/2, at+n.size()/2, width
			at += n.size() + rowGap
		}
		x += width + layerGap
	}
	for _, n := range b.nodes {
		d.node(n, b.namespace)
	}
	var tags []*tag
	for _, e := range b.edges {
		tags = append(tags, d.edge(e))
	}
	bottom = y + height
	for _, t := range spread(tags) {
		d.tag(t)
		bottom = max(bottom, t.y+t.height())
	}
	return x - layerGap, bottom
}

func (n *node) size() float64 {
	if n.dummy {
		return dummyHeight
	}
	return boxHeight
}

func (n *node) measure() {
	if n.dummy {
		return
	}
	what, where := names(n.place)
	n.width = max(boxLeast, 20+charWidth*float64(max(len([]rune(what)), len([]rune(where)))))
}

func stack(layer []*node) float64 {
	sum := -rowGap
	for _, n := range layer {
		sum += n.size() + rowGap
	}
	return max(0, sum)
}

func (d *drawing) node(n *node, home string) {
	what, where := names(n.place)
	class := "out"
	switch {
	case n.place.Namespace == home && home != "":
		class = "box"
	case n.place.Any != "" || n.place.Namespace == "*":
		class = "any"
	}
	fmt.Fprintf(&d.boxes, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="7"/>`,
		escaped(n.place.String()), class, n.x-n.width/2, n.y-boxHeight/2, n.width, boxHeight)
	fmt.Fprintf(&d.boxes, `<text class="b" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, n.x, n.y-3, escaped(what))
	fmt.Fprintf(&d.boxes, `<text class="w" x="%.1f" y="%.1f" text-anchor="middle">%s</text></g>`+"\n", n.x, n.y+13, escaped(where))
}

// edge draws the line and returns where its label is wanted.
func (d *drawing) edge(e *edge) *tag {
	first, last := e.path[0], e.path[len(e.path)-1]
	class := "edge"
	if e.unknown {
		class += " maybe"
	}
	var path strings.Builder
	var at [2]float64
	if len(e.path) == 1 || first.layer == last.layer { // to itself, or within the layer: around on the right
		x := first.x + first.width/2
		fmt.Fprintf(&path, "M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x, e.from.y, x+60, e.from.y, x+60, e.to.y, x, e.to.y)
		at = [2]float64{x + 52, (e.from.y + e.to.y) / 2}
	} else {
		fmt.Fprintf(&path, "M%.1f %.1f", first.x+first.width/2, first.y)
		for i := 1; i < len(e.path); i++ {
			from, to := e.path[i-1], e.path[i]
			x0, x1 := from.x+from.width/2, to.x-to.width/2
			fmt.Fprintf(&path, "C%.1f %.1f %.1f %.1f %.1f %.1f", (x0+x1)/2, from.y, (x0+x1)/2, to.y, x1, to.y)
			if to.dummy {
				fmt.Fprintf(&path, "H%.1f", to.x+to.width/2)
			}
		}
		before := e.path[len(e.path)-2]
		at = [2]float64{(before.x + before.width/2 + last.x - last.width/2) / 2, (before.y + last.y) / 2}
	}
	marker := "marker-end"
	if e.from != first {
		marker = "marker-start"
	}
	fmt.Fprintf(&d.edges, `<path class="%s" %s="url(#a)" d="%s"/>`+"\n", class, marker, path.String())
	label := e.label
	if e.unknown {
		label = "unknown: " + label
	}
	return &tag{x: at[0], y: at[1], full: label, lines: wrapped(label)}
}

// tag is the label of an edge.
type tag struct {
	x, y  float64 // of the middle of its top
	full  string
	lines []string
}

func (t *tag) height() float64 { return lineHeight*float64(len(t.lines)) + 4 }

// spread moves labels apart, up and down, where they would lie upon one another; their order stays.
func spread(tags []*tag) []*tag {
	for _, t := range tags {
		t.y -= t.height() / 2
	}
	slices.SortStableFunc(tags, func(a, b *tag) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	for moved, rounds := true, 0; moved && rounds < 1000; rounds++ {
		moved = false
		for i := 1; i < len(tags); i++ {
			above, below := tags[i-1], tags[i]
			if overlap := above.y + above.height() + 2 - below.y; above.x == below.x && overlap > 0.1 {
				above.y, below.y, moved = above.y-overlap/2, below.y+overlap/2, true
			}
		}
	}
	return tags
}

func (d *drawing) tag(t *tag) {
	width := 0.0
	for _, line := range t.lines {
		width = max(width, 6.4*float64(len([]rune(line)))+8)
	}
	fmt.Fprintf(&d.labels, `<g><title>%s</title><rect class="tag" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`,
		escaped(t.full), t.x-width/2, t.y, width, t.height())
	for i, line := range t.lines {
		fmt.Fprintf(&d.labels, `<text class="l" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, t.x, t.y+lineHeight*float64(i+1)-1, escaped(line))
	}
	d.labels.WriteString("</g>\n")
}

func (d *drawing) text(x, y float64, class, text string) {
	fmt.Fprintf(&d.boxes, `<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, x, y, escaped(text))
}

// wrapped breaks a list of ports into short lines; what does not fit is in the label's title.
func wrapped(label string) []string {
	lines := []string{""}
	for i, part := range strings.SplitAfter(label, ", ") {
		last := &lines[len(lines)-1]
		if i > 0 && len(*last)+len(part) > labelChars {
			lines = append(lines, part)
			continue
		}
		*last += part
	}
	if len(lines) > labelLines {
		lines = append(lines[:labelLines-1], fmt.Sprintf("and %d more", strings.Count(strings.Join(lines[labelLines-1:], ""), ", ")+1))
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], " ")
	}
	return lines
}

// escaped makes text safe in XML, and drops what XML cannot hold.
func escaped(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		return "" // a strings.Builder does not fail
	}
	return b.String()
}
