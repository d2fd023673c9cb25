package web

import "net/http"

// guarded puts the guard before everything but health: what is added to mux later on is behind it too.
func (h *Handler) guarded() http.Handler {
	if h.config.Guard == nil {
		return h.mux
	}
	open := http.NewServeMux()
	h.health(open)
	open.Handle("/", h.config.Guard(h.mux))
	return open
}
