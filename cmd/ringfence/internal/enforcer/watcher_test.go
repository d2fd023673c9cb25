package enforcer

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// patience is how long what must come about may take on a machine that is busy.
const patience = 60 * time.Second

func TestWatcher(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	kube, err := kubernetes.NewForConfig(plane.REST())
	require.NoError(t, err)

	w := New(Config{Kube: kube.AppsV1(), Log: slog.New(slog.DiscardHandler)})
	assert.Equal(t, State{Engine: Unknown}, w.State())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	becomes := func(want State) {
		t.Helper()
		require.Eventually(t, func() bool { return w.State() == want }, patience, 10*time.Millisecond, "%+v", w.State())
	}
	becomes(State{Engine: None})

	sets := kube.AppsV1().DaemonSets("kube-system")
	daemons := set("kube-system", "calico-node", 0, 0, corev1.Container{Name: "calico-node", Image: "quay.io/calico/node:v3.31.0"})
	labels := map[string]string{"k8s-app": "calico-node"}
	daemons.Spec.Selector, daemons.Spec.Template.Labels = &metav1.LabelSelector{MatchLabels: labels}, labels
	made, err := sets.Create(ctx, daemons, metav1.CreateOptions{})
	require.NoError(t, err)
	becomes(State{Engine: "calico", Version: "v3.31.0"})
	made.Status.DesiredNumberScheduled, made.Status.NumberReady = 3, 2
	_, err = sets.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	require.NoError(t, err)
	becomes(State{Engine: "calico", Version: "v3.31.0", Ready: 2, Missing: 1})
	require.NoError(t, testutil.CollectAndCompare(w, strings.NewReader(`
# HELP ringfence_enforcer_info 1 for what enforces policies in the cluster; engine "none": nothing that is known, "unknown": it cannot be seen.
# TYPE ringfence_enforcer_info gauge
ringfence_enforcer_info{engine="calico",version="v3.31.0"} 1
# HELP ringfence_enforcer_nodes Nodes on which it is ready, and nodes on which it should be and is not.
# TYPE ringfence_enforcer_nodes gauge
ringfence_enforcer_nodes{state="missing"} 1
ringfence_enforcer_nodes{state="ready"} 2
`)))
	require.NoError(t, sets.Delete(ctx, "calico-node", metav1.DeleteOptions{}))
	becomes(State{Engine: None})
}

// Whoever may not see DaemonSets knows nothing, not that there are none.
func TestUnseen(t *testing.T) {
	var log strings.Builder
	w := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, w.Replace(nil, "1"))
	assert.Equal(t, State{Engine: None}, w.State())
	w.change(context.DeadlineExceeded, func() { w.sets = nil })
	w.change(context.DeadlineExceeded, func() { w.sets = nil })
	assert.Equal(t, State{Engine: Unknown}, w.State())
	assert.Equal(t, 1, strings.Count(log.String(), "nothing that is known enforces"))
	assert.Equal(t, 1, strings.Count(log.String(), "cannot be seen"), "once, not at each try")
}
