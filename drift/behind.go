package drift

import (
	"cmp"
	"slices"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// serverManager is the name under which Calico's own API server writes what it keeps.
const serverManager = "Go-http-client"

// Behind returns the field managers behind a difference: its own, and those who wrote
// what differs around Calico's own API server, which does not tell of them. The latter
// have the group that they wrote to behind their name.
func (c *Cluster) Behind(d Difference) []Writer {
	evidence := c.evidence(d.ID.Kind)
	if evidence == nil || d.Got == nil {
		return d.Writers
	}
	out := slices.Clone(d.Writers)
	live := d.ID
	live.Name = d.Got.GetName()
	for _, id := range []ID{live, OtherSpelling(live)} {
		kept := evidence.get(id.Namespace, id.Name)
		if kept == nil || shownUID(kept.GetUID()) != d.Got.GetUID() && kept.GetUID() != d.Got.GetUID() {
			continue
		}
		for _, w := range writers(kept.Unstructured, d.Fields) {
			known := slices.ContainsFunc(d.Writers, func(o Writer) bool { return o.Name == w.Name && o.Operation == w.Operation })
			if w.Name != serverManager && !known {
				w.Name += " (" + kinds.GroupStored + ")"
				out = append(out, w)
			}
		}
		break
	}
	slices.SortStableFunc(out, func(a, b Writer) int { return cmp.Compare(b.Time.Unix(), a.Time.Unix()) })
	return out
}

// outsiders reports whether somebody but Calico's API server has written what it keeps.
func (o *Observed) outsiders() bool {
	return slices.ContainsFunc(writers(o.Unstructured, nil), func(w Writer) bool { return w.Name != serverManager })
}
