package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
	"github.com/ringfence/ringfence/sync"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// misdeed is one change that somebody makes.
type misdeed struct {
	namespace, name string
	do              func(ctx context.Context, r dynamic.ResourceInterface) error
	at              time.Time
}

// misdeeds are the changes that are made to a policy.
var misdeeds = []func(ctx context.Context, r dynamic.ResourceInterface, name string) error{
	func(ctx context.Context, r dynamic.ResourceInterface, name string) error {
		return r.Delete(ctx, name, metav1.DeleteOptions{})
	},
	merging(`{"spec":{"ingress":[{}]}}`),
	merging(`{"spec":{"egress":[{}],"policyTypes":["Ingress","Egress"]}}`),
	merging(`{"metadata":{"labels":{"theirs":"x"}}}`),
	merging(`{"spec":{"podSelector":{"matchLabels":{"app":"nothing"}}}}`),
	merging(`{"metadata":{"finalizers":["example.com/hang"]}}`),
}

func merging(patch string) func(context.Context, dynamic.ResourceInterface, string) error {
	return func(ctx context.Context, r dynamic.ResourceInterface, name string) error {
		_, err := r.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "rogue"})
		return err
	}
}

// Many tenants, many changes at once: every one is found, told what it does, and
// undone. What it took is printed.
func TestManyDriftsAtOnce(t *testing.T) {
	tenants, drifts := scale(1000), scale(200)
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { _ = plane.Stop() })
	r := startRunning(t, plane, tenants, 3)
	r.await(r.head())
	before := r.settle()
	client := fast(t, plane.REST())

	deeds := spoil(t, client, chosen(t, client, tenants, drifts))
	require.Eventually(t, func() bool {
		return r.engine.Status().Tenants[sync.Synced] == tenants && len(undone(r, deeds)) == len(deeds)
	},
		5*time.Minute, 50*time.Millisecond, "%d of %d were undone", len(undone(r, deeds)), len(deeds))

	var detection, correction []time.Duration
	for _, e := range undone(r, deeds) {
		detection = append(detection, e.Since.Sub(deeds[key(e.ID.Namespace, e.ID.Name)].at))
		correction = append(correction, e.Corrected.Sub(deeds[key(e.ID.Namespace, e.ID.Name)].at))
		require.NotEqual(t, drift.EffectUnknown, e.Effect, "%s", e.ID)
	}
	requests := r.settle() - before
	t.Logf("%d tenants, %d drifts at once: detection p50 %s p99 %s, correction p50 %s p99 %s, %.1f API requests a drift",
		tenants, drifts, percentile(detection, 50), percentile(detection, 99), percentile(correction, 50), percentile(correction, 99), float64(requests)/float64(drifts))
	idle(t, r)
}

// chosen picks as many policies of as many tenants, each once.
func chosen(t *testing.T, client dynamic.Interface, tenants, n int) []misdeed {
	t.Helper()
	list, err := client.Resource(kinds.NetworkPolicy.GVR()).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list.Items), tenants)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	random.Shuffle(len(list.Items), func(i, j int) { list.Items[i], list.Items[j] = list.Items[j], list.Items[i] })
	var out []misdeed
	for i, o := range list.Items[:n] {
		deed := misdeeds[i%len(misdeeds)]
		out = append(out, misdeed{namespace: o.GetNamespace(), name: o.GetName(), do: func(ctx context.Context, r dynamic.ResourceInterface) error {
			return deed(ctx, r, o.GetName())
		}})
	}
	return out
}

func key(namespace, name string) string { return namespace + "/" + name }

// spoil does all at once and returns them by object, with the time just before each.
func spoil(t *testing.T, client dynamic.Interface, deeds []misdeed) map[string]misdeed {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range deeds {
		group.Go(func() error {
			deeds[i].at = time.Now()
			err := deeds[i].do(t.Context(), client.Resource(kinds.NetworkPolicy.GVR()).Namespace(deeds[i].namespace))
			if apierrors.IsConflict(err) {
				return fmt.Errorf("%s/%s: %w", deeds[i].namespace, deeds[i].name, err)
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	out := map[string]misdeed{}
	for _, d := range deeds {
		out[key(d.namespace, d.name)] = d
	}
	return out
}

// undone returns the entries of the deeds that were corrected.
func undone(r *running, deeds map[string]misdeed) (out []drift.Entry) {
	for _, e := range r.engine.Drift() {
		if _, ours := deeds[key(e.ID.Namespace, e.ID.Name)]; ours && !e.Corrected.IsZero() {
			out = append(out, e)
		}
	}
	return out
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100].Round(time.Millisecond)
}

// fast returns a client without a limit of its own.
func fast(t *testing.T, c *rest.Config) dynamic.Interface {
	t.Helper()
	c.QPS = -1
	client, err := dynamic.NewForConfig(c)
	require.NoError(t, err)
	return client
}

// idle prints what this process takes while nothing happens: its CPU time, what
// its heap holds, and that it sends no request.
func idle(t *testing.T, r *running) {
	t.Helper()
	const pause = 3 * time.Second
	before, cpu := r.requests(), cpuTime(t)
	time.Sleep(pause)
	took := cpuTime(t) - cpu
	require.Equal(t, before, r.requests(), "an idle daemon asks nothing")
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("idle: %.1f %% of one CPU, %d MiB of live heap", 100*float64(took)/float64(pause), memory.HeapAlloc>>20)
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
