package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// document is an OpenAPI v3 document, of which only the schemas are looked at.
type document struct {
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

func parse(raw []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, err
	}
	return d, nil
}

// refPrefix is how a document refers to its schemas.
const refPrefix = "#/components/schemas/"

// depthMost bounds schemas, and so references that go in a circle: no kind that a fence is made of is deeper.
const depthMost = 48

// schema makes the schema of a kind: what it has no document for is an error. With strict, what it calls required is.
func (d *document) schema(k kinds.Kind, strict bool) (*schema, error) {
	name := d.find(k)
	if name == "" {
		return nil, errors.New("its document does not have it")
	}
	plain, err := d.expand(map[string]any{"$ref": refPrefix + name}, strict, 0)
	if err != nil {
		return nil, err
	}
	if fields, ok := plain["properties"].(map[string]any); ok {
		// The names and labels in metadata have rules of their own; status is not written.
		fields["metadata"] = map[string]any{"type": "object"}
		if _, ok := fields["status"]; ok {
			fields["status"] = map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
		}
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	var published apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(raw, &published); err != nil {
		return nil, err
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&published, &internal, nil); err != nil {
		return nil, err
	}
	s := &schema{}
	if s.structural, err = structural.NewStructural(&internal); err != nil {
		return nil, err
	}
	if s.values, _, err = validation.NewSchemaValidator(&internal); err != nil {
		return nil, err
	}
	s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit) // nil if there are none
	return s, nil
}

// find returns the name of a kind's schema, "" if there is none.
func (d *document) find(k kinds.Kind) string {
	for name, raw := range d.Components.Schemas {
		if !strings.HasSuffix(name, "."+k.Kind) {
			continue
		}
		var is struct {
			Kinds []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
		}
		if json.Unmarshal(raw, &is) != nil {
			continue
		}
		for _, gvk := range is.Kinds {
			if gvk.Group == k.Group && gvk.Version == k.Version && gvk.Kind == k.Kind {
				return name
			}
		}
	}
	return ""
}

// expand returns a schema without references, and in the form that CustomResourceDefinitions have.
func (d *document) expand(node map[string]any, strict bool, depth int) (map[string]any, error) {
	if depth > depthMost {
		return nil, errors.New("it is too deep, or refers to itself")
	}
	out := map[string]any{}
	if err := d.include(out, node["$ref"]); err != nil {
		return nil, err
	}
	all, _ := node["allOf"].([]any)
	if len(all) == 1 { // how a reference that has a description or a default is written
		if only, ok := all[0].(map[string]any); ok && only["$ref"] != nil {
			if err := d.include(out, only["$ref"]); err != nil {
				return nil, err
			}
			all = nil
		}
	}
	for key, value := range node {
		switch key {
		case "$ref", "description", "allOf":
		default:
			out[key] = value
		}
	}
	if all != nil {
		out["allOf"] = all
	}
	delete(out, "description")
	if out["$ref"] != nil || hasRef(out["allOf"]) { // what was included is itself a reference
		return d.expand(out, strict, depth+1)
	}
	if !strict {
		delete(out, "required")
	}
	if out["format"] == "int-or-string" {
		return map[string]any{"x-kubernetes-int-or-string": true}, nil
	}
	return out, d.expandBelow(out, strict, depth)
}

func hasRef(all any) bool {
	list, _ := all.([]any)
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && m["$ref"] != nil {
			return true
		}
	}
	return false
}

// expandBelow expands the schemas of what a schema holds.
func (d *document) expandBelow(out map[string]any, strict bool, depth int) error {
	if fields, ok := out["properties"].(map[string]any); ok {
		expanded := make(map[string]any, len(fields))
		for name, field := range fields {
			m, ok := field.(map[string]any)
			if !ok {
				return fmt.Errorf("its field %s has no schema", name)
			}
			var err error
			if expanded[name], err = d.expand(m, strict, depth+1); err != nil {
				return err
			}
		}
		out["properties"] = expanded
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if m, ok := out[key].(map[string]any); ok {
			below, err := d.expand(m, strict, depth+1)
			if err != nil {
				return err
			}
			if !strict && key == "items" { // Go types read null as the empty value
				below["nullable"] = true
			}
			out[key] = below
		}
	}
	return nil
}

// include adds what a reference stands for.
func (d *document) include(into map[string]any, ref any) error {
	if ref == nil {
		return nil
	}
	text, _ := ref.(string)
	raw, ok := d.Components.Schemas[strings.TrimPrefix(text, refPrefix)]
	if !ok {
		return fmt.Errorf("it refers to %s, which is not there", text)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	for key, value := range m {
		into[key] = value
	}
	return nil
}
