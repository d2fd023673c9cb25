package kustomize

import (
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// WriteYAML writes objects as the documents of one YAML stream, in their order, each
// with its keys sorted, so that equal objects give equal bytes.
func WriteYAML(w io.Writer, objects []Object) error {
	for i, o := range objects {
		data, err := yaml.Marshal(o.Object)
		if err != nil {
			return fmt.Errorf("writing %s %q: %w", o.GetKind(), o.GetName(), err)
		}
		if i > 0 {
			data = append([]byte("---\n"), data...)
		}
		if _, err := w.Write(data); err != nil {
			return fmt.Errorf("writing %s %q: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}
