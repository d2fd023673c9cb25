package reach

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Origin says where an object is written. The zero value is "unknown place".
type Origin struct {
	File string // path in the repository; "" for live objects
	Line int    // 1-based; 0 where only the file is known
	Live bool   // the object was read from a cluster
}

// String returns "file:line", "file" or "live"; "" for the zero value.
func (o Origin) String() string {
	switch {
	case o.Live:
		return "live"
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return o.File
}

// Object is one Kubernetes object as decoded JSON or YAML, with apiVersion and kind, and its place. Content is never
// changed and must not be changed by the caller while a World holds it.
type Object struct {
	Content map[string]any
	Origin  Origin
}

// Ref names an object. Group is "projectcalico.org" for both of Calico's groups, and the name of a Calico policy is without
// the prefix of its tier, except in other tiers than default up to Calico 3.31, where the prefix is part of the name.
type Ref struct {
	Group, Kind, Namespace, Name string
}

// String returns "Kind namespace/name" or "Kind name".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Problem is an object that is not what it seems: malformed, ignored or defined twice. It is an error whose text begins
// with the object's place.
type Problem struct {
	Object  Ref
	Origin  Origin
	Field   string // path in the object, such as spec.ingress[0].source.nets[1]; "" for the whole
	Message string
	Hint    string // how to mend it; may be ""
}

// Error returns "file:line: Kind namespace/name: field: message (hint)".
func (p *Problem) Error() string {
	var b strings.Builder
	if at := p.Origin.String(); at != "" {
		b.WriteString(at + ": ")
	}
	b.WriteString(p.Object.String() + ": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

const (
	groupCalico    = "projectcalico.org"
	groupCalicoCRD = "crd.projectcalico.org"
	groupPolicy    = "policy.networking.k8s.io"
	groupNetwork   = "networking.k8s.io"

	labelNamespace      = "projectcalico.org/namespace"
	labelOrchestrator   = "projectcalico.org/orchestrator"
	labelServiceAccount = "projectcalico.org/serviceaccount"
	prefixNamespace     = "pcns."
	prefixAccount       = "pcsa."
	keyName             = "projectcalico.org/name"
	keyMetadataName     = "kubernetes.io/metadata.name"
)

// header is what every object's identity is made of.
type header struct {
	group, version, kind string
	namespace, name      string
	labels, annotations  map[string]string
}

func (h header) ref() Ref {
	group := h.group
	if group == groupCalicoCRD {
		group = groupCalico
	}
	return Ref{group, h.kind, h.namespace, h.name}
}

func readHeader(content map[string]any) (header, error) {
	var h header
	apiVersion, _ := content["apiVersion"].(string)
	h.kind, _ = content["kind"].(string)
	if apiVersion == "" || h.kind == "" {
		return h, fmt.Errorf("apiVersion and kind must be set")
	}
	var found bool
	if h.group, h.version, found = strings.Cut(apiVersion, "/"); !found {
		h.group, h.version = "", apiVersion
	}
	meta, _ := content["metadata"].(map[string]any)
	h.name, _ = meta["name"].(string)
	h.namespace, _ = meta["namespace"].(string)
	var err error
	if h.labels, err = textMap(meta["labels"]); err != nil {
		return h, fmt.Errorf("metadata.labels: %w", err)
	}
	if h.annotations, err = textMap(meta["annotations"]); err != nil {
		return h, fmt.Errorf("metadata.annotations: %w", err)
	}
	return h, nil
}

func textMap(value any) (map[string]string, error) {
	if value == nil {
		return nil, nil
	}
	raw, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("must be a mapping of texts")
	}
	out := make(map[string]string, len(raw))
	for k, v := range raw {
		if out[k], ok = v.(string); !ok {
			return nil, fmt.Errorf("the value of %q must be a text", k)
		}
	}
	return out, nil
}

// decode fills a typed value from one field of an object, strictly: a key that the type does not have is an error.
func decode(value any, into any) error {
	raw, ok := value.(map[string]any)
	if !ok {
		if value == nil {
			return nil
		}
		return fmt.Errorf("must be a mapping")
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(raw, into, true)
}

// plain turns what YAML decoders make (int, uint64, float32) into what JSON decoders make, which the typed decoding needs.
// What needs no turning is returned as it is.
func plain(value any) (any, error) {
	if isPlain(value) {
		return value, nil
	}
	switch v := value.(type) {
	case nil, bool, string, int64, float64:
		return v, nil
	case int:
		return int64(v), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			var err error
			if out[k], err = plain(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = plain(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("value of type %T: %w", value, err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("value of type %T: %w", value, err)
	}
	return out, nil
}

func isPlain(value any) bool {
	switch v := value.(type) {
	case nil, bool, string, int64, float64:
		return true
	case map[string]any:
		for _, item := range v {
			if !isPlain(item) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isPlain(item) })
	}
	return false
}
