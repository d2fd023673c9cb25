package validate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/drift"
)

// Config wires a Validator.
type Config struct {
	// Dynamic asks for dry-runs. Required.
	Dynamic dynamic.Interface
	// Discovery reads the API server's schemas. Required.
	Discovery discovery.DiscoveryInterface
	// Cluster says which kinds and namespaces there are, and when schemas may have changed. Required.
	Cluster *drift.Cluster
	// Manager is the field manager of the writes that are tried. Required.
	Manager string
	// Namespace is Ringfence's own: where objects of a namespace that does not exist are tried if there is no tenant's.
	// Required.
	Namespace string
	// Timeout bounds one request; 0 means 5 seconds.
	Timeout time.Duration
	// Log may be nil.
	Log *slog.Logger
}

// Validator finds out what the API server would refuse, before it is written. It is safe for concurrent use.
type Validator struct {
	config  Config
	schemas *schemas
	// accepted are those that the API server accepted, whole those in which a schema found nothing.
	accepted, whole *memory
}

// New returns a Validator that has asked for nothing yet.
func New(c Config) (*Validator, error) {
	if c.Dynamic == nil || c.Discovery == nil || c.Cluster == nil || c.Manager == "" || c.Namespace == "" {
		return nil, errors.New("validate.New: Dynamic, Discovery, Cluster, Manager and Namespace are required")
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Validator{config: c, schemas: newSchemas(c), accepted: newMemory(), whole: newMemory()}, nil
}

// Fault is one reason why the API server would refuse an object.
type Fault struct {
	// Want is the object.
	Want *drift.Wanted
	// Path is the way to the field, as keys (string) and indices (int); nil where it is the object as a whole.
	Path []any
	// Message says what is wrong, Hint how to mend it ("" where that is plain).
	Message, Hint string
}

// Validate returns every fault of the objects, in their order. stands names namespaces in which an object may be tried whose
// own does not exist, the best first: those of other tenants.
//
// Objects of a kind that the cluster does not serve cannot be validated and are passed over. An error means that there is
// no verdict now, for a passing reason (the API server does not answer, or not in time): nothing is said about the objects,
// and it should be tried again. The faults that were found all the same are returned with it.
//
// Where a schema or a rule finds something in any object, nothing is asked of the API server: all that can be known without
// it is told first.
func (v *Validator) Validate(ctx context.Context, objects []*drift.Wanted, stands func() []string) ([]Fault, error) {
	var faults []Fault
	type trial struct {
		want   *drift.Wanted
		schema *schema
	}
	var trials []trial
	for _, w := range objects {
		if !v.config.Cluster.Served(w.ID.Kind) {
			continue
		}
		s, err := v.schemas.of(ctx, w.ID.Kind)
		if err != nil {
			return faults, err
		}
		if err := v.whole.once(ctx, keyOf(w, s.version), func() bool {
			found := s.check(ctx, w)
			faults = append(faults, found...)
			return len(found) == 0
		}); err != nil {
			return faults, err
		}
		trials = append(trials, trial{w, s})
	}
	if len(faults) > 0 {
		return faults, nil
	}
	var unknown []error
	for _, t := range trials {
		found, err := v.tried(ctx, t.want, t.schema.version, stands)
		faults = append(faults, found...)
		if err != nil {
			unknown = append(unknown, err)
			break // the next would fail for the same reason, after as long a wait
		}
	}
	return faults, errors.Join(unknown...)
}
