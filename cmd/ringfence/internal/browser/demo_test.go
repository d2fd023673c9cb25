package browser

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// page returns the URL of the demo's page.
func page(t *testing.T) string { return served(t, "PAGE") }

// kubectl runs the demo's.
func kubectl(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Getenv("RINGFENCE_BROWSER_KUBECTL"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "kubectl %v: %s", args, out)
}

// allowAll is what a tired engineer applies. Its annotation is what an intruder would try.
const allowAll = `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "allow-all", "namespace": "caas-acme",
"annotations": {"note": "</pre><script>window.intruded = true</script><img src=x onerror='window.intruded = true'>"}},
"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}}`

// everyLook opens a tab for a desktop and a phone, each light and dark.
func everyLook(t *testing.T, look func(tab *tab, width int64, theme string)) {
	t.Helper()
	b := browser(t)
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			look(open(b, t, width, theme), width, theme)
		}
	}
}

// twoLooks is as everyLook, and leaves out what differs in nothing but the theme from another, unless somebody wants to look.
func twoLooks(t *testing.T, look func(tab *tab, width int64, theme string)) {
	t.Helper()
	if os.Getenv("RINGFENCE_BROWSER_SHOTS") != "" {
		everyLook(t, look)
		return
	}
	b := browser(t)
	look(open(b, t, 1280, "light"), 1280, "light")
	look(open(b, t, 390, "dark"), 390, "dark")
}

// Every view fits on a desktop and a phone, light and dark, without a finding of axe-core that is serious, an error in the
// console, or a request to anybody else; and runs nothing of what is written into the cluster.
func TestDemoViews(t *testing.T) {
	kubectl(t, allowAll, "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, "", "delete", "networkpolicy", "allow-all", "-n", "caas-acme") })
	views := map[string]string{
		"overview": "/", "search": "/?q=acme&state=drifted", "tenant": "/tenants/caas-acme", "overlay": "/tenants/_cluster", "drift": "/drift",
		"cluster": "/cluster", "reach": "/reach?from=internet&to=caas-acme/postgres&port=5432", "help": "/reach", "nobody": "/tenants/nobody",
	}
	everyLook(t, func(tab *tab, width int64, theme string) {
		for _, name := range slices.Sorted(maps.Keys(views)) {
			tab.visit(page(t) + views[name])
			if name == "tenant" {
				tab.eventually(`!!document.querySelector(".edge.opened")`, "the picture shows what is open")
			}
			tab.shoot(fmt.Sprintf("%s-%d-%s", name, width, theme))
			where := fmt.Sprintf("%s, %d, %s", name, width, theme)
			assert.LessOrEqual(t, value[int](tab, "document.documentElement.scrollWidth"), int(width), where)
			assert.False(t, value[bool](tab, "!!window.intruded"), where)
			tab.accessible(where)
		}
		tab.complaintsAbout("/tenants/nobody") // that it is not there is said in the console
		tab.quiet(page(t))
	})
}

// A drift that is made with kubectl appears, in words and in the picture, and disappears, without a reload.
func TestDemoDriftComesAndGoes(t *testing.T) {
	b := browser(t)
	overview, tenant := open(b, t, 1280, "light"), open(b, t, 390, "dark")
	overview.visit(page(t) + "/")
	tenant.visit(page(t) + "/tenants/caas-acme")
	for _, tab := range []*tab{overview, tenant} {
		tab.eventually(`document.getElementById("live").innerText.trim() === "live"`, "it listens")
		tab.eventually(`!document.body.innerText.includes("allow-all")`, "nothing is open yet")
		value[bool](tab, "window.same = true")
	}
	value[bool](tenant, `document.querySelector("#fence-table summary").focus(), document.getElementById("fence-table").open = true`)
	kubectl(t, allowAll, "apply", "-f", "-")
	overview.eventually(`document.querySelector("h1").innerText === "1 fence is open" && document.getElementById("standing").innerText.includes("allow-all")`, "the overview tells")
	tenant.eventually(`document.getElementById("standing").innerText.includes("allow-all") && !!document.querySelector(".edge.opened")`, "the tenant's page tells")
	assert.True(t, value[bool](tenant, `document.getElementById("fence-table").open && document.getElementById("fence-table").innerText.includes("opened")`),
		"what the reader has opened stays open")
	assert.True(t, value[bool](tenant, `document.activeElement === document.querySelector("#fence-table summary")`), "what has the keyboard keeps it")
	value[bool](overview, `document.querySelector("#standing details").open = true`)
	kubectl(t, strings.ReplaceAll(allowAll, "allow-all", "allow-more"), "apply", "-f", "-")
	overview.eventually(`document.querySelectorAll("#standing details").length === 2`, "another")
	assert.Equal(t, []bool{true, false}, value[[]bool](overview, `[...document.querySelectorAll("#standing details")].map((d) => d.open)`), "each by itself")
	kubectl(t, "", "delete", "networkpolicy", "allow-more", "-n", "caas-acme")
	kubectl(t, "", "delete", "networkpolicy", "allow-all", "-n", "caas-acme")
	overview.eventually(`document.querySelector("h1").innerText !== "1 fence is open"`, "the overview tells that it is over")
	tenant.eventually(`!document.querySelector(".edge.opened") && !document.getElementById("fence").innerText.includes("Git does not allow")`, "the picture is as it was")
	for _, tab := range []*tab{overview, tenant} {
		require.True(t, value[bool](tab, "window.same === true"), "it was never loaded anew")
		tab.quiet(page(t))
	}
}
