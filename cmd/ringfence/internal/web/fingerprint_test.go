package web

import (
	"fmt"
	"hash/maphash"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/enforcer"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// still is an engine, and a source, that say what a test has written into them.
type still struct {
	status   sync.Status
	tenants  []sync.Tenant
	drift    []drift.Entry
	unfenced []string
	source   sources.Status
}

func (s *still) Status() sync.Status    { return s.status }
func (s *still) Tenants() []sync.Tenant { return s.tenants }
func (s *still) Drift() []drift.Entry   { return s.drift }
func (s *still) Unfenced() []string     { return s.unfenced }
func (s *still) View() *sync.View       { return nil }

// polls is the source of the same.
type polls struct{ of *still }

func (p polls) URL() string            { return "https://git.example.com/policies.git" }
func (p polls) Status() sources.Status { return p.of.source }

func handlerOf(s *still) *Handler {
	return New(Config{Engine: s, Source: polls{s}, Enforcer: func() enforcer.State { return enforcer.State{} }})
}

// whole is a tenant with one of everything.
func whole() sync.Tenant {
	return sync.Tenant{
		Name: "a", Overlay: "overlays/a", State: sync.Synced, Applied: "1", Wanted: "2", Objects: 3, Drift: 4, Until: time.Unix(5, 0), Reason: "r",
		Problems: []kustomize.Problem{{Overlay: "o", File: "f", Line: 1, Column: 2, Message: "m", Hint: "h"}},
		Rounds: []sync.Round{{
			Time: time.Unix(6, 0), Took: time.Second, Revision: "1", Why: sync.ForDrift, Created: 1, Updated: 2, Removed: 3, Failed: 4,
			Objects: []string{"updated x"}, Error: "e", Tries: 5,
		}},
	}
}

// Whatever changes of an answer changes the fingerprint: every field of a tenant, of its faults and of its newest round, one that
// is yet to come too.
func TestFingerprintSeesEverything(t *testing.T) {
	s := &still{tenants: []sync.Tenant{whole()}, status: sync.Status{Ready: true}}
	h, seed := handlerOf(s), maphash.MakeSeed()
	before := h.fingerprint(seed)
	s.source.Checked = time.Unix(7, 0)
	require.Equal(t, before, h.fingerprint(seed), "when Git was read is no change")
	seen := map[uint64]string{before: "nothing"}
	look := func(what string) {
		now := h.fingerprint(seed)
		assert.Empty(t, seen[now], "%s is not seen", what)
		seen[now] = what
	}
	for _, part := range []func(*sync.Tenant) reflect.Value{
		func(t *sync.Tenant) reflect.Value { return reflect.ValueOf(t).Elem() },
		func(t *sync.Tenant) reflect.Value { return reflect.ValueOf(&t.Problems[0]).Elem() },
		func(t *sync.Tenant) reflect.Value { return reflect.ValueOf(&t.Rounds[0]).Elem() },
	} {
		one := whole()
		for i := range part(&one).NumField() {
			one = whole()
			field := part(&one).Field(i)
			alter(t, field)
			s.tenants = []sync.Tenant{one}
			look(part(&one).Type().String() + "." + part(&one).Type().Field(i).Name)
		}
	}
	s.tenants = []sync.Tenant{whole(), {}}
	look("another tenant")
	s.tenants = []sync.Tenant{whole()}
	s.unfenced = []string{"b"}
	look("a namespace without a fence")
	s.drift = []drift.Entry{{Tenant: "a", Since: time.Unix(8, 0)}}
	look("a difference")
	s.drift[0].Fields = []drift.Field{{Path: "spec", Got: "x"}}
	look("a field of it")
	s.status.Ready = false
	look("that it is not ready")
	s.source.Revision.Commit = "3"
	look("a revision")
}

// alter gives a field another value.
func alter(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field.Kind() {
	case reflect.String:
		field.SetString(field.String() + "x")
	case reflect.Int, reflect.Int64:
		field.SetInt(field.Int() + 1)
	case reflect.Slice:
		field.Set(reflect.Append(field, reflect.New(field.Type().Elem()).Elem()))
	case reflect.Struct:
		require.IsType(t, time.Time{}, field.Interface())
		field.Set(reflect.ValueOf(time.Unix(99, 0)))
	default:
		require.Fail(t, "a field of a kind that the test does not know", "%s", field.Kind())
	}
}

// BenchmarkFingerprint is one look for changes at 5,000 tenants.
func BenchmarkFingerprint(b *testing.B) {
	s := &still{status: sync.Status{Ready: true}}
	for i := range 5000 {
		t := whole()
		t.Name, t.Problems = fmt.Sprint(i), nil
		t.Rounds = append(t.Rounds, t.Rounds[0], t.Rounds[0])
		s.tenants = append(s.tenants, t)
	}
	h, seed := handlerOf(s), maphash.MakeSeed()
	for b.Loop() {
		h.fingerprint(seed)
	}
}
