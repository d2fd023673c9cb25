package browser

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Markup in every string that can come from Git or a cluster is text on every view: nothing of it runs or is loaded, and the
// page's own policy has nothing to forbid. The script takes over regions of such a page too.
func TestHostile(t *testing.T) {
	base, name := served(t, "HOSTILE"), served(t, "HOSTILE_NAME")
	b := browser(t)
	tab := open(b, t, 1280, "light")
	for _, path := range []string{
		"/", "/?q=" + name, "/drift", "/tenants/" + name, "/tenants/_cluster", "/tenants/x" + name, "/cluster", "/cluster?q=" + name,
		"/reach?to=internet&from=" + name, "/reach?from=" + name + "%2Fdb&to=" + name + "&port=" + name + "&tenant=" + name,
	} {
		tab.visit(base + path)
		tab.eventually(`document.getElementById("live").innerText.trim() === "live"`, path)
		tab.shoot("hostile")
		assert.True(t, value[bool](tab, `document.documentElement.textContent.includes("<script>")`), "%s: it is there", path)
		// what was typed, and what comes by the script, is written by the server alike
		tab.eventually(`Promise.resolve(document.querySelector("form[data-search]")).then(async (form) => {
			if (!form) return true;
			const box = form.elements.q, region = document.querySelector("main [data-live] .count");
			box.value = "<b>" + Math.random(); box.dispatchEvent(new Event("input", {bubbles: true}));
			const text = region.innerText;
			for (let i = 0; i < 100 && document.contains(region); i++) await new Promise((r) => setTimeout(r, 50));
			return true;
		})`, "a search")
		assert.Equal(t, map[string]int{"script": 1, "img": 0, "iframe": 0, "style": 0, "b onclick": 0, "handlers": 0, "links": 0}, value[map[string]int](tab, `({
			"script": document.querySelectorAll("script").length, "img": document.querySelectorAll("img").length,
			"iframe": document.querySelectorAll("iframe, object, embed").length, "style": document.querySelectorAll("style, [style]").length,
			"b onclick": document.querySelectorAll("b[onclick]").length,
			"handlers": [...document.querySelectorAll("*")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length,
			"links": [...document.querySelectorAll("a, form")].filter((e) => new URL(e.href || e.action).origin !== location.origin).length,
		})`), path)
		assert.False(t, value[bool](tab, "!!window.intruded"), path)
		tab.complaintsAbout("/tenants/x") // that it is not there is said in the console
	}
	tab.quiet(base)
}
