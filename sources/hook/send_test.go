package hook

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What one replica hands on another takes if both have the same secret, and otherwise not.
func TestSend(t *testing.T) {
	secret := func(text string) string {
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	polls := &atomic.Int64{}
	ours := secret("s3cret\n")
	server := httptest.NewServer(New(Config{SecretFile: ours, Poll: func() { polls.Add(1) }}))
	t.Cleanup(server.Close)
	require.NoError(t, Send(t.Context(), http.DefaultTransport, server.URL, ours))
	assert.EqualValues(t, 1, polls.Load())
	require.ErrorContains(t, Send(t.Context(), http.DefaultTransport, server.URL, secret("another")), "401")
	require.ErrorContains(t, Send(t.Context(), http.DefaultTransport, server.URL, secret("")), "reading the secret of hooks")
	assert.EqualValues(t, 1, polls.Load())

	elsewhere := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusTemporaryRedirect))
	t.Cleanup(elsewhere.Close)
	require.ErrorContains(t, Send(t.Context(), http.DefaultTransport, elsewhere.URL, ours), "307")
	assert.EqualValues(t, 1, polls.Load())
	elsewhere.Close()
	require.ErrorContains(t, Send(t.Context(), http.DefaultTransport, elsewhere.URL, ours), "handing a hook on")
}
