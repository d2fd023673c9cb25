package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// IgnoreRule names differences that are not to be corrected and not to count.
// Group and Kind must be equal, Namespace and Name match as globs (path.Match);
// nothing that a tenant can write is looked at.
type IgnoreRule struct {
	// Group and Kind are those of the object.
	Group, Kind string
	// Namespace is a glob of the object's namespace, "" for cluster-scoped ones.
	Namespace string
	// Name is a glob of the object's name.
	Name string
	// Reason says why, for people and for metrics.
	Reason string
	// SpecHash is the [SpecHash] of the one live object that is ignored whatever it
	// does; "" if there is none.
	SpecHash string
}

func (r IgnoreRule) matches(id ID) bool {
	if r.Group != id.Kind.Group || r.Kind != id.Kind.Kind {
		return false
	}
	inNamespace, err := path.Match(r.Namespace, id.Namespace)
	if err != nil || !inNamespace {
		return false
	}
	named, err := path.Match(r.Name, id.Name)
	return err == nil && named
}

// Ignored returns the rule that a judged difference falls under. One that opens
// something, or may, is ignored only if the rule pins the live spec's hash.
func Ignored(rules []IgnoreRule, d Difference) (IgnoreRule, bool) {
	harmless := d.Effect == None || d.Effect == Closes
	for _, r := range rules {
		if r.matches(d.ID) && (harmless || r.SpecHash != "" && d.Got != nil && r.SpecHash == SpecHash(d.Got)) {
			return r, true
		}
	}
	return IgnoreRule{}, false
}

// SpecHash identifies what a live object says: the SHA-256, in hexadecimal, of
// its spec as JSON with sorted keys and without white space. Of a network set the
// labels count too, by which policies find it: there it is that of an object of
// both, {"labels":…,"spec":…}. It is "" for a Namespace, of which the spec says
// nothing, and for an object without a spec.
func SpecHash(u *unstructured.Unstructured) string {
	said, ok := u.Object["spec"]
	switch kind := u.GroupVersionKind().GroupKind(); {
	case !ok || kind == kinds.Namespace.GroupKind():
		return ""
	case kind.Group == kinds.GroupCalico && (kind.Kind == "NetworkSet" || kind.Kind == "GlobalNetworkSet"):
		said = map[string]any{"labels": u.GetLabels(), "spec": said}
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
