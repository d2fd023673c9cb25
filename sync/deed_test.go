package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// deed is one thing that somebody does to one object, as in testdata/zoo.
type deed struct {
	// Do is the way: edit (read, change, PUT), merge, json, strategic (patches), replace (PUT of a whole), apply
	// (client-side), serverside, create, delete, foreground (a deletion), status (a merge patch of it).
	Do string `json:"do"`
	// To is the object, as KIND/NAME.
	To string `json:"to"`
	// In is the namespace; "": the tenant's.
	In string `json:"in"`
	// As is the field manager.
	As string `json:"as"`
	// With is what the way needs: a patch, or an object without its identity.
	With any `json:"with"`
	// Force is that of server-side apply.
	Force bool `json:"force"`
	// Refused: the API server answers with a conflict.
	Refused bool `json:"refused"`
}

// shortKind returns the kind that testdata names shortly.
func shortKind(short string) (kinds.Kind, bool) {
	full := map[string]string{
		"cnp": "NetworkPolicy", "set": "NetworkSet", "snp": "StagedNetworkPolicy", "sknp": "StagedKubernetesNetworkPolicy", "tier": "Tier",
		"gnp": "GlobalNetworkPolicy", "gset": "GlobalNetworkSet", "sgnp": "StagedGlobalNetworkPolicy",
	}
	switch short {
	case "np":
		return kinds.NetworkPolicy, true
	case "ns":
		return kinds.Namespace, true
	case "cm": // nobody guards these
		return unguarded("ConfigMap", "configmaps"), true
	case "sa":
		return unguarded("ServiceAccount", "serviceaccounts"), true
	}
	for _, k := range kinds.Guarded() {
		if k.Group == kinds.GroupCalico && k.Kind == full[short] {
			return k, true
		}
	}
	return kinds.Kind{}, false
}

func unguarded(kind, resource string) kinds.Kind {
	return kinds.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: kind}, Resource: resource, Namespaced: true}
}

// where returns the namespace that it is done in.
func (d deed) where(tenant string) string { return cmp.Or(d.In, tenant) }

// shortly names an object as testdata does.
func shortly(id drift.ID) string {
	for _, short := range []string{"np", "ns", "cnp", "set", "snp", "sknp", "tier", "gnp", "gset", "sgnp"} {
		if k, _ := shortKind(short); k == id.Kind {
			return short + "/" + id.Name
		}
	}
	return id.String()
}

// idOf reads KIND/NAME, in a namespace.
func (b *bench) idOf(to, namespace string) drift.ID {
	b.Helper()
	short, name, _ := strings.Cut(to, "/")
	k, ok := shortKind(short)
	require.True(b, ok, to)
	id := drift.ID{Kind: k, Name: name}
	if k.Namespaced {
		id.Namespace = namespace
	}
	return id
}

// does does it in a tenant's namespace, if it names no other, and returns what is then there; nil if nothing is.
func (b *bench) does(d deed, namespace string) *unstructured.Unstructured {
	b.Helper()
	id := b.idOf(d.To, d.where(namespace))
	answer, err := b.attempt(b.Context(), d, id)
	if d.Refused {
		require.True(b, apierrors.IsConflict(err), "%+v: %v", d, err)
		return b.live(id).Unstructured
	}
	require.NoError(b, err, "%+v", d)
	return answer
}

func (b *bench) attempt(ctx context.Context, d deed, id drift.ID) (*unstructured.Unstructured, error) {
	resource := b.others(id)
	patch := func(how types.PatchType, body any, force *bool) (*unstructured.Unstructured, error) {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		return resource.Patch(ctx, id.Name, how, raw, metav1.PatchOptions{FieldManager: d.As, Force: force})
	}
	switch d.Do {
	case "edit":
		var answer *unstructured.Unstructured
		return answer, retry.RetryOnConflict(retry.DefaultRetry, func() error {
			u, err := resource.Get(ctx, id.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			mergeInto(u.Object, d.With.(map[string]any))
			answer, err = resource.Update(ctx, u, metav1.UpdateOptions{FieldManager: d.As})
			return err
		})
	case "merge":
		return patch(types.MergePatchType, d.With, nil)
	case "json":
		return patch(types.JSONPatchType, d.With, nil)
	case "strategic":
		return patch(types.StrategicMergePatchType, d.With, nil)
	case "serverside":
		return patch(types.ApplyPatchType, d.whole(id).Object, &d.Force)
	case "apply":
		return b.applyFromClient(ctx, d, id)
	case "create":
		return resource.Create(ctx, d.whole(id), metav1.CreateOptions{FieldManager: d.As})
	case "replace":
		return resource.Update(ctx, d.whole(id), metav1.UpdateOptions{FieldManager: d.As})
	case "status":
		raw, err := json.Marshal(d.With)
		if err != nil {
			return nil, err
		}
		return resource.Patch(ctx, id.Name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: d.As}, "status")
	case "delete":
		return nil, resource.Delete(ctx, id.Name, metav1.DeleteOptions{})
	case "foreground":
		foreground := metav1.DeletePropagationForeground
		return nil, resource.Delete(ctx, id.Name, metav1.DeleteOptions{PropagationPolicy: &foreground})
	}
	return nil, fmt.Errorf("nobody does %q", d.Do)
}

// applyFromClient does what kubectl apply does: it creates, or patches, and leaves what it applied in an annotation.
func (b *bench) applyFromClient(ctx context.Context, d deed, id drift.ID) (*unstructured.Unstructured, error) {
	d.As = "kubectl-client-side-apply"
	u := d.whole(id)
	applied, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	u.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(applied)})
	if b.live(id) == nil {
		return b.others(id).Create(ctx, u, metav1.CreateOptions{FieldManager: d.As})
	}
	how := types.MergePatchType
	if id.Kind.Group == kinds.GroupKubernetes {
		how = types.StrategicMergePatchType
	}
	body, err := u.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return b.others(id).Patch(ctx, id.Name, how, body, metav1.PatchOptions{FieldManager: d.As})
}

// whole returns an object with its identity.
func (d deed) whole(id drift.ID) *unstructured.Unstructured {
	content, _ := d.With.(map[string]any)
	if content == nil {
		content = map[string]any{}
	}
	u := (&unstructured.Unstructured{Object: maps.Clone(content)}).DeepCopy()
	u.SetGroupVersionKind(id.Kind.GroupVersionKind)
	u.SetName(id.Name)
	u.SetNamespace(id.Namespace)
	return u
}

// mergeInto applies a merge patch.
func mergeInto(object, patch map[string]any) {
	for key, value := range patch {
		child, isMap := value.(map[string]any)
		below, both := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && both:
			mergeInto(below, child)
		default:
			object[key] = value
		}
	}
}
