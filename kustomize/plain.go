package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// Plain reads a folder of manifests that are not rendered: every file named *.yaml, *.yml or *.json below it, as
// `kubectl apply -R -f` would, but for folders and files whose names begin with a dot. Only Limits.FileBytes, YAMLDepth
// and YAMLAliases count; the zero value is their defaults. Objects are sorted by place; of their Kind only the
// GroupVersionKind is set. A file with a fault has no objects; its problems are returned, sorted by place.
func Plain(fsys fs.FS, limits Limits) ([]Object, []Problem, error) {
	cfg := Config{Limits: limits}
	setDefaults(&cfg)
	t := newTree(fsys, cfg.Limits)
	var objects []Object
	var problems []Problem
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink == 0 && !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)):
			return nil // a link may lead to a folder of manifests, whatever its name
		}
		found, faults := t.plainFile(name)
		objects, problems = append(objects, found...), append(problems, faults...)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the manifests: %w", err)
	}
	return objects, sortProblems(problems), nil
}

func (t *tree) plainFile(name string) ([]Object, []Problem) {
	switch st := t.node(name).stat(); st.form {
	case regular:
	case symlink:
		return nil, []Problem{{File: name, Message: "it is a symbolic link, which is never followed", Hint: "put the file itself here"}}
	case unreadable:
		return nil, []Problem{{File: name, Message: fmt.Sprintf("reading it: %v", st.err)}}
	default:
		return nil, []Problem{{File: name, Message: "it is not a regular file"}}
	}
	src := t.node(name).parse()
	problems := slices.Clone(src.problems)
	fault := func(n *yaml.Node, message, hint string) {
		problems = append(problems, Problem{File: name, Line: n.Line, Column: n.Column, Message: message, Hint: hint})
	}
	manifests := src.manifests(func(n *yaml.Node) { fault(n, "this is no Kubernetes object: a mapping is expected", "") })
	if len(problems) > 0 {
		return nil, problems
	}
	var objects []Object
	for _, m := range manifests {
		var content map[string]any
		if err := m.node.Decode(&content); err != nil {
			fault(m.node, fmt.Sprintf("the object cannot be read: %v", err), "")
			continue
		}
		if m.apiVersion == "" || m.kind == "" || m.name == "" {
			fault(m.node, "apiVersion, kind and metadata.name must be set", "is this a manifest? other YAML files do not belong here")
			continue
		}
		objects = append(objects, Object{
			Unstructured: &unstructured.Unstructured{Object: content},
			Kind:         kinds.Kind{GroupVersionKind: schema.FromAPIVersionAndKind(m.apiVersion, m.kind), Namespaced: m.namespace != ""},
			Origin:       Origin{File: name, Line: m.node.Line},
		})
	}
	return objects, problems
}
