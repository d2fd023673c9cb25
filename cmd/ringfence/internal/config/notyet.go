package config

import (
	"fmt"
	"reflect"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
)

// later lists the keys of the contract whose feature this version does not have,
// and what the feature is. Any value but the default is refused: a setting
// that is accepted and ignored is a fence that does not stand. Whoever builds a
// feature deletes its line.
var later = []struct{ key, feature string }{
	{"layout.allowedKinds", "kinds beside the guarded ones"},
	{"lint.disable", "lint"},
	{"lint.severity", "lint"},
	{"source.verify.mode", "signature verification"},
}

// notYet reports the keys of later whose value in got, a pointer to a struct,
// is not that of the defaults.
func notYet(doc *strict.Document, got, defaults any) {
	for _, l := range later {
		value, ok := strict.Get(got, l.key)
		if !ok || !doc.Given(l.key) {
			continue
		}
		if standard, _ := strict.Get(defaults, l.key); !reflect.DeepEqual(value, standard) {
			doc.Add(l.key, strict.Invalidf("leave the key out", "this version of Ringfence does not have %s yet: only %s is accepted", l.feature, show(standard)))
		}
	}
}

func show(v any) string {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Slice:
		return "an empty list"
	case reflect.Map:
		return "an empty mapping"
	case reflect.String:
		if value.Len() == 0 {
			return `""`
		}
	}
	return fmt.Sprint(v)
}
