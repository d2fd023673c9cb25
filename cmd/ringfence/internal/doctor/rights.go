package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
)

// reviewers is how many reviews are asked for at a time.
const reviewers = 8

// rights looks whether everything may be done that the daemon does in this cluster.
func (e *examination) rights(ctx context.Context) {
	rc := rest.CopyConfig(e.config.REST)
	rc.QPS, rc.Timeout = -1, patience
	if e.config.As != "" {
		rc.Impersonate = rest.ImpersonationConfig{UserName: e.config.As}
	}
	who, err := authenticationclient.NewForConfig(rc)
	if err != nil {
		e.blind("permissions", Unknown, "what may be done", err)
		return
	}
	may, err := authorizationclient.NewForConfig(rc)
	if err != nil {
		e.blind("permissions", Unknown, "what may be done", err)
		return
	}
	me, err := who.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		e.blind("permissions", Unknown, "who asks", err)
		return
	}
	user, asked, lacking := me.Status.UserInfo.Username, 0, 0
	for _, rule := range permissions.Of(permissions.Rules(e.config.Daemon.Instance), permissions.Daemon) {
		accesses := e.needed(rule)
		asked += len(accesses)
		denied, err := review(ctx, may.SelfSubjectAccessReviews(), accesses, e.config.Daemon.LeaderElection.Namespace)
		if err != nil {
			e.blind("permissions", Unknown, "what "+user+" may do", err)
			return
		}
		if len(denied) == 0 {
			continue
		}
		lacking += len(denied)
		level := Error
		if rule.Optional {
			level = Warning
		}
		e.add("permissions", level, user+" may not "+phrase(denied), strings.TrimSuffix(rule.Lost, "."), "grant it: base/ringfence/rbac.yaml, cmd/ringfence/docs/rbac.md")
	}
	if lacking == 0 {
		e.ok("permissions", "%s may do all %d things that the daemon does here", user, asked)
	}
}

// needed returns what of a rule is needed in this cluster and configuration.
func (e *examination) needed(rule permissions.Rule) (out []permissions.Access) {
	switch rule.If {
	case permissions.IfElection:
		if !e.config.Daemon.LeaderElection.Enabled || e.observes() {
			return nil
		}
	case permissions.IfAuth:
		if e.config.Daemon.HTTP.Auth != "kubernetes" {
			return nil
		}
	case permissions.IfAggregated:
		if e.flavour == drift.FlavourNative || e.flavour == drift.FlavourNone {
			return nil
		}
	case permissions.Always, permissions.IfServed:
	}
	for _, a := range rule.Accesses() {
		unserved := rule.If == permissions.IfServed && !e.served[schema.GroupResource{Group: a.Group, Resource: a.Resource}] && !slices.Contains(e.silent, a.Group)
		writes := !slices.Contains([]string{"get", "list", "watch"}, a.Verb) && rule.If != permissions.IfAuth
		if unserved || writes && e.observes() {
			continue
		}
		out = append(out, a)
	}
	return out
}

func (e *examination) observes() bool { return e.config.Daemon.Sync.Mode == "observe" }

// review returns what of the accesses is not allowed, in their order.
func review(ctx context.Context, reviews authorizationclient.SelfSubjectAccessReviewInterface, accesses []permissions.Access, own string) (denied []permissions.Access, err error) {
	allowed := make([]bool, len(accesses))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviewers)
	for i, a := range accesses {
		group.Go(func() error {
			r, err := reviews.Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: a.Attributes(own)},
			}, metav1.CreateOptions{})
			if err == nil {
				allowed[i] = r.Status.Allowed && !r.Status.Denied
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, a := range accesses {
		if !allowed[i] {
			denied = append(denied, a)
		}
	}
	return denied, nil
}

// phrase says for people what is denied: the verbs of one resource together.
func phrase(denied []permissions.Access) string {
	var order []string
	verbs := map[string][]string{}
	for _, a := range denied {
		object := strings.TrimPrefix(a.String(), a.Verb+" ")
		if verbs[object] == nil {
			order = append(order, object)
		}
		verbs[object] = append(verbs[object], a.Verb)
	}
	// Resources that lack the same verbs are said together.
	var parts []string
	together := map[string][]string{}
	for _, object := range order {
		v := strings.Join(verbs[object], ", ")
		if together[v] == nil {
			parts = append(parts, v)
		}
		together[v] = append(together[v], object)
	}
	for i, v := range parts {
		parts[i] = fmt.Sprintf("%s %s", v, strings.Join(together[v], ", "))
	}
	return strings.Join(parts, "; ")
}
