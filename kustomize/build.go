package kustomize

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
)

const (
	originAnnotation = "config.kubernetes.io/origin"
	// localMarker takes the place of local-config, so that kustomize does not drop the
	// object before it was looked at.
	localMarker = "ringfence.dev/local-config"
)

// built is one object as kustomize returned it.
type built struct {
	*unstructured.Unstructured
	file    string   // where kustomize says it comes from; "" if unknown
	local   bool     // it is marked config.kubernetes.io/local-config
	pattern *Pattern // nil unless it was cut
}

// rootKustomization is what is rendered: the overlay in dir, seen from rootMount.
func rootKustomization(dir string) ([]byte, error) {
	pointer := strings.NewReplacer("~", "~0", "/", "~1")
	move, err := json.Marshal([]map[string]string{{
		"op":   "move",
		"from": "/metadata/annotations/" + pointer.Replace(konfig.IgnoredByKustomizeAnnotation),
		"path": "/metadata/annotations/" + pointer.Replace(localMarker),
	}})
	if err != nil {
		return nil, err
	}
	return json.Marshal(types.Kustomization{
		Resources:     []string{path.Join("..", repositoryMount, dir)},
		Patches:       []types.Patch{{Target: &types.Selector{AnnotationSelector: konfig.IgnoredByKustomizeAnnotation}, Patch: string(move)}},
		BuildMetadata: []string{types.OriginAnnotations},
	})
}

// build runs kustomize on the overlay in dir. It returns when limit (if positive) is over or
// ctx is done, even if kustomize has not.
func build(ctx context.Context, served map[string][]byte, dir string, limit time.Duration) ([]built, error) {
	root, err := rootKustomization(dir)
	if err != nil {
		return nil, err
	}
	files := newApproved(served, root)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTooSlow{limit})
		defer cancel()
	}
	type result struct {
		objects []built
		err     error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		defer func() {
			if p := recover(); p != nil {
				r = result{err: fmt.Errorf("kustomize gave up: %v", p)}
			}
		}()
		r.objects, r.err = run(files)
	}()
	select {
	case r := <-done:
		return r.objects, r.err
	case <-ctx.Done():
		files.shut.Store(true)
		return nil, context.Cause(ctx)
	}
}

// errTooSlow is the cause of a render that was given up.
type errTooSlow struct{ limit time.Duration }

func (e errTooSlow) Error() string {
	return fmt.Sprintf("rendering takes longer than %s", e.limit)
}

func run(files *approved) ([]built, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, rootMount)
	if err != nil {
		return nil, err
	}
	objects := make([]built, 0, resources.Size())
	for _, res := range resources.Resources() {
		data, err := res.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", res.CurId(), err)
		}
		var m map[string]any
		if err := utiljson.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("reading %s: %w", res.CurId(), err)
		}
		objects = append(objects, newBuilt(m))
	}
	return objects, nil
}

// newBuilt takes kustomize's own annotations off.
func newBuilt(m map[string]any) built {
	b := built{Unstructured: &unstructured.Unstructured{Object: m}}
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if len(annotations) == 0 {
		return b
	}
	if text, ok := annotations[originAnnotation].(string); ok {
		var origin struct {
			Path         string `yaml:"path"`
			ConfiguredIn string `yaml:"configuredIn"`
		}
		if yaml.Unmarshal([]byte(text), &origin) == nil {
			file := origin.Path
			if file == "" {
				file = origin.ConfiguredIn
			}
			b.file, _ = strings.CutPrefix(path.Join(rootMount, file), repositoryMount+"/")
		}
	}
	_, b.local = annotations[localMarker]
	delete(annotations, originAnnotation)
	delete(annotations, localMarker)
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return b
}
