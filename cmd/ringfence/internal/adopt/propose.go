package adopt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
)

// Finding is something to know about what lives, or about what is proposed.
type Finding struct {
	// Warning: somebody has to decide; if not, it is to be known.
	Warning bool
	// What says what there is, and Do what to do about it ("" where that is plain).
	What, Do string
}

// Config says what lives, against an overlay that has nothing of its own yet.
type Config struct {
	// Namespace is the tenant's.
	Namespace string
	// Changes are the differences between such an overlay and what lives.
	Changes []sync.Change
	// Tiers are those that an overlay may use.
	Tiers []string
	// Charts: what Helm charts brought is taken into Git too.
	Charts bool
}

// Proposal is what the overlay is to have of its own.
type Proposal struct {
	// Files are sorted by name.
	Files []File
	// Findings are about single objects, in the order of the objects.
	Findings []Finding

	left  map[drift.ID]bool // what is left out
	taken map[string]bool   // names of files
	tools map[string][]string
}

// Propose says what of a live namespace belongs into its overlay, and why the rest does not.
func Propose(c Config) (*Proposal, error) {
	p := &Proposal{
		left: map[drift.ID]bool{}, tools: map[string][]string{},
		taken: map[string]bool{"kustomization.yaml": true, "namespace.yaml": true},
	}
	for _, change := range c.Changes {
		if change.Got == nil || change.ID.Kind == kinds.Namespace {
			continue
		}
		var err error
		open, words := widthOf(c.Namespace, change.Exposure)
		switch {
		case change.Type == drift.Extra:
			err = p.extra(c, change)
		case change.Type == drift.Modified && !change.Want.Guard && slices.ContainsFunc(change.Fields, ofSpec):
			err = p.another(c, change)
		case change.Type == drift.Modified && change.Want.Guard && open > narrow:
			p.Findings = append(p.Findings, Finding{true, fmt.Sprintf("%s is not the guard's: it %s", named(change.ID.Kind, change.ID.Name), words), "the guard takes its place"})
		}
		if err != nil {
			return nil, err
		}
	}
	for _, tool := range slices.Sorted(maps.Keys(p.tools)) {
		objects := p.tools[tool]
		p.Findings = append(p.Findings, Finding{
			true, fmt.Sprintf("%s keeps %s: it would undo what Ringfence writes, and the other way round", tool, strings.Join(objects, ", ")),
			"hand over step by step: cmd/ringfence/docs/migrating.md",
		})
	}
	slices.SortFunc(p.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// ofSpec says whether a field is of the spec: all else is told by Announce.
func ofSpec(f drift.Field) bool { return f.Path == "spec" || strings.HasPrefix(f.Path, "spec.") }

// extra is what lives and the base does not give.
func (p *Proposal) extra(c Config, change sync.Change) error {
	if why, do := p.excluded(c, change); why != "" {
		p.left[change.ID] = true
		_, open := widthOf(c.Namespace, change.Exposure)
		f := Finding{open != "" || do != "", fmt.Sprintf("%s is left out: %s", named(change.ID.Kind, change.ID.Name), why), do}
		if open != "" {
			f.What += "; it " + open
		}
		p.Findings = append(p.Findings, f)
		return nil
	}
	file, err := objectFile(change.ID.Kind, clean(change.ID.Kind, change.Got), p.comment(c, change, "From the live namespace "+c.Namespace), p.taken)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, file)
	p.written(c, change, file)
	return nil
}

// another is what the base gives as well, and otherwise.
func (p *Proposal) another(c Config, change sync.Change) error {
	file, err := patchFile(change.ID.Kind, clean(change.ID.Kind, change.Got), p.comment(c, change, "As it is in the live namespace "+c.Namespace+", since the base's is another"), p.taken)
	if err != nil {
		return err
	}
	file.Patched = change.Want.GetName()
	p.Files = append(p.Files, file)
	p.Findings = append(p.Findings, Finding{
		true, fmt.Sprintf("%s is not as the base has it (%s): %s keeps it as it lives", file.Object, change.Want.Origin.File, file.Name),
		"once the base's will do, take the patch out",
	})
	p.written(c, change, file)
	if chart := chartOf(change.Got); chart != "" {
		p.Findings = append(p.Findings, Finding{true, fmt.Sprintf("%s is brought by %s, too, which writes it again with each upgrade", file.Object, chart), "turn it off in the chart's values"})
	}
	return nil
}

// written tells of what was taken into Git and is not just an allowance, and of whoever keeps it.
func (p *Proposal) written(c Config, change sync.Change, file File) {
	switch open, words := widthOf(c.Namespace, change.Exposure); open {
	case void:
		p.Findings = append(p.Findings, Finding{
			true, fmt.Sprintf("%s makes the base's isolation void: it %s", file.Object, words),
			fmt.Sprintf("take %s out, or narrow it, before it is merged", file.Name),
		})
	case wide:
		p.Findings = append(p.Findings, Finding{
			true, fmt.Sprintf("%s is open to everybody: it %s", file.Object, words),
			fmt.Sprintf("say in %s who is meant", file.Name),
		})
	case narrow:
	}
	if tool := sync.KeptBy(change.Got); tool != "" {
		p.tools[tool] = append(p.tools[tool], file.Object)
	}
}

// excluded says why an object does not belong into the overlay, and what to do; "" if it does.
func (p *Proposal) excluded(c Config, change sync.Change) (why, do string) {
	id, o := change.ID, change.Got
	tier := tierOf(o)
	switch {
	case change.Stays == string(drift.Ignore):
		return fmt.Sprintf("drift.ignore names it (%s)", change.Reason), ""
	case id.Kind.Group == kinds.GroupStored:
		return "it was written around Calico's own API server, and can be reached in crd.projectcalico.org alone", "find out who wrote it, and delete it there"
	case o.GetDeletionTimestamp() != nil:
		return "it is being deleted", ""
	case strings.HasSuffix(id.Name, kustomize.ReservedSuffix):
		return "it is a copy that Ringfence lets stand in for an object while that is made anew", ""
	case ownerOf(o) != "":
		return fmt.Sprintf("it belongs to %s, which made it", ownerOf(o)), "whoever runs that controller says whether it is needed"
	case !c.Charts && chartOf(o) != "":
		return fmt.Sprintf("it is of %s, which writes it again with each upgrade", chartOf(o)),
			"turn it off in the chart's values (Bitnami: networkPolicy.enabled, in postgresql's primary.networkPolicy.enabled), name it in drift.ignore with a reason, or have it removed by drift.extra: delete; --charts takes it into Git: cmd/ringfence/docs/first-install.md"
	case id.Kind.Tiered && !slices.Contains(c.Tiers, tier):
		return fmt.Sprintf("an overlay may not use the tier %s", tier), "put it into the guard or the cluster overlay, or name the tier in layout.tenantTiers and run this again"
	}
	return "", ""
}

// tierOf returns the tier of a policy of Calico's.
func tierOf(o *unstructured.Unstructured) string {
	tier, _, _ := unstructured.NestedString(o.Object, "spec", "tier")
	return cmp.Or(tier, "default")
}

// comment is what stands before an object in its file.
func (p *Proposal) comment(c Config, change sync.Change, from string) string {
	text := fmt.Sprintf("# %s; written by %s.\n", from, strings.ReplaceAll(writersOf(change.Got), "\n", " "))
	if open, words := widthOf(c.Namespace, change.Exposure); open > narrow {
		text += fmt.Sprintf("# It %s.\n", words)
	}
	return strings.Map(func(r rune) rune { // names of field managers are anyone's to write
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
