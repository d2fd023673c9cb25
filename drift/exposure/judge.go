package exposure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Judge judges differences, and remembers its answers: tenants are mostly alike, and a difference that stands is asked
// about again and again. Get one from New; it is safe for concurrent use.
type Judge struct{ memory memory }

// New returns a Judge that remembers nothing yet.
func New() *Judge { return &Judge{} }

// Judge fills in Effect and Exposure of every difference, which must all be of the scene's namespace, and returns what
// they do together. The error concerns the network's description alone; the effects are then unknown.
func (j *Judge) Judge(s *Scene, differences []drift.Difference) (together drift.Exposure, err error) {
	if len(differences) == 0 {
		return drift.Exposure{}, nil
	}
	c, err := newSuit(j, s, differences, false)
	if err != nil {
		return drift.Exposure{}, err
	}
	key := c.key()
	found, ok := j.memory.answers.get(key)
	if !ok {
		if found, err = c.judge(); err != nil {
			return drift.Exposure{}, err
		}
		found.namespace = s.Namespace
		j.memory.answers.put(key, found)
	}
	found = found.in(s.Namespace)
	for i := range differences {
		differences[i].Exposure = found.each[i]
		differences[i].Effect = found.each[i].Effect()
		// Of some nobody was asked; and what was written around Calico's API server has
		// another place among policies of equal order than is assumed here. A staged policy has none.
		k := differences[i].ID.Kind
		doubtful := c.partial || k.Group == kinds.GroupStored && !strings.HasPrefix(k.Kind, "Staged")
		if effect := differences[i].Effect; doubtful && (effect == drift.None || effect == drift.Closes) {
			differences[i].Effect = drift.EffectUnknown
		}
	}
	return found.together, nil
}

// suit is one question: a scene and its differences, as objects.
type suit struct {
	scene       *Scene
	differences []drift.Difference
	around      []reach.Object
	git         []side            // what Git says in the namespace
	labels      [2]labels         // of the namespace: as Git says, as they are live
	spaces      []reach.Object    // the other namespaces that count
	policies    []reach.Object    // of the namespace on both sides
	cast        []*reach.Endpoint // the workloads that both sides' policies imply
	extras      []reach.Workload  // their like in the other namespaces
	unasked     map[string]bool   // tenants for which another stands
	context     []string          // what the memory tells questions apart by
	partial     bool              // there are more kinds of tenants than are looked at
	forced      map[string]bool   // namespaces that must count, since policies of theirs do
	exemplary   map[string]bool   // namespaces that stand for more than are looked at
	classed     []string          // of each class of namespaces that selectors tell apart, one
	pairs       bool              // pods that two selectors select count, not only such as one does
}

type labels = map[string]string

// side is one object of the namespace on one side.
type side struct {
	id     drift.ID
	object reach.Object
}

func isNamespace(id drift.ID) bool { return id.Kind == kinds.Namespace }

func newSuit(j *Judge, s *Scene, differences []drift.Difference, pairs bool) (*suit, error) {
	c := &suit{
		scene: s, differences: differences, around: s.around(), pairs: pairs,
		forced: map[string]bool{}, unasked: map[string]bool{}, exemplary: map[string]bool{},
	}
	for _, w := range s.Wanted {
		if !isNamespace(w.ID) {
			c.git = append(c.git, side{w.ID, object(w)})
			c.context = append(c.context, w.Template())
		}
	}
	for _, w := range s.Cluster {
		c.context = append(c.context, w.Template())
	}
	c.ownLabels()
	if err := c.neighbours(j); err != nil {
		return nil, err
	}
	for _, g := range c.git {
		c.policies = append(c.policies, g.object)
	}
	for _, d := range differences {
		if d.Got != nil && !isNamespace(d.ID) {
			c.policies = append(c.policies, renamed(d.Got.Object))
		}
	}
	policies := c.policiesKey()
	c.context = []string{policies}
	if err := c.classes(j, policies); err != nil {
		return nil, err
	}
	return c, nil
}

// renamed returns a live object under a name that Git's side cannot have, so that both stand in one world.
func renamed(content map[string]any) reach.Object {
	out := maps.Clone(content)
	meta, _ := content["metadata"].(map[string]any)
	meta = maps.Clone(meta)
	meta["name"] = fmt.Sprint(meta["name"], "~live")
	out["metadata"] = meta
	return Live(out)
}

// ownLabels finds the labels of the scene's namespace on both sides.
func (c *suit) ownLabels() {
	live, _ := c.scene.Namespaces.Labels(c.scene.Namespace)
	c.labels = [2]labels{live, live}
	for _, d := range c.differences {
		if !isNamespace(d.ID) || d.Got == nil {
			continue
		}
		git := maps.Clone(d.Got.GetLabels())
		if git == nil {
			git = labels{}
		}
		for _, f := range d.Fields {
			at := f.Steps()
			if len(at) != 3 || at[1] != "labels" {
				continue
			}
			if value, ok := f.Want.(string); ok {
				git[at[2]] = value
			} else {
				delete(git, at[2])
			}
		}
		c.labels = [2]labels{git, d.Got.GetLabels()}
	}
}

// world makes one side: Git's, with the differences applied for which differs answers true.
func (c *suit) world(differs func(i int) bool) (*reach.Connectivity, error) {
	w, err := c.open(c.objects(differs))
	if err != nil {
		return nil, err
	}
	return w.Connectivity(), nil
}

// objects are those of a side.
func (c *suit) objects(differs func(i int) bool) []reach.Object {
	objects := slices.Concat(c.around, c.spaces)
	changed := map[drift.ID]bool{}
	own := c.labels[0]
	for i, d := range c.differences {
		switch {
		case !differs(i):
			continue
		case isNamespace(d.ID):
			own = c.labels[1]
			continue
		}
		changed[d.ID] = true
		if d.Got != nil {
			objects = append(objects, Live(d.Got.Object))
		}
	}
	for _, g := range c.git {
		if !changed[g.id] {
			objects = append(objects, g.object)
		}
	}
	if c.scene.Namespace != "" {
		objects = append(objects, NamespaceObject(c.scene.Namespace, own))
	}
	return objects
}

func (c *suit) open(objects []reach.Object) (*reach.World, error) {
	n := c.scene.Network
	w, err := reach.New(reach.Config{
		Objects: objects, Workloads: slices.Concat(c.scene.Workloads, c.extras), PodCIDRs: n.PodCIDRs, NodeCIDRs: n.NodeCIDRs, CalicoVersion: n.CalicoVersion,
		Implied: c.cast == nil, Cast: c.cast,
	})
	if err != nil {
		return nil, fmt.Errorf("judging differences of %q: %w", c.scene.Namespace, err)
	}
	return w, nil
}

// judge compares the sides: all differences together, and each against Git and against the live state.
func (c *suit) judge() (answer, error) {
	if err := c.castAll(); err != nil {
		return answer{}, err
	}
	git, err := c.world(func(int) bool { return false })
	if err != nil {
		return answer{}, err
	}
	now, err := c.world(func(int) bool { return true })
	if err != nil {
		return answer{}, err
	}
	out := answer{together: exposureOf(git, now)}
	if len(c.differences) == 1 {
		out.each = []drift.Exposure{out.together}
		return out, nil
	}
	for i := range c.differences {
		alone, err := c.world(func(k int) bool { return k == i })
		if err != nil {
			return answer{}, err
		}
		without, err := c.world(func(k int) bool { return k != i })
		if err != nil {
			return answer{}, err
		}
		out.each = append(out.each, exposureOf(git, alone).With(exposureOf(without, now)))
	}
	return out, nil
}

func exposureOf(git, now *reach.Connectivity) drift.Exposure {
	d := reach.Diff(git, now)
	return drift.Exposure{Opens: d.Gained, Closes: d.Lost, Unsure: d.Unsure}
}
