package browser

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A daemon that asks who reads is read through a proxy that adds the token: the page, its live changes too, which come back
// when the daemon does. Without one a browser learns nothing.
func TestDemoGuarded(t *testing.T) {
	bare, proxy, control := served(t, "BARE"), served(t, "PROXY"), served(t, "PROXY_CONTROL")
	turn := func(way string) {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, control+way, http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		require.NoError(t, response.Body.Close())
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, proxy, http.NoBody)
	require.NoError(t, err)
	request.Host = "evil.example.com"
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMisdirectedRequest, response.StatusCode, "a page of the web whose name points here gets nothing, by the proxy either")

	b := browser(t)
	stranger := open(b, t, 1280, "light")
	stranger.do(chromedp.Navigate(bare + "/"))
	said := value[string](stranger, `document.documentElement.innerText`)
	assert.Contains(t, said, "a bearer token of the cluster is needed (hint: a browser sends none: open the page through a proxy")
	assert.NotContains(t, said, "caas")

	tab := open(b, t, 1280, "dark")
	tab.visit(proxy + "/")
	tab.eventually(`document.getElementById("live").innerText.trim() === "live"`, "it listens")
	tab.eventually(`!document.body.innerText.includes("allow-all")`, "nothing is open yet")
	value[bool](tab, "window.same = true")
	kubectl(t, allowAll, "apply", "-f", "-")
	tab.eventually(`document.getElementById("standing").innerText.includes("allow-all")`, "a change comes")

	turn("/away")
	tab.eventually(`document.getElementById("live").innerText.includes("no connection")`, "the daemon is away")
	kubectl(t, "", "delete", "networkpolicy", "allow-all", "-n", "caas-acme")
	turn("/back")
	tab.eventually(`document.getElementById("live").innerText.trim() === "live" && !document.body.innerText.includes("allow-all")`, "what happened meanwhile is seen")
	require.True(t, value[bool](tab, "window.same === true"), "it was never loaded anew")
}
