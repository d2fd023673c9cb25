package web

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pages embed.FS

// page serves the overview. It needs no script and loads nothing.
func (h *Handler) page(w http.ResponseWriter, _ *http.Request) {
	t, err := template.New("page.html").Funcs(template.FuncMap{"short": func(s string) string { return s[:min(12, len(s))] }}).ParseFS(pages, "page.html")
	if err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = t.Execute(w, map[string]any{ // the client has gone
		"Status": h.status(), "Tenants": h.tenants(), "Drift": h.drift(), "Unfenced": h.config.Engine.Unfenced(), "Build": h.config.Build,
	})
}
