package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var errBusy = errors.New("too many ask at a time")

// ask asks the API server. With an error the verdict is what a stranger may know of it.
func (g *Gate) ask(ctx context.Context, token, verb, path string) (verdict, error) {
	if !g.pace.Allow() {
		return untold("too many ask at a time"), errBusy
	}
	review, err := g.config.Tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return failed("TokenReview", err)
	}
	if !review.Status.Authenticated {
		return verdict{Code: http.StatusUnauthorized, Message: "the cluster does not know this token"}, nil
	}
	user := review.Status.User
	access, err := g.config.Rights.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user.Extra),
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return failed("SubjectAccessReview", err)
	case !access.Status.Allowed || access.Status.Denied:
		return verdict{Code: http.StatusForbidden, Message: fmt.Sprintf(
			"%s may not %s %s (hint: bind a ClusterRole with nonResourceURLs: [%q], verbs: [%s])", user.Username, verb, path, path, verb)}, nil
	}
	return verdict{Code: http.StatusOK}, nil
}

// failed is what comes of a review that failed.
func failed(review string, err error) (verdict, error) {
	out := untold("the API server does not answer")
	if apierrors.IsForbidden(err) {
		out = untold("the daemon may not create a " + review + " (hint: its ClusterRole needs create on it)")
	}
	return out, fmt.Errorf("creating a %s: %w", review, err)
}

func untold(why string) verdict {
	return verdict{Code: http.StatusServiceUnavailable, Message: "it cannot be told now who may read this: " + why}
}

func extra(from map[string]authenticationv1.ExtraValue) map[string]authorizationv1.ExtraValue {
	out := make(map[string]authorizationv1.ExtraValue, len(from))
	for key, values := range from {
		out[key] = authorizationv1.ExtraValue(values)
	}
	return out
}
