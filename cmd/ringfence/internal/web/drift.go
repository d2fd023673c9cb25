package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/ringfence/ringfence/drift"
)

// driftView is the view of all differences.
type driftView struct {
	Query, Effect, Found string
	Filtered             bool
	Effects              []string
	Differences          []difference
	Paging               paging
}

func (h *Handler) driftPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v := driftView{Query: query.Get("q"), Effect: query.Get("effect")}
	v.Filtered = v.Query != "" || v.Effect != ""
	for _, e := range drift.Effects() {
		v.Effects = append(v.Effects, string(e))
	}
	matching := slices.DeleteFunc(h.differences("", true), func(d difference) bool {
		return v.Effect != "" && string(d.Effect) != v.Effect || !d.matches(v.Query)
	})
	standing := 0
	for _, d := range matching {
		if d.Stands() {
			standing++
		}
	}
	v.Found = fmt.Sprintf("%s, of which %d %s", counted(len(matching), "difference"), standing, stand(standing))
	v.Differences, v.Paging = paged(matching, "/drift", query)
	h.show(w, http.StatusOK, "drift", frame{View: "drift", Title: "Drift", Content: v})
}

func stand(n int) string {
	if n == 1 {
		return "stands"
	}
	return "stand"
}
