package child

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

const pause = 20 * time.Millisecond // between two looks at what is not there yet

// Ready is what a program says, as one line of JSON on standard output, when
// everything that it serves is served.
type Ready struct {
	// Ready is true.
	Ready bool `json:"ready"`
	// URL is where the program listens.
	URL string `json:"url"`
	// Kubeconfig is the absolute path of the file with which a client reaches
	// the API server.
	Kubeconfig string `json:"kubeconfig"`
}

// Say writes r to out.
func (r Ready) Say(out io.Writer) error {
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return fmt.Errorf("reporting readiness: %w", err)
	}
	return nil
}

// Until returns when done does, or an error that says what was waited for
// when ctx ends.
func Until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
	return nil
}
