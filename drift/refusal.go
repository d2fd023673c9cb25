package drift

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Refusal says what an API server means by an error. Calico's own says most of it
// by 500 without a reason; a client that took these for faults of the server would try
// for ever what can never be done.
type Refusal string

const (
	// RefusalNone is of no error, and of errors that mean what they say.
	RefusalNone Refusal = ""
	// RefusalSpelling says that the object exists under the other spelling of its name.
	RefusalSpelling Refusal = "other spelling"
	// RefusalExists says that the object was made since it was looked for.
	RefusalExists Refusal = "exists"
	// RefusalTier says that the tier of the policy does not exist; once it does, try again.
	RefusalTier Refusal = "no tier"
	// RefusalInvalid says that the object is refused as it is, now and later.
	RefusalInvalid Refusal = "invalid"
	// RefusalOccupied says that the tier has policies, or is Calico's own, and cannot go.
	RefusalOccupied Refusal = "occupied"
	// RefusalHidden says that the tier of the policy is hidden from the caller.
	RefusalHidden Refusal = "hidden"
	// RefusalAway says that nobody serves the group now, and nothing of the object.
	RefusalAway Refusal = "away"
	// RefusalExpired says that the watch cannot go on from there; list again.
	RefusalExpired Refusal = "expired"
)

// refusals are what Calico's API server says (v3.31.0), in order.
var refusals = []struct {
	code int32 // 0: any
	text string
	as   Refusal
}{
	{500, "too old resource version", RefusalExpired},
	{500, "resource already exists", RefusalExists},
	{500, "Tier(", RefusalTier},
	{500, "StorageError: key not found", RefusalTier},
	{500, "resource not found ", RefusalSpelling},
	{500, "Cannot delete ", RefusalOccupied},
	{500, "error with field", RefusalInvalid},
	{500, "error with the following fields", RefusalInvalid},
	{500, "Incorrectly formatted policy name", RefusalInvalid},
	{500, "failed to create typed patch object", RefusalInvalid},
	{500, "is not supported on", RefusalInvalid},
	{403, "user cannot get tier", RefusalHidden},
	{403, "operation on Calico tiered policy is forbidden", RefusalHidden},
}

// RefusalOf returns what an error means.
func RefusalOf(err error) Refusal {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return RefusalNone
	}
	s := status.Status()
	code := s.Code
	switch {
	case code == http.StatusServiceUnavailable:
		return RefusalAway
	case code == http.StatusUnprocessableEntity:
		return RefusalInvalid
	case code == http.StatusGone || s.Reason == metav1.StatusReasonExpired:
		return RefusalExpired
	case code == 0: // an event of a watch
		code = http.StatusInternalServerError
	}
	for _, r := range refusals {
		if r.code == code && strings.Contains(s.Message, r.text) {
			return r.as
		}
	}
	return RefusalNone
}
