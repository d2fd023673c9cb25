package browser

import (
	"cmp"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// mostElements bounds a view, however many tenants there are: a browser stays quick with that.
const mostElements = 6000

// painted is when the page was first painted with content, in milliseconds after the navigation began.
const painted = `new Promise((done) => new PerformanceObserver((list) => {
	for (const e of list.getEntries()) if (e.name === "first-contentful-paint") done(e.startTime)
}).observe({type: "paint", buffered: true}))`

// typed writes into the box of a search and is the time, in milliseconds, until what was found is painted.
const typed = `new Promise((done) => {
	const box = document.getElementById("q"), began = performance.now(), what = %q, from = %q;
	box.focus(); box.value = what; box.dispatchEvent(new Event("input", {bubbles: true}));
	const look = () => document.querySelector(from).innerText.trim() === %q
		? requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))) : requestAnimationFrame(look);
	look();
})`

// Five thousand tenants: every view stays small and fits. How long paint and search take is measured, and not judged: it
// depends on the machine.
func TestCrowd(t *testing.T) {
	base := served(t, "CROWD")
	twoLooks(t, func(tab *tab, width int64, theme string) {
		for _, view := range []struct{ name, path, search, from, found string }{
			{"overview", "/", "t-4321", "#tenants .count", "1 tenant matches"},
			{"cluster", "/cluster", "t-4321", "#matrix .count", "1 shape"},
			{"shape", "/cluster?q=t-4321", "", "", ""},
			{"tenant", "/tenants/t-4321", "", "", ""},
			{"opened", "/tenants/t-4876", "", "", ""},
			{"question", "/reach?from=t-0001/web&to=t-4321/db&port=5432", "", "", ""},
			{"drift", "/drift", "t-4876", "#differences .count", "1 difference, of which 1 stands"},
		} {
			tab.visit(base + view.path)
			where := fmt.Sprintf("crowd-%s-%d-%s", view.name, width, theme)
			first := value[float64](tab, painted)
			elements := value[int](tab, `document.querySelectorAll("*").length`)
			assert.LessOrEqual(t, elements, mostElements, where)
			assert.LessOrEqual(t, value[int](tab, "document.documentElement.scrollWidth"), int(width), where)
			tab.shoot(where)
			tab.accessible(where)
			searched := "-"
			if view.search != "" {
				searched = fmt.Sprintf("%.0f ms", value[float64](tab, fmt.Sprintf(typed, view.search, view.from, view.found)))
				tab.shoot(where + "-found")
			}
			t.Logf("%-26s first paint %4.0f ms, %5d elements, %7d bytes, search to paint %s", cmp.Or(view.name, "-")+fmt.Sprintf(" %d %s", width, theme),
				first, elements, value[int](tab, `performance.getEntriesByType("navigation")[0].decodedBodySize`), searched)
		}
		tab.quiet(base)
	})
}
