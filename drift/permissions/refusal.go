package permissions

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ringfence/ringfence/kustomize/kinds"
)

var (
	// refused is how kube-apiserver says that nothing grants a request: k8s.io/apiserver's responsewriters.Forbidden.
	refused = regexp.MustCompile(`cannot (\w+) resource "([^"]+)" in API group "([^"]*)"`)
	// refusedTier is how Calico's own says it of a tier: AuthorizeTierOperation in its authorizer.go (v3.31.0).
	refusedTier = regexp.MustCompile(`cannot (\w+) (\w+)\.projectcalico\.org in tier "[^"]*"(?: and namespace "[^"]*")?( \(user cannot get tier\))?`)
)

// refusedTiers is how Calico's own says that there is no tier in which anything may be seen; it does not say which of the permissions
// for that is missing.
const refusedTiers = "operation on Calico tiered policy is forbidden"

// Missing returns what an error says may not be done, one or all that it may be; nil if it says no such thing: an admission
// rule forbids in other words.
func Missing(err error) []Access {
	var status apierrors.APIStatus
	if !apierrors.IsForbidden(err) || !errors.As(err, &status) {
		return nil
	}
	if m := refused.FindStringSubmatch(err.Error()); m != nil {
		return []Access{{Verb: m[1], Resource: m[2], Group: m[3]}}
	}
	seeTier := Access{Verb: "get", Group: kinds.GroupCalico, Resource: kinds.Tier.Resource}
	inTier := func(verb, resource string) Access {
		return Access{Verb: verb, Group: kinds.GroupCalico, Resource: "tier." + resource}
	}
	if m := refusedTier.FindStringSubmatch(err.Error()); m != nil {
		if m[3] != "" {
			return []Access{seeTier}
		}
		return []Access{inTier(m[1], m[2])}
	}
	if details := status.Status().Details; details != nil && strings.Contains(err.Error(), refusedTiers) {
		return []Access{seeTier, inTier("list", details.Kind), inTier("watch", details.Kind)}
	}
	return nil
}

// Hint says which role gives a holder what an error says may not be done; "" if the error says no such thing.
func Hint(who Holder, err error) string { return Grant(who, Missing(err)...) }

// Grant says which role gives a holder what is missing; "" if nothing is.
func Grant(who Holder, missing ...Access) string {
	if len(missing) == 0 {
		return ""
	}
	words := make([]string, len(missing))
	for i, a := range missing {
		words[i] = fmt.Sprintf("%s on %s", a.Verb, a.resource())
	}
	text, theirs := "grant "+strings.Join(words, ", "), who == Daemon
	for _, r := range Of(Rules(""), who) {
		for _, a := range r.Accesses() {
			if a.Group != missing[0].Group || a.Resource != missing[0].Resource {
				continue
			}
			if a.Verb == missing[0].Verb {
				return fmt.Sprintf("%s: the %s %s in %s does", text, r.role(), who, who.file())
			}
			theirs = false
		}
	}
	if !theirs {
		return text
	}
	return text + ": a kind of layout.allowedKinds needs a Role of your own, bound to Ringfence's ServiceAccount"
}

// Explain returns the error with [Hint], or as it is.
func Explain(who Holder, err error) error {
	if hint := Hint(who, err); hint != "" {
		return hinted{err, hint}
	}
	return err
}

// hinted is an error that says what to do.
type hinted struct {
	error
	hint string
}

// Error is what happened, and what to do.
func (h hinted) Error() string { return fmt.Sprintf("%v (hint: %s)", h.error, h.hint) }

// Unwrap returns what happened.
func (h hinted) Unwrap() error { return h.error }
