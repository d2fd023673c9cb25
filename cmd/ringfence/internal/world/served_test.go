package world

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is served decides what is read: Calico's kinds in one form, and what is there and cannot be read is a gap.
func TestChoose(t *testing.T) {
	policies := func(group string) schema.GroupResource {
		return schema.GroupResource{Group: group, Resource: "networkpolicies"}
	}
	core := schema.GroupResource{Resource: "pods"}
	admin := schema.GroupResource{Group: "policy.networking.k8s.io", Resource: "clusternetworkpolicies"}
	for name, tt := range map[string]struct {
		versions map[schema.GroupResource][]string
		silent   map[string]error
		want     []string
		gaps     []string
	}{
		"no Calico": {
			versions: map[schema.GroupResource][]string{core: {"v1"}, policies("networking.k8s.io"): {"v1"}},
			want:     []string{"/v1, Resource=pods", "networking.k8s.io/v1, Resource=networkpolicies"},
		},
		"both forms": {
			versions: map[schema.GroupResource][]string{policies("projectcalico.org"): {"v3"}, policies("crd.projectcalico.org"): {"v1"}},
			want:     []string{"projectcalico.org/v3, Resource=networkpolicies"},
		},
		"stored alone": {
			versions: map[schema.GroupResource][]string{policies("crd.projectcalico.org"): {"v1"}},
			want:     []string{"crd.projectcalico.org/v1, Resource=networkpolicies"},
		},
		"an API server that is away": {
			versions: map[schema.GroupResource][]string{policies("crd.projectcalico.org"): {"v1"}},
			silent:   map[string]error{"projectcalico.org": errors.New("503")},
			gaps:     []string{"networkpolicies.projectcalico.org cannot be asked for: 503"},
		},
		"a version to come": {
			versions: map[schema.GroupResource][]string{admin: {"v1beta1"}},
			gaps:     []string{"clusternetworkpolicies.policy.networking.k8s.io is served in version v1beta1 alone, and v1alpha2 is understood"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reading{world: &World{}, whole: true}
			var got []string
			for _, k := range r.choose(tt.versions, tt.silent) {
				got = append(got, k.String())
			}
			assert.Equal(t, tt.want, got)
			assert.Equal(t, len(r.world.Gaps) == 0, r.whole)
			assert.Equal(t, len(r.world.Gaps) == 0, len(r.unread) == 0, "policies that are not seen make unknown")
			for _, gap := range tt.gaps {
				assert.Contains(t, r.world.Gaps, Gap{Text: gap})
			}
			if tt.gaps == nil {
				assert.Empty(t, r.world.Gaps)
			}
		})
	}
}
