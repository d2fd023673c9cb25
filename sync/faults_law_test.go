package sync

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

// law is what must hold at every moment of a history, whoever dies and whatever is lost.
type law struct {
	// tenants are the tenants of each commit.
	tenants map[string]map[string]bool
	// bystanders are objects that are nobody's business: the versions that they have for ever.
	bystanders map[types.UID]string
	// theirs are the changes that somebody else made to a tenant's isolation: versions of
	// updates, and uids that were deleted.
	theirVersions map[string]bool
	theirUIDs     map[types.UID]bool

	policies map[string]map[string]*unstructured.Unstructured // by namespace and name
	isolated map[string]bool                                  // namespaces that were once
	ours     map[string]bool                                  // namespaces that we have written to
	state    *state
}

func newLaw() *law {
	return &law{
		tenants: map[string]map[string]bool{}, bystanders: map[types.UID]string{}, theirVersions: map[string]bool{}, theirUIDs: map[types.UID]bool{},
		policies: map[string]map[string]*unstructured.Unstructured{}, isolated: map[string]bool{}, ours: map[string]bool{},
	}
}

// judge says what is wrong with one change; "" if nothing is.
func (l *law) judge(c change) string {
	u := c.object
	if version, ok := l.bystanders[u.GetUID()]; ok && (c.gone || u.GetResourceVersion() != version) {
		return "what is nobody's business was touched"
	}
	switch c.kind {
	case kinds.Namespace.GVR():
		if c.gone || u.GetDeletionTimestamp() != nil {
			return "a Namespace was deleted"
		}
	case kinds.NetworkPolicy.GVR():
		if wrong := l.isolation(c); wrong != "" {
			return wrong
		}
	}
	if c.kind.Resource == "configmaps" {
		return l.saved(c)
	}
	if c.kind.Group != "" && u.GetNamespace() != "" && writtenByUs(u) {
		l.ours[u.GetNamespace()] = true
	}
	return l.lost()
}

// isolation: from the first time that a namespace was isolated, it is, but for what others do.
func (l *law) isolation(c change) string {
	name := c.object.GetNamespace()
	all := l.policies[name]
	if all == nil {
		all = map[string]*unstructured.Unstructured{}
		l.policies[name] = all
	}
	before := stands(all)
	all[c.object.GetName()] = c.object
	if c.gone {
		delete(all, c.object.GetName())
	}
	after := stands(all)
	l.isolated[name] = l.isolated[name] || after
	others := l.theirVersions[c.object.GetResourceVersion()] || c.gone && l.theirUIDs[c.object.GetUID()]
	if before && !after && !others {
		return "isolation is missing"
	}
	return ""
}

// stands says whether one of the policies isolates all pods in both directions and allows nothing.
func stands(all map[string]*unstructured.Unstructured) bool {
	for _, u := range all {
		spec, _, _ := unstructured.NestedMap(u.Object, "spec")
		selector, _, _ := unstructured.NestedMap(spec, "podSelector")
		types, _, _ := unstructured.NestedStringSlice(spec, "policyTypes")
		in, _, _ := unstructured.NestedSlice(spec, "ingress")
		out, _, _ := unstructured.NestedSlice(spec, "egress")
		if len(selector) == 0 && slices.Contains(types, "Ingress") && slices.Contains(types, "Egress") && len(in)+len(out) == 0 {
			return true
		}
	}
	return false
}

func writtenByUs(u *unstructured.Unstructured) bool {
	for _, e := range u.GetManagedFields() {
		if e.Manager == "ringfence" {
			return true
		}
	}
	return false
}

// saved: the state is always whole, and speaks of commits that there are.
func (l *law) saved(c change) string {
	if c.object.GetName() != StateName || c.object.GetNamespace() != "ringfence-system" {
		return ""
	}
	if c.gone {
		return "the state was deleted"
	}
	text, _, _ := unstructured.NestedString(c.object.Object, "data", "default.json")
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var st state
	if err := decoder.Decode(&st); err != nil {
		return fmt.Sprintf("the state is garbage: %v", err)
	}
	for _, commit := range st.commits() {
		if l.tenants[commit] == nil {
			return fmt.Sprintf("the state speaks of commit %q, which there is not", commit)
		}
	}
	l.state = &st
	return l.lost()
}

// lost: whoever we have written to is known to the state, by Git or by name.
func (l *law) lost() string {
	for name := range l.ours {
		if !l.knows(name) {
			return "the state has lost tenant " + name
		}
	}
	return ""
}

func (l *law) knows(name string) bool {
	if l.state == nil {
		return false
	}
	if _, excepted := l.state.Tenants[name]; excepted {
		return true
	}
	return slices.ContainsFunc(append(l.state.commits(), l.state.Applied), func(commit string) bool { return l.tenants[commit][name] })
}
