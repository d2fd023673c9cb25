package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
//
// Every iteration is a comparison on a server of its own; of several (-benchtime 5x) the medians are printed, and the least of
// the ratios. Requests are counted in the first.
func BenchmarkFirstSync(b *testing.B) {
	const perTenant = 5
	tenants := 200
	if full() {
		tenants = 1000
	}
	all := figures{}
	defer all.report(b)
	for i := range b.N {
		count := func(r *running) int { // takes as long as Events are written at leisure
			if i > 0 {
				return 0
			}
			return r.settle()
		}
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
		first := count(r)
		commit := r.pushOne(9000)
		r.await(commit)
		applied := time.Now()
		fetched := r.fetchedAt(commit)
		one := count(r)
		r.stop()
		c.report(all, float64(first))
		all.add("ms-fetch-to-applied", float64(applied.Sub(fetched).Milliseconds()))
		if i == 0 {
			all.add("requests/commit", float64(one-first))
		}

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
			before := count(r)
			commit := r.pushBase(change.base)
			c.measure(change.name, func() {
				r.announce()
				r.await(commit)
			})
			requests := count(r) - before
			r.stop()
			c.report(all, float64(requests))
		}
		require.NoError(b, plane.Stop())
	}
}

// figures are what was measured, by name, of every iteration.
type figures map[string][]float64

func (f figures) add(name string, value float64) { f[name] = append(f[name], value) }

// report prints the medians, and the least of the ratios.
func (f figures) report(b *testing.B) {
	b.Helper()
	for name, values := range f {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name)
		if strings.HasSuffix(name, "of-bare") {
			b.ReportMetric(values[0], name+"-least")
		}
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
func (c *comparison) report(all figures, requests float64) {
	c.b.Helper()
	c.loop("after-")
	ours, bare := c.objects/c.ours.time.Seconds(), 2*c.objects/c.bare.time.Seconds()
	all.add(c.what+"objects/s", ours)
	all.add(c.what+"bare-objects/s", bare)
	all.add(c.what+"of-bare", ours/bare)
	if requests > 0 {
		all.add(c.what+"requests/object", requests/c.objects)
	}
	if c.ours.used.there == 0 { // the system has no /proc
		return
	}
	all.add(c.what+"cpu-of-bare", c.bare.used.seconds()/2/c.ours.used.seconds())
	perObject := func(what string, d time.Duration, objects float64) {
		all.add(c.what+what+"-cpu-ms/object", d.Seconds()*1000/objects)
	}
	perObject("here", c.ours.used.here, c.objects)
	perObject("server", c.ours.used.there, c.objects)
	perObject("bare-here", c.bare.used.here, 2*c.objects)
	perObject("bare-server", c.bare.used.there, 2*c.objects)
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
