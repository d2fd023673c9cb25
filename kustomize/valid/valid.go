package valid

import (
	"fmt"
	"slices"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
)

// Config says what a check cannot know by itself.
type Config struct {
	// Selector returns what is wrong with the syntax of a Calico selector, nil
	// if nothing is. Nil: syntax is not checked.
	Selector func(text string) error
	// TierPrefix is true for Calico up to 3.31, where the name of a policy outside
	// the tier default must begin with the tier's and a dot.
	TierPrefix bool
}

// Fault is one value that is refused.
type Fault struct {
	// Path leads to the value from the root of the object: names of fields as
	// they are written, and indexes (int) of lists.
	Path []any
	// Message says what is wrong, to stand after the path: "is 5, and must be 4 or 6".
	Message string
}

// Calico returns what Calico refuses an object for, a pointer to one of the
// types of its policies, sets and tiers; nothing for others.
func (c Config) Calico(object any) []Fault {
	k := &checks{config: c}
	switch o := object.(type) {
	case *calico.NetworkPolicy:
		k.policyName(o.Name, o.Spec.Tier, true)
		k.metadata(path{"metadata"}, o.Labels, o.Annotations)
		k.policy(policyOf(&o.Spec))
	case *calico.GlobalNetworkPolicy:
		k.policyName(o.Name, o.Spec.Tier, false)
		k.metadata(path{"metadata"}, o.Labels, o.Annotations)
		k.globalPolicy(globalOf(&o.Spec))
	case *calico.StagedNetworkPolicy:
		k.policyName(o.Name, o.Spec.Tier, true)
		k.metadata(path{"metadata"}, o.Labels, o.Annotations)
		if k.stagedAction(o.Spec.StagedAction, o.Spec, "Tier") {
			k.policy(stagedOf(&o.Spec))
		}
	case *calico.StagedGlobalNetworkPolicy:
		k.policyName(o.Name, o.Spec.Tier, false)
		k.metadata(path{"metadata"}, o.Labels, o.Annotations)
		if k.stagedAction(o.Spec.StagedAction, o.Spec, "Tier") {
			k.globalPolicy(stagedGlobalOf(&o.Spec))
		}
	case *calico.StagedKubernetesNetworkPolicy:
		k.name(o.Name)
		k.metadata(path{"metadata"}, o.Labels, o.Annotations)
		k.stagedAction(o.Spec.StagedAction, o.Spec, "")
	case *calico.NetworkSet:
		k.set(o.Name, o.Labels, o.Annotations, o.Spec.Nets)
	case *calico.GlobalNetworkSet:
		k.set(o.Name, o.Labels, o.Annotations, o.Spec.Nets)
	case *calico.Tier:
		k.tier(o)
	}
	return k.found
}

// path is that of a [Fault].
type path []any

// at returns the path with more steps. The receiver is not changed.
func (p path) at(steps ...any) path { return append(p[:len(p):len(p)], steps...) }

// checks collects the faults of one object.
type checks struct {
	config Config
	found  []Fault
}

func (k *checks) add(at path, format string, args ...any) {
	k.found = append(k.found, Fault{Path: at, Message: fmt.Sprintf(format, args...)})
}

// selector checks the syntax of a selector, and that global() is not where it
// would select everything.
func (k *checks) selector(at path, text string) {
	k.syntax(at, text)
	if misplacedGlobal(text) {
		k.add(at, "has global(), which belongs in the namespaceSelector of a rule alone; elsewhere it selects everything: write all()")
	}
}

func (k *checks) syntax(at path, text string) {
	if k.config.Selector == nil || text == "" { // the empty one is all()
		return
	}
	if err := k.config.Selector(text); err != nil {
		k.add(at, "is %q, which is no selector: %v", text, err)
	}
}

// unique adds a fault for each item of a list that was there before.
func unique[T comparable](k *checks, at path, list []T) {
	for i, item := range list {
		if slices.Contains(list[:i], item) {
			k.add(at.at(i), "repeats %v", item)
		}
	}
}
