// Package corpus gathers the inputs of Calico's own tests of its validator instead of running them. TestCorpus, two
// folders up, has it compiled together with them.
package corpus

import (
	"encoding/json"
	"reflect"
	"testing"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/api/pkg/lib/numorstring"
	"github.com/projectcalico/calico/libcalico-go/lib/names"
	validator "github.com/projectcalico/calico/libcalico-go/lib/validator/v3"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/kustomize/valid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type entry struct {
	name  string
	input any
}

var entries []entry

type assertion struct{}

func Entry(name string, args ...any) entry            { return entry{name, args[0]} }
func DescribeTable(_ string, _ any, of ...entry) bool { entries = append(entries, of...); return true }
func Expect(...any) assertion                         { return assertion{} }
func (assertion) To(...any)                           {}
func (assertion) NotTo(...any)                        {}
func HaveOccurred() any                               { return nil }
func BeNil() any                                      { return nil }
func Equal(any) any                                   { return nil }

// objects returns those that an input is put into; none for what is no part of a policy, a set or a tier.
func objects(input any) []any {
	policies := func(rules ...calico.Rule) (out []any) {
		for _, r := range rules {
			rs := []calico.Rule{r}
			meta := metav1.ObjectMeta{Name: "p"}
			out = append(out,
				&calico.NetworkPolicy{ObjectMeta: meta, Spec: calico.NetworkPolicySpec{Ingress: rs}},
				&calico.NetworkPolicy{ObjectMeta: meta, Spec: calico.NetworkPolicySpec{Egress: rs}},
				&calico.GlobalNetworkPolicy{ObjectMeta: meta, Spec: calico.GlobalNetworkPolicySpec{Ingress: rs}},
				&calico.GlobalNetworkPolicy{ObjectMeta: meta, Spec: calico.GlobalNetworkPolicySpec{Egress: rs}})
		}
		return out
	}
	tcp := numorstring.ProtocolFromString("TCP")
	switch in := input.(type) {
	case calico.Rule:
		return policies(in)
	case *calico.Rule:
		return policies(*in)
	case calico.EntityRule:
		return policies(calico.Rule{Action: "Allow", Protocol: &tcp, Source: in}, calico.Rule{Action: "Allow", Protocol: &tcp, Destination: in})
	case calico.ICMPFields:
		icmp := numorstring.ProtocolFromString("ICMP")
		return policies(calico.Rule{Action: "Allow", Protocol: &icmp, ICMP: &in}, calico.Rule{Action: "Allow", NotICMP: &in})
	case calico.HTTPMatch:
		return policies(calico.Rule{Action: "Allow", HTTP: &in})
	case *calico.HTTPMatch:
		return policies(calico.Rule{Action: "Allow", HTTP: in})
	case numorstring.Protocol:
		return policies(calico.Rule{Action: "Allow", Protocol: &in}, calico.Rule{Action: "Allow", NotProtocol: &in})
	case numorstring.Port:
		return policies(calico.Rule{Action: "Allow", Protocol: &tcp, Source: calico.EntityRule{Ports: []numorstring.Port{in}}})
	case calico.RuleMetadata:
		return policies(calico.Rule{Action: "Allow", Metadata: &in})
	case metav1.ObjectMeta:
		return []any{
			&calico.NetworkPolicy{ObjectMeta: in}, &calico.GlobalNetworkPolicy{ObjectMeta: in}, &calico.Tier{ObjectMeta: in},
			&calico.NetworkSet{ObjectMeta: in}, &calico.StagedNetworkPolicy{ObjectMeta: in},
		}
	case calico.NetworkPolicySpec:
		return []any{&calico.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: in}}
	case calico.GlobalNetworkPolicySpec:
		return []any{&calico.GlobalNetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: in}}
	case calico.NetworkSetSpec:
		return []any{&calico.NetworkSet{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: in}}
	case calico.GlobalNetworkSetSpec:
		return []any{&calico.GlobalNetworkSet{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: in}}
	case calico.NetworkPolicy, calico.GlobalNetworkPolicy, calico.StagedNetworkPolicy, calico.StagedGlobalNetworkPolicy,
		calico.NetworkSet, calico.GlobalNetworkSet, calico.Tier:
		return []any{pointer(in)}
	case *calico.NetworkPolicy, *calico.GlobalNetworkPolicy, *calico.StagedNetworkPolicy, *calico.StagedGlobalNetworkPolicy,
		*calico.NetworkSet, *calico.GlobalNetworkSet, *calico.Tier:
		return []any{in}
	}
	return nil
}

func pointer(object any) any {
	switch o := object.(type) {
	case calico.NetworkPolicy:
		return &o
	case calico.GlobalNetworkPolicy:
		return &o
	case calico.StagedNetworkPolicy:
		return &o
	case calico.StagedGlobalNetworkPolicy:
		return &o
	case calico.NetworkSet:
		return &o
	case calico.GlobalNetworkSet:
		return &o
	case calico.Tier:
		return &o
	}
	return nil
}

// refusal is what Calico's client refuses an object for.
func refusal(object any) error {
	if err := validator.Validate(object); err != nil {
		return err
	}
	switch o := object.(type) {
	case *calico.NetworkPolicy:
		return names.ValidateTieredPolicyName(o.Name, o.Spec.Tier)
	case *calico.GlobalNetworkPolicy:
		return names.ValidateTieredPolicyName(o.Name, o.Spec.Tier)
	case *calico.StagedNetworkPolicy:
		return names.ValidateTieredPolicyName(o.Name, o.Spec.Tier)
	case *calico.StagedGlobalNetworkPolicy:
		return names.ValidateTieredPolicyName(o.Name, o.Spec.Tier)
	}
	return nil
}

// written returns an object as it is when it has been written as text and read, which some inputs cannot be.
func written(t *testing.T, object any) (any, bool) {
	text, err := json.Marshal(object)
	require.NoError(t, err)
	read := reflect.New(reflect.TypeOf(object).Elem()).Interface()
	return read, json.Unmarshal(text, read) == nil
}

func TestCorpus(t *testing.T) {
	config := valid.Config{TierPrefix: true, Selector: reach.CheckSelector}
	inputs, taken, refused := 0, 0, 0
	for _, e := range entries {
		put := objects(e.input)
		if len(put) > 0 {
			inputs++
		}
		for _, object := range put {
			object, ok := written(t, object)
			if !ok {
				refused++ // by whoever reads it
				continue
			}
			faults, err := config.Calico(object), refusal(object)
			assert.Equal(t, err != nil, len(faults) > 0, "%s\n%+v\nCalico: %v\nkustomize/valid: %v", e.name, object, err, faults)
			if err != nil {
				refused++
			} else {
				taken++
			}
		}
	}
	t.Logf("%d of %d inputs are part of a policy, a set or a tier: %d objects taken, %d refused", inputs, len(entries), taken, refused)
	assert.Greater(t, inputs, 200)
	assert.NotZero(t, taken)
	assert.NotZero(t, refused)
}
