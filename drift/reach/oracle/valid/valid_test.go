package valid

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/drift/reach/oracle/felix"
	"github.com/ringfence/ringfence/kustomize/valid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

type dict = map[string]any

func read[T any](t testing.TB, file string) (into T) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &into))
	return into
}

// judged returns what kustomize/valid finds wrong with an object; nil if it takes it.
func judged(object dict) []string {
	typed := map[string]any{
		"NetworkPolicy": &calico.NetworkPolicy{}, "GlobalNetworkPolicy": &calico.GlobalNetworkPolicy{},
		"StagedNetworkPolicy": &calico.StagedNetworkPolicy{}, "StagedGlobalNetworkPolicy": &calico.StagedGlobalNetworkPolicy{},
		"NetworkSet": &calico.NetworkSet{}, "GlobalNetworkSet": &calico.GlobalNetworkSet{}, "Tier": &calico.Tier{},
	}[object["kind"].(string)]
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, typed); err != nil {
		return []string{err.Error()} // package kustomize's form refuses it before
	}
	config := valid.Config{TierPrefix: true, Selector: reach.CheckSelector}
	var found []string
	for _, fault := range config.Calico(typed) {
		found = append(found, fmt.Sprint(fault.Path, fault.Message))
	}
	return found
}

func compare(t require.TestingT, object dict) (taken bool) {
	faults, refusal := judged(object), felix.Validate(object)
	text, err := yaml.Marshal(object)
	require.NoError(t, err)
	require.Equal(t, refusal != nil, len(faults) > 0, "%s\nCalico: %v\nkustomize/valid: %q", text, refusal, faults)
	return refusal == nil
}

// part is a mapping inside an object, of one of the sorts of testdata/fields.yaml.
type part struct {
	sort string
	at   dict
}

// parts are those of an object, in a fixed order.
func parts(object dict) []part {
	spec := object["spec"].(dict)
	found := []part{{"metadata", object["metadata"].(dict)}, {"policy", spec}}
	for _, direction := range []string{"ingress", "egress"} {
		rules, _ := spec[direction].([]any)
		for _, r := range rules {
			rule := r.(dict)
			found = append(found, part{"rule", rule})
			for _, side := range []string{"source", "destination"} {
				entity, ok := rule[side].(dict)
				if !ok {
					entity = dict{}
					rule[side] = entity
				}
				found = append(found, part{"entity", entity})
			}
		}
	}
	return found
}

// fields are what fits into a part of an object: Calico's decoder is not asked about unknown ones.
func (p part) fields(kind string, all map[string]map[string][]any) []string {
	var fit []string
	for _, field := range slices.Sorted(maps.Keys(all[p.sort])) {
		if p.sort != "policy" || specFields(kind).MatchString(field) {
			fit = append(fit, field)
		}
	}
	return fit
}

func specFields(kind string) *regexp.Regexp {
	fields := "tier|order|selector|serviceAccountSelector|types|performanceHints|ingress|egress"
	switch {
	case kind == "Tier":
		fields = "order|defaultAction"
	case strings.HasSuffix(kind, "Set"):
		fields = "nets"
	case strings.Contains(kind, "Global"):
		fields += "|namespaceSelector|doNotTrack|preDNAT|applyOnForward"
	}
	if strings.HasPrefix(kind, "Staged") {
		fields += "|stagedAction"
	}
	return regexp.MustCompile("^(" + fields + ")$")
}

func TestUnchangedIsTaken(t *testing.T) {
	for _, object := range read[[]dict](t, "testdata/objects.yaml") {
		assert.True(t, compare(t, object), "%v", object)
	}
}

// Each value of each field, alone, in each part of each object.
func TestEachValue(t *testing.T) {
	all := read[map[string]map[string][]any](t, "testdata/fields.yaml")
	taken, refused := map[string]int{}, map[string]int{}
	for _, object := range read[[]dict](t, "testdata/objects.yaml") {
		kind := object["kind"].(string)
		for i, p := range parts(object) {
			for _, field := range p.fields(kind, all) {
				for _, value := range all[p.sort][field] {
					changed := runtime.DeepCopyJSON(numbered(object).(dict))
					parts(changed)[i].at[field] = numbered(value)
					if compare(t, changed) {
						taken[p.sort+"."+field]++
					} else {
						refused[p.sort+"."+field]++
					}
				}
			}
		}
	}
	for sort, fields := range all {
		for field := range fields {
			name := sort + "." + field
			assert.NotZero(t, taken[name], "no value of %s is taken", name)
			if name != "policy.order" {
				assert.NotZero(t, refused[name], "no value of %s is refused", name)
			}
		}
	}
}

// A few fields of an object changed at once.
func TestChanged(t *testing.T) {
	objects := read[[]dict](t, "testdata/objects.yaml")
	all := read[map[string]map[string][]any](t, "testdata/fields.yaml")
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		object := runtime.DeepCopyJSON(numbered(rapid.SampledFrom(objects).Draw(t, "object")).(dict))
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			p := rapid.SampledFrom(parts(object)).Draw(t, "part")
			field := rapid.SampledFrom(p.fields(object["kind"].(string), all)).Draw(t, "field")
			if rapid.IntRange(0, 5).Draw(t, "remove") == 0 {
				delete(p.at, field)
				continue
			}
			p.at[field] = runtime.DeepCopyJSONValue(numbered(rapid.SampledFrom(all[p.sort][field]).Draw(t, "value")))
		}
		if compare(t, object) {
			taken++
		} else {
			refused++
		}
	})
	t.Logf("%d taken, %d refused", taken, refused)
	assert.Greater(t, taken, refused/10)
	assert.NotZero(t, refused)
}

// numbered returns a value as an API server decodes it: whole numbers are integers.
func numbered(value any) any {
	switch v := value.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case dict:
		out := dict{}
		for k, item := range v {
			out[k] = numbered(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = numbered(item)
		}
		return out
	}
	return value
}

// The exceptions: Calico takes an empty text among the nets of a set, on which its syncer crashes
// (libcalico-go/lib/backend/syncersv1/updateprocessors/networksetprocessor.go); and a catch-all among notNets that is
// written otherwise than 0.0.0.0/0, which means the same.
func TestStricter(t *testing.T) {
	for _, object := range []dict{
		{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": dict{"name": "s"}, "spec": dict{"nets": []any{""}}},
		{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": dict{"name": "p"}, "spec": dict{"ingress": []any{
			dict{"action": "Deny", "source": dict{"notNets": []any{"0.0.0.0/00"}}},
		}}},
	} {
		require.NoError(t, felix.Validate(object))
		assert.NotEmpty(t, judged(object))
	}
}
