package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Without scripts everything can be read: the picture is there, a search and a question are forms, lists have pages.
func TestWithoutScripts(t *testing.T) {
	base := served(t, "CROWD")
	b := browser(t)
	tab := open(b, t, 390, "light")
	call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.visit(base + "/")
	assert.False(t, tab.asks("/api/v1/events"), "no script runs")
	assert.True(t, value[bool](tab, `document.getElementById("live").hidden`), "nothing says that the page is live")

	value[bool](tab, `document.getElementById("q").focus(), true`)
	tab.press("t-4876" + kb.Enter)
	tab.eventually(`location.search.includes("q=t-4876") && !!document.querySelector("#tenants .count") && document.querySelector("#tenants .count").innerText === "1 tenant matches"`, "a search")
	value[bool](tab, `document.querySelector("#tenants tbody a").focus(), true`)
	tab.press(kb.Enter)
	tab.eventually(`location.pathname === "/tenants/t-4876" && !!document.querySelector(".picture svg .edge.opened")`, "the picture")
	value[bool](tab, `document.querySelector("details.table summary").focus(), true`)
	tab.press(kb.Enter)
	tab.eventually(`document.querySelector("details.table table").checkVisibility()`, "the table under it")
	value[bool](tab, `document.querySelector("#fence form [name=from]").focus(), true`)
	tab.press("web" + kb.Tab + "db" + kb.Tab + "5432/TCP" + kb.Enter)
	tab.eventually(`location.pathname === "/reach" && document.querySelectorAll(".answer .verdict").length === 2`, "a question")
	assert.Equal(t, "allow", value[string](tab, `document.querySelector(".answer .verdict").textContent`))

	for _, path := range []string{"/", "/cluster", "/drift"} {
		tab.visit(base + path)
		assert.True(t, value[bool](tab, `document.querySelectorAll("main table.rows tbody tr, main .matrix tbody tr, main .difference").length > 20`), path)
	}
	tab.visit(base + "/")
	value[bool](tab, `document.querySelector("a[rel=next]").click(), true`)
	tab.eventually(`location.search === "?page=2" && document.querySelector(".pages").innerText.includes("101 to 200 of 5000")`, "the next page")
	tab.quiet(base)
}

// asks says whether the tab has asked for a path.
func (b *tab) asks(path string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.asked, "\n"), path)
}

// focused says what has the keyboard, and whether that can be seen: the first words of it, by an outline.
const focused = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
	const words = (e.getAttribute("aria-label") || (e.labels && e.labels[0] ? e.labels[0].innerText : "") || e.innerText || e.tagName).trim().replace(/\s+/g, " ");
	return {words, seen: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0};
})()`

// All that can be used is reached with the keyboard, in the order in which it stands, and is seen to be reached; the way past the
// head comes first, and the picture can be scrolled and has words.
func TestKeyboard(t *testing.T) {
	base := served(t, "CROWD")
	b := browser(t)
	tab := open(b, t, 1280, "dark")
	walk := func(path, end string, most int) (words []string) {
		tab.visit(base + path)
		for range most {
			tab.press(kb.Tab)
			at := value[struct {
				Words string `json:"words"`
				Seen  bool   `json:"seen"`
			}](tab, focused)
			assert.True(t, at.Seen, "%s: %q has the keyboard, and that cannot be seen", path, at.Words)
			if words = append(words, at.Words); at.Words == end {
				return words
			}
		}
		require.Contains(t, words, end)
		return words
	}
	states := []string{"0 quarantined", "0 unknown", "20 failed", "40 drifted", "0 suspended", "0 pending", "4940 synced"}
	head := []string{"Skip to the content", "Ringfence default", "Tenants", "Drift", "Cluster", "Can X reach Y?"}
	words := walk("/", "State", 60)
	assert.Equal(t, append(append([]string{}, head...), states...), words[:len(head)+len(states)])
	assert.Equal(t, "Search", words[len(words)-2])

	tab.visit(base + "/")
	tab.press(kb.Tab + kb.Enter)
	tab.eventually(`document.activeElement.id === "main" && location.hash === "#main"`, "past the head")
	tab.press(kb.Tab)
	assert.Equal(t, "0 quarantined", value[string](tab, `document.activeElement.innerText.trim().replace(/\s+/g, " ")`))

	for _, path := range []string{"/tenants/t-4876", "/cluster?shape=" + value[string](tab, `fetch("/cluster?q=t-0097").then((r) => r.text())
		.then((text) => new URL(new DOMParser().parseFromString(text, "text/html").querySelector(".matrix tbody a").href).searchParams.get("shape"))`)} {
		tab.visit(base + path)
		label := value[string](tab, `document.querySelector("figure.picture").getAttribute("aria-label")`)
		require.Contains(t, label, "Picture of who can reach whom", path)
		walk(path, label, 80)
		assert.True(t, value[bool](tab, `document.querySelector("figure.picture svg").getAttribute("aria-labelledby").split(" ")
			.every((id) => document.getElementById(id).textContent.trim() !== "")`), "%s: a title, and words", path)
		assert.True(t, value[bool](tab, `document.getElementById("picture-words").textContent.includes("5432/TCP")`), path)
	}
	words = walk("/cluster", "Matrix of tenants and whom they reach", 140)
	assert.Contains(t, words, "Search")
	tab.quiet(base)
}

// A replica that stands by says so, in words that a reader cannot miss, and is read as any other.
func TestStandby(t *testing.T) {
	base := served(t, "STANDBY")
	twoLooks(t, func(tab *tab, width int64, theme string) {
		for name, path := range map[string]string{"overview": "/", "tenant": "/tenants/caas-acme", "drift": "/drift"} {
			tab.visit(base + path)
			where := fmt.Sprintf("standby-%s-%d-%s", name, width, theme)
			assert.True(t, value[bool](tab, `[...document.querySelectorAll("#notices .notice")].some((n) => n.checkVisibility() && n.innerText.includes("This replica stands by"))`), where)
			assert.LessOrEqual(t, value[int](tab, "document.documentElement.scrollWidth"), int(width), where)
			tab.shoot(where)
			tab.accessible(where)
		}
		tab.quiet(base)
	})
}

// The picture: what drift opened is red and thick, what it closed dashed and struck out, and the rest neither, under the page's own
// policy, which takes no style from a picture.
func TestPicture(t *testing.T) {
	base := served(t, "CHANGED")
	b := browser(t)
	for theme, red := range map[string]string{"light": "rgb(192, 39, 28)", "dark": "rgb(255, 138, 127)"} {
		tab := open(b, t, 1280, theme)
		tab.visit(base + "/tenants/caas-acme")
		looks := func(selector string) []string {
			return value[[]string](tab, fmt.Sprintf(`(() => { const s = getComputedStyle(document.querySelector(%q)); return [s.stroke, s.strokeDasharray, s.textDecorationLine] })()`, selector))
		}
		assert.Equal(t, []string{red, "none", "none"}, looks(".picture .edge.opened"), theme)
		assert.Equal(t, "7px, 5px", looks(".picture .edge.closed")[1], theme)
		assert.Equal(t, "line-through", looks(".picture .l.closed")[2], theme)
		plain := looks(".picture .edge:not(.opened):not(.closed)")
		assert.NotEqual(t, red, plain[0], theme)
		assert.Equal(t, "none", plain[1], theme)
		assert.True(t, value[bool](tab, `[...document.querySelectorAll(".picture .l")].some((l) => l.textContent === "5432/TCP")`), "%s: ports on the edges", theme)
		tab.shoot("changed-" + theme)
		tab.accessible(theme)
		tab.quiet(base)
	}
}
