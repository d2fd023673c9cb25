package web

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pages embed.FS

// overview is the page; it is part of the program, so that a fault in it is found by every test.
var overview = template.Must(template.New("page.html").
	Funcs(template.FuncMap{"short": func(s string) string { return s[:min(12, len(s))] }}).
	ParseFS(pages, "page.html"))

// page serves the overview. It needs no script and loads nothing.
func (h *Handler) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = overview.Execute(w, map[string]any{ // the client has gone
		"Status": h.status(), "Tenants": h.tenants(), "Drift": h.drift(), "Unfenced": h.config.Engine.Unfenced(), "Build": h.config.Build,
	})
}
