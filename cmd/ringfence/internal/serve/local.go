package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Local refuses (421) what reaches a loopback address of this machine under a name that is not one of loopback: localhost, an
// address such as 127.0.0.1, or one of names. What reaches another address may use any name, since that is what Services,
// Ingresses and probes do.
func Local(next http.Handler, names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reached(r) && !isLocal(r.Host, names) {
			http.Error(w, "this address answers to localhost alone (hint: let the proxy send Host: localhost, or listen on another address)", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// reached says whether the request came in at a loopback address.
func reached(r *http.Request) bool {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}

// isLocal says whether a Host header means loopback. Without one, as in HTTP/1.0, no browser has sent the request.
func isLocal(host string, names []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "" || host == "localhost" || slices.Contains(names, host)
}
