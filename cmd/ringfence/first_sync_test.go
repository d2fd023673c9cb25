package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// BenchmarkFirstSync prints how fast many tenants of 5 objects are first synced; what a
// commit costs that touches one tenant, and how fast commits are applied that touch
// all: one that opens something in one object of each and closes something in
// another, and one of which every object does both and is written twice.
//
// Each is compared with a bare client-go loop with as many workers on the same server, before
// and after, while no daemon runs: what else the machine does should meet both. The server collects garbage as any API
// server does: kept to the little memory that it has in tests, it would collect the more the more it holds.
func BenchmarkFirstSync(b *testing.B) {
	const perTenant = 5
	tenants := 200
	if full() {
		tenants = 1000
	}
	for range b.N {
		plane, err := controlplane.Start(b.Context(), controlplane.Config{Log: io.Discard, Env: []string{"GOGC=100"}})
		require.NoError(b, err)
		warm(b, plane.REST())
		r := serveRunning(b, plane, tenants, perTenant-2)
		rendered := renderGenerated(b, tenants, perTenant-2)

		c := beside(b, plane, rendered)
		c.measure("", func() {
			r.start()
			r.await(r.head())
		})
		first := r.settle()
		commit := r.pushOne(9000)
		r.await(commit)
		applied := time.Now()
		fetched := r.fetchedAt(commit)
		one := r.settle()
		r.stop()
		c.report(float64(first))
		b.ReportMetric(float64(applied.Sub(fetched).Milliseconds()), "ms-fetch-to-applied")
		b.ReportMetric(float64(one-first), "requests/commit")

		for _, change := range []struct {
			name string
			base map[int]string // ports by allowance
		}{
			{"base-", map[int]string{0: "[{protocol: TCP, port: 8000}, {protocol: TCP, port: 9100}]", 1: "[{protocol: TCP, port: 8001, endPort: 8001}, {protocol: UDP, port: 1}]"}},
			{"both-", map[int]string{0: "[{protocol: TCP, port: 9200}]", 1: "[{protocol: TCP, port: 9201}]"}},
		} {
			c := beside(b, plane, changedGenerated(b, tenants, change.base))
			r.start()
			r.await(r.head())
			before := r.settle()
			commit := r.pushBase(change.base)
			c.measure(change.name, func() {
				r.announce()
				r.await(commit)
			})
			requests := r.settle() - before
			r.stop()
			c.report(float64(requests))
		}
		require.NoError(b, plane.Stop())
	}
}

// comparison is what a daemon does in place of a bare loop over the same objects.
type comparison struct {
	b       *testing.B
	plane   *controlplane.ControlPlane
	tenants map[string][]kustomize.Object
	what    string
	objects float64
	ours    cost
	bare    cost // of two runs
}

// cost is what something took.
type cost struct {
	time time.Duration
	used used
}

// beside begins a comparison with the loop before.
func beside(b *testing.B, plane *controlplane.ControlPlane, tenants map[string][]kustomize.Object) *comparison {
	b.Helper()
	c := &comparison{b: b, plane: plane, tenants: tenants}
	for _, objects := range tenants {
		c.objects += float64(len(objects))
	}
	c.loop("before-")
	return c
}

func (c *comparison) loop(prefix string) {
	c.b.Helper()
	took := c.cost(func() { bareLoop(c.b, c.plane.REST(), prefix, c.tenants, 8) })
	c.bare.time += took.time
	c.bare.used.here += took.used.here
	c.bare.used.there += took.used.there
}

func (c *comparison) cost(do func()) cost {
	c.b.Helper()
	before, began := spent(c.b, c.plane), time.Now()
	do()
	return cost{time.Since(began), spent(c.b, c.plane).since(before)}
}

// measure does what is compared.
func (c *comparison) measure(what string, do func()) {
	c.b.Helper()
	c.what, c.ours = what, c.cost(do)
}

// report ends a comparison with the loop after, when no daemon runs.
func (c *comparison) report(requests float64) {
	c.b.Helper()
	c.loop("after-")
	ours, bare := c.objects/c.ours.time.Seconds(), 2*c.objects/c.bare.time.Seconds()
	c.b.ReportMetric(ours, c.what+"objects/s")
	c.b.ReportMetric(bare, c.what+"bare-objects/s")
	c.b.ReportMetric(ours/bare, c.what+"of-bare")
	c.b.ReportMetric(requests/c.objects, c.what+"requests/object")
	if c.ours.used.there == 0 { // the system has no /proc
		return
	}
	c.b.ReportMetric(c.bare.used.seconds()/2/c.ours.used.seconds(), c.what+"cpu-of-bare")
	milliseconds := func(d time.Duration, objects float64) float64 { return d.Seconds() * 1000 / objects }
	c.b.Logf("%sprocessor time of an object: %.2f ms here and %.2f ms in the control plane; bare %.2f ms and %.2f ms", c.what,
		milliseconds(c.ours.used.here, c.objects), milliseconds(c.ours.used.there, c.objects),
		milliseconds(c.bare.used.here, 2*c.objects), milliseconds(c.bare.used.there, 2*c.objects))
}

// withPorts is an allowance of the generated base with other ports.
func withPorts(i int, ports string) string {
	return policyYAML(fmt.Sprintf("allow-%d", i), fmt.Sprintf("{podSelector: {matchLabels: {app: a%d}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}], ports: %s}]}", i, ports))
}

// pushBase changes allowances of the base, and so of all tenants, and returns the commit.
func (r *running) pushBase(ports map[int]string) string {
	r.tb.Helper()
	for i, text := range ports {
		require.NoError(r.tb, os.WriteFile(filepath.Join(r.clone, "base", "tenant", fmt.Sprintf("allow-%d.yaml", i)), []byte(withPorts(i, text)), 0o600))
	}
	return r.push("the base")
}

// changedGenerated renders what such a change makes of each tenant, of the changed objects alone.
func changedGenerated(tb testing.TB, tenants int, ports map[int]string) map[string][]kustomize.Object {
	tb.Helper()
	files := generated(tenants, 3)
	for i, text := range ports {
		files[fmt.Sprintf("base/tenant/allow-%d.yaml", i)] = &fstest.MapFile{Data: []byte(withPorts(i, text))}
	}
	renderer, err := kustomize.New(kustomize.Config{Namespaces: []string{"t-*"}})
	require.NoError(tb, err)
	rendering, err := renderer.Render(context.Background(), files)
	require.NoError(tb, err)
	out := map[string][]kustomize.Object{}
	for _, t := range rendering.Tenants {
		for _, o := range t.Objects {
			for i := range ports {
				if o.GetName() == fmt.Sprintf("allow-%d", i) {
					out[t.Name] = append(out[t.Name], o)
				}
			}
		}
	}
	return out
}

// fetchedAt returns when the source had the commit.
func (r *running) fetchedAt(commit string) time.Time {
	var status struct {
		Source struct {
			Revision string
			Checked  time.Time
		}
	}
	require.NoError(r.tb, getJSON("http://"+r.address+"/api/v1/status", &status))
	require.Equal(r.tb, commit, status.Source.Revision)
	return status.Source.Checked
}

// warm makes the API server do everything once before it is measured.
func warm(b *testing.B, c *rest.Config) {
	b.Helper()
	bareLoop(b, c, "", map[string][]kustomize.Object{"t-warm": renderGenerated(b, 1, 3)["t-0000"]}, 1)
}

// renderGenerated renders a generated repository, by tenant.
func renderGenerated(tb testing.TB, tenants, allowances int) map[string][]kustomize.Object {
	tb.Helper()
	renderer, err := kustomize.New(kustomize.Config{Namespaces: []string{"t-*"}})
	require.NoError(tb, err)
	rendering, err := renderer.Render(context.Background(), generated(tenants, allowances))
	require.NoError(tb, err)
	out := map[string][]kustomize.Object{}
	for _, t := range rendering.Tenants {
		out[t.Name] = t.Objects
	}
	return out
}

// bareLoop applies everything under other names with nothing but client-go.
func bareLoop(tb testing.TB, c *rest.Config, prefix string, tenants map[string][]kustomize.Object, workers int) {
	tb.Helper()
	client, err := dynamic.NewForConfig(c)
	require.NoError(tb, err)
	var group errgroup.Group
	group.SetLimit(workers)
	for name, objects := range tenants {
		group.Go(func() error {
			for _, o := range objects {
				u := o.DeepCopy()
				resource := dynamic.ResourceInterface(client.Resource(o.Kind.GVR()))
				if o.Kind.Namespaced {
					u.SetNamespace(prefix + name)
					resource = client.Resource(o.Kind.GVR()).Namespace(prefix + name)
				} else {
					u.SetName(prefix + name)
				}
				body, err := json.Marshal(u)
				if err != nil {
					return err
				}
				if _, err := resource.Patch(context.Background(), u.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "bare"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(tb, group.Wait())
}
