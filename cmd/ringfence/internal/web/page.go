package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

//go:embed templates
var templates embed.FS

// pages are the views; they are part of the program, so that a fault in one is found by every test.
type pages map[string]*template.Template

func parsePages(a assets) pages {
	out := pages{}
	for _, name := range []string{"overview", "drift", "tenant", "cluster", "reach", "missing"} {
		out[name] = template.Must(template.New(name).Funcs(functions(a)).ParseFS(templates, "templates/frame.html", "templates/"+name+".html"))
	}
	return out
}

// policy lets a page load its own style, script and icon, send its forms to where it came from, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// frame is what every view has around it.
type frame struct {
	View, Title string
	Status      api.Status
	Build       Build
	Events      string
	Content     any
}

// show answers with a view.
func (h *Handler) show(w http.ResponseWriter, code int, name string, f frame) {
	f.Status, f.Build, f.Events = h.status(), h.config.Build, eventsPath
	var out bytes.Buffer
	if err := h.pages[name].ExecuteTemplate(&out, "frame", f); err != nil {
		http.Error(w, "showing the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // the client has gone
}

// absent says that there is nothing of that name.
func (h *Handler) absent(w http.ResponseWriter, title, text string) {
	h.show(w, http.StatusNotFound, "missing", frame{Title: title, Content: struct{ Title, Text string }{title, text}})
}

func functions(a assets) template.FuncMap {
	return template.FuncMap{
		"asset": a.path, "short": short, "tone": tone, "tenantPath": tenantPath, "took": took, "counted": counted, "are": are,
		"ago":   func(t any) string { return ago(time.Since(timeOf(t))) },
		"iso":   func(t any) string { return timeOf(t).UTC().Format(time.RFC3339) },
		"clock": func(t any) string { return timeOf(t).UTC().Format("2006-01-02 15:04:05Z") },
	}
}

// timeOf takes times as answers have them, which may be pointers.
func timeOf(t any) time.Time {
	if p, ok := t.(*time.Time); ok {
		return *p
	}
	at, _ := t.(time.Time)
	return at
}

func short(commit string) string { return commit[:min(12, len(commit))] }

// tone is how a state looks: good alone is green.
func tone(s sync.State) string {
	switch s {
	case sync.Synced:
		return "good"
	case sync.Pending, sync.Suspended:
		return "warn"
	case sync.Unknown:
		return "unknown"
	}
	return "bad"
}

// tenantPath is the path of a tenant's page; the cluster overlay has one too.
func tenantPath(name string) string {
	if name == "" {
		name = clusterOverlay
	}
	return "/tenants/" + url.PathEscape(name)
}
