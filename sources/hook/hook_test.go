package hook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

const (
	secret = "It's a Secret to Everybody"
	body   = `{"ref":"refs/heads/main"}`
)

// served is a Handler on a real server, and how many polls it asked for.
type served struct {
	url     string
	handler *Handler
	file    string
	polls   chan struct{}
}

func serve(t *testing.T) served {
	t.Helper()
	s := served{file: filepath.Join(t.TempDir(), "secret"), polls: make(chan struct{}, 100)}
	require.NoError(t, os.WriteFile(s.file, []byte(secret+"\n"), 0o600))
	s.handler = New(Config{SecretFile: s.file, Poll: func() { s.polls <- struct{}{} }})
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// post sends a hook and returns the code of the answer, and how many polls it asked for.
func (s served) post(t *testing.T, body io.Reader, headers map[string]string) (code, polls int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, body)
	require.NoError(t, err)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	for polls = len(s.polls); len(s.polls) > 0; <-s.polls {
	}
	return response.StatusCode, polls
}

func sign(h func() hash.Hash, key, text string) string {
	mac := hmac.New(h, []byte(key))
	_, _ = mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestForges(t *testing.T) {
	s := serve(t)
	good := sign(sha256.New, secret, body)
	bad := sign(sha256.New, secret+"x", body)
	for _, tt := range []struct {
		name        string
		headers     map[string]string
		code, polls int
	}{
		{"GitHub", map[string]string{
			"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + good, "X-Hub-Signature": "sha1=" + sign(sha1.New, secret, body),
		}, 202, 1},
		{"GitHub's ping", map[string]string{"X-GitHub-Event": "ping", "X-Hub-Signature-256": "sha256=" + good}, 200, 0},
		{"GitHub, other secret", map[string]string{"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + bad}, 401, 0},
		{"GitHub, other secret, ping", map[string]string{"X-GitHub-Event": "ping", "X-Hub-Signature-256": "sha256=" + bad}, 401, 0},
		{"GitHub, SHA-1 alone", map[string]string{"X-GitHub-Event": "push", "X-Hub-Signature": "sha1=" + sign(sha1.New, secret, body)}, 401, 0},
		{"no prefix", map[string]string{"X-Hub-Signature-256": good}, 401, 0},
		{"cut short", map[string]string{"X-Hub-Signature-256": "sha256=" + good[:32]}, 401, 0},
		{"empty signature", map[string]string{"X-Hub-Signature-256": "sha256="}, 401, 0},
		{"no hexadecimal", map[string]string{"X-Hub-Signature-256": "sha256=" + strings.Repeat("zz", 32)}, 401, 0},
		{"Gitea", map[string]string{"X-Gitea-Event": "push", "X-GitHub-Event": "push", "X-Gitea-Signature": good}, 202, 1},
		{"Gitea, an issue", map[string]string{"X-Gitea-Event": "issues", "X-Gitea-Signature": good}, 200, 0},
		{"Gitea, other secret", map[string]string{"X-Gitea-Event": "push", "X-Gitea-Signature": bad}, 401, 0},
		{"Forgejo", map[string]string{"X-Forgejo-Event": "push", "X-Forgejo-Signature": good}, 202, 1},
		{"Bitbucket Cloud", map[string]string{"X-Event-Key": "repo:push", "X-Hub-Signature": "sha256=" + good}, 202, 1},
		{"Bitbucket Data Center", map[string]string{"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": "sha256=" + good}, 202, 1},
		{"Bitbucket's test", map[string]string{"X-Event-Key": "diagnostics:ping", "X-Hub-Signature": "sha256=" + good}, 200, 0},
		{"Bitbucket, other secret", map[string]string{"X-Event-Key": "repo:push", "X-Hub-Signature": "sha256=" + bad}, 401, 0},
		{"GitLab", map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret}, 202, 1},
		{"GitLab, a tag", map[string]string{"X-Gitlab-Event": "Tag Push Hook", "X-Gitlab-Token": secret}, 202, 1},
		{"GitLab, a note", map[string]string{"X-Gitlab-Event": "Note Hook", "X-Gitlab-Token": secret}, 200, 0},
		{"GitLab, other token", map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret + "x"}, 401, 0},
		{"GitLab, the beginning of the token", map[string]string{"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret[:4]}, 401, 0},
		{"a token that is wrong is not helped by a signature", map[string]string{"X-Gitlab-Token": "x", "X-Hub-Signature-256": "sha256=" + good}, 401, 0},
		{"nothing", nil, 401, 0},
		{"an event alone", map[string]string{"X-GitHub-Event": "push"}, 401, 0},
		{"signed, and no event", map[string]string{"X-Hub-Signature-256": "sha256=" + good}, 202, 1},
	} {
		s.handler.pace = rate.NewLimiter(rate.Inf, 0)
		code, polls := s.post(t, strings.NewReader(body), tt.headers)
		assert.Equal(t, tt.code, code, tt.name)
		assert.Equal(t, tt.polls, polls, tt.name)
	}
	code, polls := s.post(t, strings.NewReader(body+" "), map[string]string{"X-Hub-Signature-256": "sha256=" + good})
	assert.Equal(t, 401, code, "another body")
	assert.Zero(t, polls)
	code, _ = s.post(t, strings.NewReader("}{ not JSON \x00"), map[string]string{"X-Hub-Signature-256": "sha256=" + sign(sha256.New, secret, "}{ not JSON \x00")})
	assert.Equal(t, 202, code, "a body is hashed, and never parsed")
}

func TestOnlyPost(t *testing.T) {
	s := serve(t)
	response, err := http.Get(s.url)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	assert.Equal(t, http.MethodPost, response.Header.Get("Allow"))
}

// A secret is read when it is needed; without one nobody gets in.
func TestSecretFile(t *testing.T) {
	s := serve(t)
	token := func(text string) map[string]string { return map[string]string{"X-Gitlab-Token": text} }
	code, _ := s.post(t, http.NoBody, token(secret))
	assert.Equal(t, 202, code)
	require.NoError(t, os.WriteFile(s.file, []byte("rotated"), 0o600))
	code, _ = s.post(t, http.NoBody, token(secret))
	assert.Equal(t, 401, code)
	code, _ = s.post(t, http.NoBody, token("rotated"))
	assert.Equal(t, 202, code)
	require.NoError(t, os.WriteFile(s.file, []byte(" \n"), 0o600))
	code, polls := s.post(t, http.NoBody, map[string]string{"X-Hub-Signature-256": "sha256=" + sign(sha256.New, "", "")})
	assert.Equal(t, 503, code, "an empty secret is none")
	assert.Zero(t, polls)
	require.NoError(t, os.Remove(s.file))
	code, _ = s.post(t, http.NoBody, token("rotated"))
	assert.Equal(t, 503, code)
}

// zeros is a body of so many bytes that takes no memory.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBodyLimit(t *testing.T) {
	s := serve(t)
	mac := hmac.New(sha256.New, []byte(secret))
	_, err := io.Copy(mac, zeros(BodyLimit))
	require.NoError(t, err)
	code, polls := s.post(t, zeros(BodyLimit), map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))})
	assert.Equal(t, 202, code, "as large as it may be")
	assert.Equal(t, 1, polls)

	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", zeros(BodyLimit+1))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(make([]byte, sha256.Size)))
	s.handler.ServeHTTP(w, r)
	assert.Equal(t, 413, w.Code)
	assert.Empty(t, s.polls)
}

func TestPace(t *testing.T) {
	s := serve(t)
	s.handler.pace = rate.NewLimiter(0, 2)
	for _, want := range []int{401, 202, 429, 429} {
		headers := map[string]string{}
		if want != 401 {
			headers["X-Gitlab-Token"] = secret
		}
		code, _ := s.post(t, http.NoBody, headers)
		assert.Equal(t, want, code, "who knows the secret and who does not are counted together")
	}
}

// Who sends slowly holds one of few places, and none that a token needs.
func TestSlowBodies(t *testing.T) {
	s := serve(t)
	s.handler.pace = rate.NewLimiter(rate.Inf, 0)
	address := strings.TrimPrefix(s.url, "http://")
	for range readers {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-Hub-Signature-256: sha256="+strings.Repeat("00", 32)+"\r\n\r\nx")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(s.handler.bodies) == readers }, time.Minute, time.Millisecond)
	code, _ := s.post(t, bytes.NewReader([]byte(body)), map[string]string{"X-Hub-Signature-256": "sha256=" + sign(sha256.New, secret, body)})
	assert.Equal(t, 503, code)
	code, _ = s.post(t, http.NoBody, map[string]string{"X-Gitlab-Token": secret})
	assert.Equal(t, 202, code)
}
