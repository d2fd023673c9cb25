package web

import (
	"bytes"
	"html/template"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/picture"
	"github.com/ringfence/ringfence/drift/reach"
)

// fence is the picture of one tenant, and the same as a table.
type fence struct {
	Picture template.HTML
	Rows    []connection
	Count   int    // of all rows
	NotRows int    // that are not listed
	Left    int    // that are not drawn; those that are as Git says are left out first
	Blind   string // why it shows Git alone; "" if it does not
	Opened  int
	Closed  int
}

// connection is one row of the table.
type connection struct{ Tone, What, From, To, Ports, Reason string }

// mostDrawn bounds the connections of a picture, and mostListed those of the table.
const (
	mostDrawn  = 80
	mostListed = 400
)

// fenceOf draws what is known of a tenant; nil if nothing is.
func (h *Handler) fenceOf(name string) (*fence, error) {
	m, err := h.running.Look()
	if m == nil || err != nil {
		return nil, err
	}
	f := m.Fence(name)
	p := &picture.Picture{
		Title: "Who can reach whom in " + name, Inner: func(namespace string) bool { return namespace == name },
		Connections: reach.Gather(f.Kept), Opened: reach.Gather(f.Opened), Closed: reach.Gather(f.Closed), Unknown: reach.Gather(f.Unknown),
	}
	out := &fence{Blind: m.Blind, Rows: rowsOf(p)}
	out.Count = len(out.Rows)
	if out.NotRows = max(0, out.Count-mostListed); out.NotRows > 0 {
		out.Rows = out.Rows[:mostListed]
	}
	p.Opened, p.Closed = reach.Widest(p.Opened), reach.Widest(p.Closed) // the rest is what one expects from these
	out.Opened, out.Closed = len(p.Opened), len(p.Closed)
	out.Left = shorten(mostDrawn, &p.Opened, &p.Closed, &p.Connections, &p.Unknown)
	var svg bytes.Buffer
	if err := p.Inline(&svg); err != nil {
		return nil, err
	}
	out.Picture = template.HTML(svg.String()) //nolint:gosec // package picture escapes all that it writes
	return out, nil
}

// shorten keeps so many of all lists together, those of the first lists first, and returns how many it leaves out.
func shorten(most int, lists ...*[]reach.Connection) (left int) {
	for _, list := range lists {
		n := min(most, len(*list))
		left, most, *list = left+len(*list)-n, most-n, (*list)[:n]
	}
	return left
}

// rowsOf lists what a picture shows, what is not as Git says first.
func rowsOf(p *picture.Picture) (out []connection) {
	for _, part := range []struct {
		tone, what string
		list       []reach.Connection
	}{{"bad", "opened", p.Opened}, {"warn", "closed", p.Closed}, {"unknown", "unknown", p.Unknown}, {"", "allowed", p.Connections}} {
		for _, c := range part.list {
			out = append(out, connection{part.tone, part.what, c.From.String(), c.To.String(), c.Set().String(), c.Reason})
		}
	}
	return out
}
