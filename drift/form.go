package drift

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// metadataAnnotation is where Calico's API server keeps the metadata of what it stores.
const metadataAnnotation = "projectcalico.org/metadata"

// mirrorPrefix begins the names that Calico's API server keeps for its mirrors of
// Kubernetes NetworkPolicies. It lets nobody take one, and stores none.
const mirrorPrefix = "knp.default."

// form is what Calico's API server makes of an object that it keeps (calico-api.md §2.1,
// and TestAround).
type form struct {
	shown string // the name under which it shows it
	tier  string // of a policy; "" of all else
	// outlaw: that server would not have stored it so. Of a policy with a wrong name, or
	// the name of another, it may be shown and cannot be reached; Felix enforces it.
	outlaw bool
}

func formOf(k kinds.Kind, u *unstructured.Unstructured) *form {
	name := u.GetName()
	var meta struct {
		Name string `json:"name"`
	}
	// What cannot be read has no name, to that server as well.
	_ = json.Unmarshal([]byte(u.GetAnnotations()[metadataAnnotation]), &meta)
	f := &form{shown: cmp.Or(meta.Name, name)}
	if !strings.HasSuffix(k.Kind, "Policy") || k.Kind == "StagedKubernetesNetworkPolicy" { // none has a tier
		f.outlaw = f.shown != name
		return f
	}
	tier, _, _ := unstructured.NestedString(u.Object, "spec", "tier")
	f.tier = cmp.Or(tier, defaultTier)
	proper := f.shown
	if f.tier == defaultTier && !strings.HasPrefix(proper, defaultTier+".") {
		proper = defaultTier + "." + proper
	}
	f.outlaw = name != proper || !strings.HasPrefix(name, f.tier+".") || strings.HasPrefix(f.shown, mirrorPrefix)
	return f
}

// shownUID returns the uid under which Calico's API server shows what it keeps under
// another: but for the two bytes with version and variant, the bits of each are
// reversed (calico-api.md §2.1, and TestAround).
func shownUID(uid types.UID) types.UID {
	raw, err := hex.DecodeString(strings.ReplaceAll(string(uid), "-", ""))
	if err != nil || len(raw) != 16 {
		return uid
	}
	for i := range raw {
		if i != 6 && i != 8 {
			raw[i] = bits.Reverse8(raw[i])
		}
	}
	text := hex.EncodeToString(raw)
	return types.UID(strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"))
}
