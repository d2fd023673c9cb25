package sync

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
)

type logger = *slog.Logger

// describe turns the API server's refusal of an object into a problem of the
// file that it comes from.
func describe(w *drift.Wanted, err error) error {
	return writeError{
		Problem: kustomize.Problem{
			File: w.Origin.File, Line: w.Origin.Line,
			Message: fmt.Sprintf("writing %s: %s", w.ID, oneLine(err)), Hint: hint(w.ID, err),
		},
		cause: err,
	}
}

// writeError is a problem with its cause.
type writeError struct {
	kustomize.Problem
	cause error
}

// Unwrap returns what the API server said.
func (e writeError) Unwrap() error { return e.cause }

// oneLine is an error on one line: Calico's API server makes a list of several.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

const notAccepted = "the API server does not accept the object as it is written there"

func hint(id drift.ID, err error) string {
	switch drift.RefusalOf(err) {
	case drift.RefusalSpelling:
		return "with and without \"default.\" before its name it is one policy: leave one of them out"
	case drift.RefusalTier:
		return "its tier does not exist: is there a Tier of that name in the cluster overlay? it is tried again"
	case drift.RefusalInvalid:
		return notAccepted
	case drift.RefusalHidden:
		return "Ringfence needs get on the tier, and get, list, watch, update, patch and delete on tier." + id.Kind.Resource + " in it, as base/ringfence/rbac.yaml grants them"
	case drift.RefusalAway:
		return "the API server that serves " + id.Kind.Group + " does not answer; it is tried again"
	}
	switch {
	case drift.GrantHint(err) != "":
		return drift.GrantHint(err)
	case apierrors.IsForbidden(err):
		return "a rule of this cluster forbids it, a quota or an admission rule; it is tried again"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return notAccepted
	case apierrors.IsNotFound(err) && id.Namespace != "":
		return "the namespace or the kind is gone; it is tried again when it comes back"
	case errors.Is(err, errUnequal):
		return "an admission webhook or a controller rewrites it; make it leave the object alone"
	}
	return ""
}

// problems returns the problems in err, one for each thing that went wrong.
func problems(err error) []kustomize.Problem {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // one below a writeError is its cause
		var out []kustomize.Problem
		for _, e := range joined.Unwrap() {
			out = append(out, problems(e)...)
		}
		return out
	}
	var we writeError
	if errors.As(err, &we) {
		return []kustomize.Problem{we.Problem}
	}
	return []kustomize.Problem{{Message: err.Error()}}
}

// short returns the first 12 digits of a commit, as people quote it.
func short(commit string) string { return commit[:min(12, len(commit))] }
