package api

import (
	"encoding/json"
	"errors"
	"fmt"

	utiljson "sigs.k8s.io/json"
)

// row is an object of the API.
type row interface {
	// needs returns the keys without which nothing can be said: those that must have a value, and those that may be null.
	needs() (values, nulls []string)
}

func (Status) needs() (values, nulls []string) {
	return []string{"instance", "leader", "ready", "revision", "source", "tenants", "blind"}, nil
}

func (Tenant) needs() (values, nulls []string) {
	return []string{"name", "state", "revision"}, nil
}

func (Difference) needs() (values, nulls []string) {
	return []string{"tenant", "apiVersion", "kind", "namespace", "name", "type", "effect", "since"}, []string{"corrected", "held"}
}

// decode reads JSON. The names of its keys are case-sensitive, and those that T does not have are left out.
func decode[T any](data []byte) (out T, err error) {
	err = utiljson.UnmarshalCaseSensitivePreserveInts(data, &out)
	return out, err
}

// decodeRow reads one object.
func decodeRow[T row](data []byte) (T, error) {
	out, err := decode[T](data)
	if err != nil {
		return out, err
	}
	keys, err := decode[map[string]json.RawMessage](data)
	if err != nil {
		return out, err
	}
	values, nulls := out.needs()
	for _, key := range append(values, nulls...) {
		if _, ok := keys[key]; !ok {
			return out, fmt.Errorf("it has no %q", key)
		}
	}
	for _, key := range values {
		if string(keys[key]) == "null" {
			return out, fmt.Errorf("its %q is null", key)
		}
	}
	return out, nil
}

// decodeList reads a list, which null is not.
func decodeList[T any](data []byte) ([]T, error) {
	out, err := decode[[]T](data)
	if err == nil && out == nil {
		err = errors.New("it is null, not a list")
	}
	return out, err
}

// decodeRows reads a list of objects.
func decodeRows[T row](data []byte) ([]T, error) {
	raw, err := decodeList[json.RawMessage](data)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(raw))
	for _, r := range raw {
		one, err := decodeRow[T](r)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
