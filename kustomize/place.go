package kustomize

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// placement is what becomes of one claimed namespace.
type placement struct {
	namespace string
	unit      *unit     // the overlay that has it, or the first of those that quarrel
	problems  []Problem // besides the unit's
	files     []string  // besides the unit's
}

// place gives each namespace to the overlay that has it. What is left without one goes
// to the rendering's problems.
func (r *Renderer) place(units []*unit, rendering *Rendering) []placement {
	claims := map[string][]*unit{}
	unknown := map[string]*unit{}
	for _, u := range units {
		switch {
		case u.namespace == "":
			unknown[u.folder] = u
			fallthrough
		case u.unfit != nil:
			rendering.Problems = append(rendering.Problems, u.problems...)
			rendering.Unplaced = append(rendering.Unplaced, u.folder)
		default:
			claims[u.namespace] = append(claims[u.namespace], u)
		}
	}
	var places []placement
	for _, namespace := range sortedKeys(claims) {
		places = append(places, r.settle(namespace, claims[namespace], unknown, rendering))
	}
	placed := map[string]bool{}
	for _, p := range places {
		placed[p.unit.folder] = true
	}
	rendering.Unplaced = slices.DeleteFunc(rendering.Unplaced, func(folder string) bool { return placed[folder] })
	rendering.Problems = slices.DeleteFunc(rendering.Problems, func(p Problem) bool { return placed[p.Overlay] })
	slices.Sort(rendering.Unplaced)
	return places
}

// settle decides who has a namespace that at least one overlay claims.
func (r *Renderer) settle(namespace string, claimants []*unit, unknown map[string]*unit, rendering *Rendering) placement {
	owner := ""
	if r.cfg.Owner != nil {
		owner, _ = r.cfg.Owner(namespace)
	}
	var winner *unit
	if u := unknown[owner]; u != nil {
		// The owner is broken so badly that it does not say its namespace any more: it still
		// has it, or a newcomer could take a namespace at the moment of its owner's mistake.
		winner = u
	} else if i := slices.IndexFunc(claimants, func(u *unit) bool { return u.folder == owner }); i >= 0 {
		winner = claimants[i]
	} else if len(claimants) == 1 {
		winner = claimants[0]
	}
	if winner == nil {
		return r.quarrel(namespace, claimants)
	}
	for _, u := range claimants {
		if u == winner {
			continue
		}
		p := u.claim
		p.Message = fmt.Sprintf("the namespace %q belongs to the overlay %s already", namespace, winner.folder)
		p.Hint = "choose another namespace, or remove the other overlay in an earlier commit"
		rendering.Problems = append(append(rendering.Problems, p), u.problems...)
		rendering.Unplaced = append(rendering.Unplaced, u.folder)
	}
	return placement{namespace: namespace, unit: winner}
}

// quarrel refuses all overlays that claim a namespace which none of them owned.
func (r *Renderer) quarrel(namespace string, claimants []*unit) placement {
	place := placement{namespace: namespace, unit: claimants[0]}
	for i, u := range claimants {
		var others []string
		for _, other := range claimants {
			if other != u {
				others = append(others, other.claim.at())
			}
		}
		p := u.claim
		p.Message = fmt.Sprintf("the namespace %q is claimed here and in %s, and none of them owned it before", namespace, strings.Join(others, " and "))
		p.Hint = "give each overlay a namespace of its own"
		place.problems = append(place.problems, p)
		if i > 0 {
			place.problems = append(place.problems, u.problems...)
			place.files = append(place.files, u.files...)
		}
	}
	return place
}

// at returns the problem's place alone.
func (p Problem) at() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// assemble makes the tenants: each overlay with its guard.
func (r *Renderer) assemble(ctx context.Context, t *tree, places []placement, rendering *Rendering) error {
	guards := r.guardian(t)
	rendering.Tenants = make([]*Tenant, len(places))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.cfg.Workers)
	for i, place := range places {
		group.Go(func() error {
			rendering.Tenants[i] = assembleTenant(place, guards.unit(ctx, place.namespace))
			return context.Cause(groupCtx)
		})
	}
	err := group.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("rendering the guard: %w", err)
	}
	guards.keep()
	return nil
}

// assembleTenant joins an overlay with the guard for its namespace.
func assembleTenant(place placement, guard *unit) *Tenant {
	u := place.unit
	tenant := &Tenant{Name: place.namespace, Overlay: u.folder}
	tenant.Problems = append(tenant.Problems, u.problems...)
	tenant.Problems = append(tenant.Problems, place.problems...)
	tenant.Problems = append(tenant.Problems, guard.problems...)
	tenant.Problems = append(tenant.Problems, collisions(u, guard)...)
	tenant.Problems = sortProblems(tenant.Problems)
	tenant.Files = append(append(append(tenant.Files, u.files...), guard.files...), place.files...)
	slices.Sort(tenant.Files)
	tenant.Files = slices.Compact(tenant.Files)

	objects, settings := slices.Clone(guard.objects), slices.Clone(guard.settings)
	if len(tenant.Problems) == 0 {
		objects, settings = append(objects, u.objects...), append(settings, u.settings...)
	}
	tenant.Objects = labelled(sorted(objects), place.namespace)
	tenant.Settings = sorted(settings)
	return tenant
}

// collisions finds the objects of an overlay that share kind and name with one of
// the guard.
func collisions(u, guard *unit) (problems []Problem) {
	guarded := map[objectKey]Object{}
	for _, o := range slices.Concat(guard.objects, guard.settings) {
		guarded[keyOf(o.Kind, o.GetName())] = o
	}
	for _, o := range slices.Concat(u.objects, u.settings) {
		g, ok := guarded[keyOf(o.Kind, o.GetName())]
		if !ok {
			continue
		}
		problems = append(problems, Problem{
			Overlay: u.folder, File: o.Origin.File, Line: o.Origin.Line,
			Message: fmt.Sprintf("%s %q has the name of one of the guard's, in %s:%d", describeKind(o.Kind.GroupVersionKind), o.GetName(), g.Origin.File, g.Origin.Line),
			Hint:    "the guard's objects can be neither replaced nor changed; choose another name",
		})
	}
	return problems
}

// clusterTenant makes the Tenant of the cluster overlay.
func clusterTenant(u *unit) *Tenant {
	return &Tenant{
		Overlay: u.folder, Objects: labelled(u.objects, ""), Settings: slices.Clone(u.settings),
		Problems: slices.Clone(u.problems), Files: slices.Clone(u.files),
	}
}

// labelled returns copies of objects with Ringfence's labels; tenant "" means none. All else is shared.
func labelled(objects []Object, tenant string) []Object {
	if len(objects) == 0 {
		return nil
	}
	out := make([]Object, len(objects))
	for i, o := range objects {
		content, _ := withOwnMetadata(o.Unstructured)
		o.Unstructured = &unstructured.Unstructured{Object: content}
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[LabelManagedBy] = managedBy
		if tenant != "" {
			labels[LabelTenant] = tenant
		}
		o.SetLabels(labels)
		out[i] = o
	}
	return out
}
