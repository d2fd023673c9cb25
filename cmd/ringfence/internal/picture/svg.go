package picture

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift/reach"
)

const (
	margin     = 24.0
	labelChars = 22
	labelLines = 4
	scalable   = 1600.0 // as wide as this a picture can still be read where it is made somewhat smaller
)

// Style is the whole of the picture's looks, light and dark, as CSS: that of a picture that is [Picture.Inline] must be in its page.
const Style = `
text{font:12px system-ui,sans-serif;fill:#1c2430}
.h{font-weight:600;font-size:14px}.w{fill:#5b6675;font-size:11px}.b{font-weight:600}
.bg{fill:#ffffff}.ns{fill:#f3f7fc;stroke:#9db8d6}.box{fill:#ffffff;stroke:#3b6ea5}.out{fill:#f6f6f6;stroke:#8a94a3}.any{fill:#fff3e0;stroke:#b26a00}
.edge{fill:none;stroke:#5b6675;stroke-width:1.4}.edge.maybe{stroke-dasharray:2 4}.tip{fill:#5b6675}
.edge.opened{stroke:#c0271c;stroke-width:2.4}.tip.opened{fill:#c0271c}.l.opened{fill:#a81f15;font-weight:700}.edge.closed{stroke-dasharray:7 5}.l.closed{text-decoration:line-through}
.tag{fill:#ffffff}.in{fill:#f3f7fc}.l{font-size:11px}
@media(prefers-color-scheme:dark){text{fill:#e6ebf2}.w{fill:#a4afbd}.bg{fill:#12171f}.ns{fill:#162130;stroke:#3f5d80}.box{fill:#1a2b3f;stroke:#6ea3dd}
.out{fill:#20262f;stroke:#7b8796}.any{fill:#33260f;stroke:#e0a04a}.edge{stroke:#9aa6b5}.tip{fill:#9aa6b5}.tag{fill:#12171f}.in{fill:#162130}
.edge.opened{stroke:#ff8a7f}.tip.opened{fill:#ff8a7f}.l.opened{fill:#ffa69d}}
`

// SVG writes the picture as one SVG document.
func (p *Picture) SVG(w io.Writer) error { return p.write(w, true) }

// Inline writes the picture as an element of an HTML page, which has one such picture at most and [Style]. Its class is
// "scalable" if a page may make it smaller.
func (p *Picture) Inline(w io.Writer) error { return p.write(w, false) }

func (p *Picture) write(w io.Writer, alone bool) error {
	d := &drawing{}
	width, y := 320.0, margin
	for _, b := range p.bands() {
		b.arrange()
		right, bottom := d.band(b, y)
		width, y = max(width, right+margin), bottom+margin
	}
	if len(p.all()) == 0 {
		d.text(margin, y+lineHeight, "h", "no connection is allowed")
		y += 2 * margin
	}
	var out bytes.Buffer
	class := ""
	if !alone && width <= scalable {
		class = `class="scalable" `
	}
	fmt.Fprintf(&out, `<svg `+class+`xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="picture-title picture-words">`, width, y, width, y)
	fmt.Fprintf(&out, "\n<title id=\"picture-title\">%s</title>\n<desc id=\"picture-words\">%s</desc>\n", escaped(p.Title), escaped(p.words()))
	if alone {
		fmt.Fprintf(&out, "<style>%s</style>\n", Style)
	}
	out.WriteString("<defs>" + arrowHead("tip", "tip") + arrowHead("tip-opened", "tip opened") + "</defs>\n")
	fmt.Fprintf(&out, "<rect class=\"bg\" width=\"%.0f\" height=\"%.0f\"/>\n", width, y)
	for _, part := range []*bytes.Buffer{&d.frames, &d.edges, &d.labels, &d.boxes} {
		out.Write(part.Bytes())
	}
	out.WriteString("</svg>\n")
	_, err := w.Write(out.Bytes())
	return err
}

// arrowHead is the head of an arrow.
func arrowHead(id, class string) string {
	return `<marker id="` + id + `" viewBox="0 0 8 8" refX="8" refY="4" markerUnits="userSpaceOnUse" markerWidth="11" markerHeight="11" orient="auto-start-reverse">` +
		`<path class="` + class + `" d="M0 0L8 4L0 8z"/></marker>`
}

// all are the connections of every kind.
func (p *Picture) all() []reach.Connection {
	return slices.Concat(p.Connections, p.Opened, p.Closed, p.Unknown)
}

// words says the picture in text.
func (p *Picture) words() string {
	var lines []string
	for _, part := range p.parts() {
		for _, c := range part.list {
			lines = append(lines, part.mark+c.String())
		}
	}
	return strings.Join(lines, "; ")
}

// drawing gathers the parts of a document, each of which lies over those before.
type drawing struct{ frames, edges, labels, boxes bytes.Buffer }

// band draws one band from y downwards and returns its right and lower end.
func (d *drawing) band(b *band, y float64) (right, bottom float64) {
	x := margin
	left, top, frameRight, frameBottom, framed := b.frame()
	if framed {
		x, y = x-min(0, left), y-min(0, top)
		fmt.Fprintf(&d.frames, "<rect class=\"ns\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"10\"/>\n",
			x+left, y+top, frameRight-left, frameBottom-top)
		right, bottom = x+frameRight, y+frameBottom
	}
	for _, layer := range b.layers {
		for _, n := range layer {
			n.x, n.y = n.x+x, n.y+y
			for _, s := range slices.Concat(n.left, n.right) {
				s.y += y
			}
			right, bottom = max(right, n.x+n.width/2), max(bottom, n.y+n.size()/2)
		}
	}
	right = max(right, x+b.width())
	for _, e := range b.edges {
		d.edge(e)
		class := "tag"
		if tipX, far := e.label(); framed && min(tipX, far) > x+left && max(tipX, far) < x+frameRight {
			class = "tag in"
		}
		d.label(e, class)
	}
	for _, n := range b.nodes {
		d.node(n, b.namespace)
	}
	if framed {
		d.text(x+left+12, y+top+19, "h", b.namespace)
	}
	return right, bottom
}

// width is where the last layer ends, with the labels on its right.
func (b *band) width() float64 {
	last := b.layers[len(b.layers)-1]
	width := 0.0
	for _, n := range last {
		width = max(width, n.x+n.width/2+room(last, rightOf)+bend/2)
	}
	if room(last, rightOf) == 0 {
		return 0
	}
	return width
}

func (d *drawing) node(n *node, home string) {
	class := "out"
	switch {
	case n.place.Namespace == home && home != "":
		class = "box"
	case n.place.Any != "" || n.place.Namespace == "*":
		class = "any"
	}
	fmt.Fprintf(&d.boxes, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="7"/>`,
		escaped(n.place.String()), class, n.x-n.width/2, n.y-n.size()/2, n.width, n.size())
	lines := n.lines(home)
	y := n.y + 4 - wordHeight/2*float64(len(lines)-1)
	for i, line := range lines {
		fmt.Fprintf(&d.boxes, `<text class="%s" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, line.class, n.x, y+wordHeight*float64(i), escaped(line.text))
	}
	d.boxes.WriteString("</g>\n")
}

// edge draws the line from its start to the label, and through it to the arrow's head.
func (d *drawing) edge(e *edge) {
	class, head := "edge", "tip"
	if e.class != "" {
		class += " " + e.class
	}
	if e.class == "opened" {
		head = "tip-opened"
	}
	var path strings.Builder
	first, last := e.path[0], e.path[len(e.path)-1]
	tipX, near := e.label()
	switch {
	case first.layer == last.layer: // to itself, or within the layer: around on the right
		x := e.from.x + e.from.width/2
		fmt.Fprintf(&path, "M%.1f %.1fH%.1fC%.1f %.1f %.1f %.1f %.1f %.1fH%.1f", x, e.start.y, near, near+bend/2, e.start.y, near+bend/2, e.end.y, near, e.end.y, tipX)
	case e.from == first:
		x, y := e.from.x+e.from.width/2, e.start.y
		fmt.Fprintf(&path, "M%.1f %.1f", x, y)
		for _, n := range e.path[1 : len(e.path)-1] {
			curve(&path, x, y, n.x-n.width/2, n.y)
			x, y = n.x+n.width/2, n.y
			fmt.Fprintf(&path, "H%.1f", x)
		}
		curve(&path, x, y, near, e.end.y)
		fmt.Fprintf(&path, "H%.1f", tipX)
	default:
		x, y := e.from.x-e.from.width/2, e.start.y
		fmt.Fprintf(&path, "M%.1f %.1f", x, y)
		for _, n := range slices.Backward(e.path[1 : len(e.path)-1]) {
			curve(&path, x, y, n.x+n.width/2, n.y)
			x, y = n.x-n.width/2, n.y
			fmt.Fprintf(&path, "H%.1f", x)
		}
		curve(&path, x, y, near, e.end.y)
		fmt.Fprintf(&path, "H%.1f", tipX)
	}
	fmt.Fprintf(&d.edges, `<path class="%s" marker-end="url(#%s)" d="%s"/>`+"\n", class, head, path.String())
}

// label returns where the line meets the node, and where the label's far end is.
func (e *edge) label() (tipX, far float64) {
	if e.path[0].layer == e.path[len(e.path)-1].layer || e.from != e.path[0] {
		tipX = e.to.x + e.to.width/2
		return tipX, tipX + tip + e.wide()
	}
	tipX = e.to.x - e.to.width/2
	return tipX, tipX - tip - e.wide()
}

func curve(path *strings.Builder, x0, y0, x1, y1 float64) {
	fmt.Fprintf(path, "C%.1f %.1f %.1f %.1f %.1f %.1f", (x0+x1)/2, y0, (x0+x1)/2, y1, x1, y1)
}

// label draws the words on the line, before the arrow's head.
func (d *drawing) label(e *edge, class string) {
	tipX, far := e.label()
	middle := far + e.wide()/2
	if far > tipX {
		middle = far - e.wide()/2
	}
	top := e.end.y - e.tall()/2
	fmt.Fprintf(&d.labels, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`,
		escaped(e.full), class, middle-e.wide()/2, top, e.wide(), e.tall())
	for i, line := range e.lines {
		fmt.Fprintf(&d.labels, `<text class="%s" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, strings.TrimSpace("l "+e.class), middle, top+lineHeight*float64(i+1)-2, escaped(line))
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
