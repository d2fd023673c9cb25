package exposure

import (
	"cmp"
	"encoding/json"
	"maps"
	"strings"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// asServed returns an object that was written around Calico's API server as that server
// would serve it, under a name that no other has: Felix enforces both. All else is
// returned as it is.
func asServed(content map[string]any) map[string]any {
	apiVersion, _ := content["apiVersion"].(string)
	if group, _, _ := strings.Cut(apiVersion, "/"); group != kinds.GroupStored {
		return content
	}
	out := maps.Clone(content)
	out["apiVersion"] = kinds.GroupCalico + "/v3"
	old, _ := content["metadata"].(map[string]any)
	name, _ := old["name"].(string)
	spec, _ := content["spec"].(map[string]any)
	tier, _ := spec["tier"].(string)
	name = strings.ReplaceAll(name, ".", "-") + "~stored"
	if kind, _ := content["kind"].(string); strings.HasSuffix(kind, "Policy") {
		name = cmp.Or(tier, "default") + "." + name
	}
	meta := map[string]any{"name": name, "labels": storedLabels(old)}
	if namespace, ok := old["namespace"]; ok {
		meta["namespace"] = namespace
	}
	out["metadata"] = meta
	return out
}

// storedLabels are the labels that Calico sees: its own server keeps them in an annotation.
func storedLabels(metadata map[string]any) map[string]any {
	out := map[string]any{}
	annotations, _ := metadata["annotations"].(map[string]any)
	text, _ := annotations["projectcalico.org/metadata"].(string)
	var kept struct {
		Labels map[string]string `json:"labels"`
	}
	if json.Unmarshal([]byte(text), &kept) == nil {
		for key, value := range kept.Labels {
			out[key] = value
		}
	}
	labels, _ := metadata["labels"].(map[string]any)
	maps.Copy(out, labels)
	return out
}
