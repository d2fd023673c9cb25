package validate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// memoryMost is how many accepted templates are remembered, a few megabytes; past it all are forgotten, and asked again
// where they are new once more.
const memoryMost = 1 << 14

// key stands for all objects that are equal but for the namespace that they are in, under one schema.
type key [sha256.Size]byte

// keyOf returns the key of an object. A Namespace's own name is the namespace.
func keyOf(w *drift.Wanted, version string) key {
	name := w.Template()
	if w.ID.Kind == kinds.Namespace {
		labels := w.GetLabels() // a copy
		delete(labels, kustomize.LabelTenant)
		spec, _ := json.Marshal([]any{"Namespace", labels, w.Object.Object["spec"]}) // JSON it came from
		name = string(spec)
	}
	annotations, _ := json.Marshal(w.GetAnnotations()) // they are only text
	sum := sha256.New()
	for _, part := range []string{w.ID.Kind.String(), version, name, string(annotations)} {
		var length [8]byte
		for i := range length {
			length[i] = byte(len(part) >> (8 * i))
		}
		sum.Write(length[:])
		sum.Write([]byte(part))
	}
	return key(sum.Sum(nil))
}

// memory holds what was found acceptable. What was not is not remembered: quotas and admission rules of one
// namespace are no reason to refuse the same in another, and may change without any schema; and each object that a schema
// refuses is told with its own place.
type memory struct {
	mu       sync.Mutex
	accepted map[key]bool
	asking   map[key]chan struct{} // closed when the answer is there
}

func newMemory() *memory {
	return &memory{accepted: map[key]bool{}, asking: map[key]chan struct{}{}}
}

// once calls ask unless the same was accepted before; of several that ask for the same at once, one asks, and the others
// only if it was not accepted.
func (m *memory) once(ctx context.Context, k key, ask func() (accepted bool)) error {
	for {
		m.mu.Lock()
		if m.accepted[k] {
			m.mu.Unlock()
			return nil
		}
		other := m.asking[k]
		if other == nil {
			break
		}
		m.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	done := make(chan struct{})
	m.asking[k] = done
	m.mu.Unlock()
	accepted := ask()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asking, k)
	close(done)
	if accepted {
		if len(m.accepted) >= memoryMost {
			clear(m.accepted)
		}
		m.accepted[k] = true
	}
	return nil
}
