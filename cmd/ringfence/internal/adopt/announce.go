package adopt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// Announce says in what the cluster and the overlay still differ once the proposal is written, so that whoever applies it knows
// beforehand: what the guard and the base bring, what is taken off objects, and what cannot be held. What the proposal left out
// is told by its own findings.
func (p *Proposal) Announce(changes []sync.Change) (out []Finding) {
	var a announcement
	for _, c := range changes {
		switch {
		case c.Unknown != "":
			a.add(true, "%s cannot be compared: %s", named(c.ID.Kind, c.ID.Name), c.Unknown)
		case c.Type == drift.Extra && !p.left[c.ID]:
			a.add(true, "%s is in the cluster, and not in the overlay", named(c.ID.Kind, c.ID.Name))
		case c.Type == drift.Missing && c.Want.Guard:
			a.guard = append(a.guard, place(c))
		case c.Type == drift.Missing:
			a.base = append(a.base, place(c))
		case c.Type == drift.Modified:
			a.modified(c)
		}
	}
	return a.findings()
}

// announcement gathers what is told together.
type announcement struct {
	single      []Finding
	guard, base []string
	labelled    bool
	off         []string // objects, and what is taken off them
}

func (a *announcement) add(warning bool, format string, args ...any) {
	a.single = append(a.single, Finding{Warning: warning, What: fmt.Sprintf(format, args...)})
}

// place says what comes, and where it is written.
func place(c sync.Change) string {
	return fmt.Sprintf("%s (%s)", named(c.ID.Kind, c.ID.Name), c.Want.Origin.File)
}

func (a *announcement) modified(c sync.Change) {
	var spec, off []string
	object := named(c.ID.Kind, c.ID.Name)
	for _, f := range c.Fields {
		switch {
		case ofSpec(f):
			spec = append(spec, f.Path)
		case f.Path == "metadata.labels", f.Path == drift.Below("metadata.labels", kustomize.LabelManagedBy), f.Path == drift.Below("metadata.labels", kustomize.LabelTenant):
			a.labelled = true
		default:
			off = append(off, f.Path)
		}
	}
	if len(off) > 0 {
		a.off = append(a.off, fmt.Sprintf("%s has what is not in Git, and loses it: %s", object, strings.Join(off, ", ")))
	}
	switch {
	case len(spec) == 0:
	case c.Want.Guard:
		a.add(true, "%s becomes the guard's (%s): %s", object, c.Want.Origin.File, strings.Join(spec, ", "))
	default:
		a.add(true, "%s cannot be held in Git as it lives: %s", object, strings.Join(spec, ", "))
	}
}

func (a *announcement) findings() []Finding {
	slices.SortFunc(a.single, func(x, y Finding) int { return cmp.Compare(x.What, y.What) })
	if len(a.guard) > 0 {
		a.add(false, "the guard brings what does not live yet: %s", strings.Join(sorted(a.guard), ", "))
	}
	if len(a.base) > 0 {
		a.add(false, "the base brings what does not live yet: %s", strings.Join(sorted(a.base), ", "))
	}
	for _, text := range sorted(a.off) {
		a.add(false, "%s", text)
	}
	if a.labelled {
		a.add(false, "what is applied gets the labels %s and %s", kustomize.LabelManagedBy, kustomize.LabelTenant)
	}
	return a.single
}

// Beyond says what of the cluster-scoped kinds an overlay cannot hold, from the differences of the cluster overlay.
func Beyond(changes []sync.Change) []Finding {
	var open []string
	for _, c := range changes {
		if c.Type == drift.Extra && c.ID.Kind != kinds.Namespace && c.Stays != string(drift.Ignore) {
			open = append(open, named(c.ID.Kind, c.ID.Name))
		}
	}
	if len(open) == 0 {
		return nil
	}
	return []Finding{{true, "cluster-scoped and in no overlay: " + strings.Join(sorted(open), ", "), "they belong into the cluster overlay: ringfence diff --tenant _cluster"}}
}
