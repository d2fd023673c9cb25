package doctor

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/sync"
)

// state looks at the daemon's namespace and at what it keeps there.
func (e *examination) state(ctx context.Context) {
	namespace := e.config.Daemon.LeaderElection.Namespace
	cm, err := e.kube.CoreV1().ConfigMaps(namespace).Get(ctx, sync.StateName, metav1.GetOptions{})
	switch {
	case err == nil && cm.Data[sync.StateKey(e.config.Daemon.Instance)] == "":
		e.ok("state", "ConfigMap %s/%s knows nothing of the instance %s: nothing was applied yet", namespace, sync.StateName, e.config.Daemon.Instance)
		return
	case err == nil:
		e.ok("state", "what must survive a restart is in ConfigMap %s/%s", namespace, sync.StateName)
		return
	case !apierrors.IsNotFound(err):
		e.blind("state", Unknown, fmt.Sprintf("ConfigMap %s/%s", namespace, sync.StateName), err)
		return
	}
	list, err := e.kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + namespace})
	switch {
	case err != nil:
		e.blind("state", Unknown, "the namespace "+namespace, err)
	case len(list.Items) > 0:
		e.ok("state", "nothing was applied yet: there is no ConfigMap %s/%s", namespace, sync.StateName)
	case e.observes():
		e.ok("state", "there is no namespace %s, and none is needed to observe", namespace)
	default:
		e.add("state", Warning, "there is no namespace "+namespace, "what must survive a restart is kept there, and the daemon has to make it first", "kubectl apply -k base/ringfence, or set leaderElection.namespace")
	}
}
