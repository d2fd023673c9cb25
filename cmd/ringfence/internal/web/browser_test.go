package web_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	stdsync "sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/web"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// TestInChromium has the tests of the nested module run on daemons that are made up: what no demo is, as five thousand tenants,
// names that are markup, and a replica that stands by. Its log has how long paint and search take there. Without Chromium
// it is left out on somebody's own machine, and fails where CI runs, which is root.
func TestInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser")
	}
	if _, err := exec.LookPath("chromium"); err != nil && os.Geteuid() != 0 {
		t.Skip("there is no chromium (Debian: chromium)")
	}
	standby := example(t, nil)
	standby.status.Leader = false
	h, name := hostileHandler(t)
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "^Test(Crowd|Hostile|WithoutScripts|Keyboard|Standby|Picture)", "./...")
	cmd.Dir = filepath.Join("..", "browser")
	cmd.Env = append(
		os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly",
		"RINGFENCE_BROWSER_CROWD="+running(t, handler(t, crowd(t, 5000), polled(), enforced("calico", 0))),
		"RINGFENCE_BROWSER_HOSTILE="+running(t, h), "RINGFENCE_BROWSER_HOSTILE_NAME="+url.PathEscape(name),
		"RINGFENCE_BROWSER_CHANGED="+running(t, handler(t, changed(t), polled(), enforced("calico", 0))),
		"RINGFENCE_BROWSER_STANDBY="+running(t, handler(t, standby, &source{}, enforced("calico", 0))),
	)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// running serves a handler, and has it tell of changes, until the test ends.
func running(t *testing.T, h *web.Handler) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var over stdsync.WaitGroup
	over.Go(func() { assert.NoError(t, h.Run(ctx)) })
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		stop()
		over.Wait()
		server.Close()
	})
	return server.URL
}

// changed is the example, in one tenant of which somebody has opened all, and taken away that its pods ask for names.
func changed(t *testing.T) *engine {
	t.Helper()
	return example(t, func(live map[kinds.Kind][]*unstructured.Unstructured) {
		live[kinds.NetworkPolicy] = slices.DeleteFunc(live[kinds.NetworkPolicy], func(u *unstructured.Unstructured) bool {
			return u.GetNamespace() == "caas-acme" && u.GetName() == "dns"
		})
		open := allowAll(t, "caas-acme")
		require.NoError(t, unstructured.SetNestedStringSlice(open.Object, []string{"Ingress"}, "spec", "policyTypes"))
		live[kinds.NetworkPolicy] = append(live[kinds.NetworkPolicy], open)
	})
}
