package world

import (
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// OfFolder makes the world of a plain folder of manifests: they are the whole world. Where it has no workload at all,
// those that the policies' selectors imply stand in. The problems are those of files that could not be read, which may
// have held policies of anything.
func OfFolder(fsys fs.FS, limits kustomize.Limits, o Options) (*World, []kustomize.Problem, error) {
	objects, problems, err := kustomize.Plain(fsys, limits)
	if err != nil {
		return nil, nil, err
	}
	w := &World{isTenant: kustomize.MayFence}
	cfg := o.reach()
	cfg.WholeWorld = true
	for _, object := range objects {
		cfg.Objects = append(cfg.Objects, objectOf(object))
		w.foreign(&cfg, object)
	}
	for _, p := range problems {
		reason := fmt.Sprintf("file %s cannot be read", p.File)
		w.Gaps = append(w.Gaps, Gap{Text: reason})
		cfg.Unread = append(cfg.Unread, reach.Unread{Origin: reach.Origin{File: p.File, Line: p.Line}, Reason: reason})
	}
	if w.World, err = reach.New(cfg); err != nil {
		return nil, nil, err
	}
	if len(w.Endpoints()) == 0 {
		cfg.Implied = true
		if w.World, err = reach.New(cfg); err != nil {
			return nil, nil, err
		}
	}
	return w, problems, nil
}

// foreign notes a policy of an API that is not understood here.
func (w *World) foreign(cfg *reach.Config, o kustomize.Object) {
	group := o.GroupVersionKind().Group
	if group == calicoStored.Group {
		group = kinds.GroupCalico
	}
	if _, known := kinds.Find(schema.GroupKind{Group: group, Kind: o.GetKind()}); known || !isPolicy(o.GetKind()) {
		return
	}
	reason := fmt.Sprintf("%s of %s is not understood", o.GetKind(), o.GetAPIVersion())
	w.Gaps = append(w.Gaps, Gap{Text: fmt.Sprintf("%s:%d: %s", o.Origin.File, o.Origin.Line, reason), Namespace: o.GetNamespace()})
	cfg.Unread = append(cfg.Unread, reach.Unread{Namespace: o.GetNamespace(), Origin: originOf(o.Origin), Reason: reason})
}
