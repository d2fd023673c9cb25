package kustomize

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// kustomization is one kustomization file, parsed strictly. It is shared by the
// overlays of a render and not changed.
type kustomization struct {
	*source
	types.Kustomization
	root  *yaml.Node
	fatal bool // nothing can be known of it
}

// forbidden are the fields that are refused wherever they are, and why.
var forbidden = map[string]refused{
	"openapi":                     {"it would change the schema of every other overlay", "remove it"},
	"crds":                        {"it would change how references are resolved", "remove it"},
	"configurations":              {"it would change what the other fields do", "remove it"},
	"generators":                  {"plugins are never run", "write the objects out, or use resources and components"},
	"transformers":                {"plugins are never run", "use patches, labels and replacements"},
	"validators":                  {"plugins are never run", "remove it; ringfence check validates"},
	"helmCharts":                  {"helm is never run", "commit the chart's output as resources"},
	"helmGlobals":                 {"helm is never run", "remove it"},
	"helmChartInflationGenerator": {"helm is never run", "commit the chart's output as resources"},
	"configMapGenerator":          {"no overlay may hold a ConfigMap", "remove it"},
	"secretGenerator":             {"no overlay may hold a Secret", "remove it"},
}

// parseKustomization checks a kustomization file for all that can be known without
// looking at other files.
func parseKustomization(src *source) *kustomization {
	k := &kustomization{source: &source{name: src.name, data: src.data, docs: src.docs, problems: src.problems[:len(src.problems):len(src.problems)]}}
	if len(src.problems) > 0 {
		k.fatal = true
		if len(src.docs) > 0 {
			k.root = src.docs[0]
		}
		return k
	}
	if len(src.docs) == 0 {
		k.add(1, 0, "the kustomization is empty", "list the overlay's files under resources:")
		k.fatal = true
		return k
	}
	k.root = src.docs[0]
	if len(src.docs) > 1 {
		k.add(src.docs[1].Line, 0, "a kustomization file holds one document, and here begins another", "remove the line ---")
	}
	k.decode()
	return k
}

func (k *kustomization) decode() {
	var value any
	if err := k.root.Decode(&value); err != nil {
		k.addSyntax(err, 0)
		k.fatal = true
		return
	}
	m, ok := value.(map[string]any)
	if !ok {
		k.add(k.root.Line, k.root.Column, "a kustomization is a mapping whose keys are text", "")
		k.fatal = true
		return
	}
	for name, why := range forbidden {
		if _, ok := m[name]; ok {
			k.at(fieldPath{name}, fmt.Sprintf("the field %s is refused: %s", name, why.message), why.hint)
			delete(m, name)
		}
	}
	mismatches := strictCheck(m, reflect.TypeFor[types.Kustomization]())
	for _, mm := range mismatches {
		k.at(mm.path, mm.message, mm.hint)
	}
	data, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(data, &k.Kustomization)
	}
	if err != nil {
		if len(mismatches) == 0 {
			k.add(k.root.Line, 0, fmt.Sprintf("the kustomization cannot be read: %v", err), "")
		}
		k.fatal = true
		return
	}
	k.checkType()
	if k.CheckEmpty() != nil && len(k.problems) == 0 {
		k.add(k.root.Line, 0, "the kustomization is empty", "list the overlay's files under resources:")
	}
}

func (k *kustomization) checkType() {
	version := types.KustomizationVersion
	switch k.Kind {
	case "", types.KustomizationKind:
	case types.ComponentKind:
		version = types.ComponentVersion
	default:
		k.at(fieldPath{"kind"}, fmt.Sprintf("the kind of a kustomization is Kustomization or Component, not %q", k.Kind), "")
		return
	}
	if k.APIVersion != "" && k.APIVersion != version {
		k.at(fieldPath{"apiVersion"}, fmt.Sprintf("the apiVersion here must be %s, not %q", version, k.APIVersion), "")
	}
}

// at adds a problem at a field.
func (k *kustomization) at(path fieldPath, message, hint string) {
	k.problems = append(k.problems, k.problemAt(path, message, hint))
}

// problemAt returns a problem at a field.
func (k *kustomization) problemAt(path fieldPath, message, hint string) Problem {
	p := Problem{File: k.name, Message: message, Hint: hint}
	if k.root != nil {
		n, _ := locate(k.root, path)
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

// kustomizationFiles are the names that a kustomization may have.
func kustomizationFiles() []string { return konfig.RecognizedKustomizationFileNames() }

// objectFile is one file of objects, parsed. It is shared and not changed.
type objectFile struct {
	*source
	manifests []manifest
	problems  []Problem
}

// parseObjects checks that each document of a file is an object.
func parseObjects(src *source) *objectFile {
	f := &objectFile{source: src, problems: src.problems[:len(src.problems):len(src.problems)]}
	if len(f.problems) > 0 {
		return f
	}
	f.manifests = src.manifests(func(n *yaml.Node) {
		f.problems = append(f.problems, Problem{
			File: src.name, Line: n.Line, Message: "here should be an object, or a list of them",
			Hint: "an object has apiVersion, kind and metadata",
		})
	})
	for _, m := range f.manifests {
		var missing []string
		for _, field := range []struct{ name, value string }{{"apiVersion", m.apiVersion}, {"kind", m.kind}, {"metadata.name", m.name}} {
			if field.value == "" {
				missing = append(missing, field.name)
			}
		}
		if len(missing) > 0 {
			f.problems = append(f.problems, Problem{
				File: src.name, Line: m.node.Line,
				Message: "the object has no " + strings.Join(missing, ", no "),
			})
		}
	}
	return f
}

// root0 returns the document, or an empty node if there is none.
func (k *kustomization) root0() *yaml.Node {
	if k.root == nil {
		return &yaml.Node{}
	}
	return k.root
}
