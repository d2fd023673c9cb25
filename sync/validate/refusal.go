package validate

import (
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/drift"
)

// faultsOf makes faults of the API server's refusal, one for each field that it names.
func faultsOf(w *drift.Wanted, err error) []Fault {
	status, _ := statusOf(err)
	if denied := deniedBy(w, err, status); denied != nil {
		return []Fault{*denied}
	}
	var faults []Fault
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if cause.Field != "" && cause.Field != "<nil>" && !immutable(cause) {
				path := stepsOf(cause.Field)
				faults = append(faults, Fault{Want: w, Path: path, Message: cause.Field + ": " + cause.Message, Hint: explain(w, path)})
			}
		}
	}
	for _, m := range unknownField.FindAllStringSubmatch(status.Message, -1) {
		faults = append(faults, Fault{Want: w, Path: stepsOf(m[1]), Message: "unknown field " + m[1], Hint: "remove it, or mend its name"})
	}
	for _, m := range undeclaredField.FindAllStringSubmatch(status.Message, -1) {
		faults = append(faults, Fault{Want: w, Path: stepsOf(m[1]), Message: "unknown field " + m[1], Hint: "remove it, or mend its name"})
	}
	if len(faults) > 0 {
		return faults
	}
	f := Fault{Want: w, Message: "the API server refuses " + w.ID.String() + ": " + plain(err), Hint: "it does not accept the object as it is written there"}
	if apierrors.IsForbidden(err) {
		f.Hint = "a rule of this cluster forbids it, a quota or an admission rule; it is asked again from time to time"
		if hint := drift.GrantHint(err); hint != "" {
			f.Hint = hint
		}
	}
	return []Fault{f}
}

var (
	unknownField    = regexp.MustCompile(`unknown field "([^"]+)"`)
	undeclaredField = regexp.MustCompile(`\.(\S+): field not declared in schema`)
	policyDenied    = regexp.MustCompile(`(?s)ValidatingAdmissionPolicy '([^']+)'.*? denied request: (.*)$`)
	webhookDenied   = regexp.MustCompile(`(?s)admission webhook "([^"]+)" denied the request(?: without explanation|: (.*))$`)
)

// deniedBy makes a fault of a refusal by the cluster's own admission rules; nil if it is none.
func deniedBy(w *drift.Wanted, err error, status metav1.Status) *Fault {
	for _, by := range []struct {
		what    string
		pattern *regexp.Regexp
	}{{"ValidatingAdmissionPolicy", policyDenied}, {"admission webhook", webhookDenied}} {
		m := by.pattern.FindStringSubmatch(status.Message)
		if m == nil {
			continue
		}
		why := strings.TrimSpace(m[2])
		if why == "" {
			why = "it does not say why"
		}
		return &Fault{
			Want: w, Message: "the " + by.what + " " + m[1] + " denies " + w.ID.String() + ": " + why,
			Hint: "a rule of this cluster, not of Kubernetes: mend the object, or the rule; it is asked again from time to time",
		}
	}
	if strings.Contains(err.Error(), "admission webhook") {
		return &Fault{Want: w, Message: "admission refuses " + w.ID.String() + ": " + plain(err), Hint: "look into the webhook that it names"}
	}
	return nil
}

// plain is an error on one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
