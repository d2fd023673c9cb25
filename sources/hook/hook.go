package hook

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"

	"golang.org/x/time/rate"
)

// BodyLimit is how many bytes a hook may have: as many as GitHub sends at most.
const BodyLimit = 25 << 20

// How many hooks are taken: each second, at once, and how many bodies are read at a time.
const (
	perSecond = 10
	burst     = 30
	readers   = 16
)

// Config says how hooks are taken.
type Config struct {
	// SecretFile holds the secret; white space around it does not count. It is read for each hook, so that
	// a rotated secret is seen. Required.
	SecretFile string
	// Poll asks for a poll. It is called from several goroutines and must not wait. Required.
	Poll func()
}

// Handler takes push hooks, by POST, at whatever path it is put. It is safe for concurrent use.
type Handler struct {
	config Config
	pace   *rate.Limiter
	bodies chan struct{} // one for each body that is being read
}

// New returns a Handler.
func New(c Config) *Handler {
	return &Handler{config: c, pace: rate.NewLimiter(perSecond, burst), bodies: make(chan struct{}, readers)}
}

// ServeHTTP implements http.Handler. It answers 202 where a poll was asked for, and 200 where the hook is genuine
// and tells of something else than a push.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, "hooks come by POST")
		return
	}
	if !h.pace.Allow() {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusTooManyRequests, "there are too many hooks")
		return
	}
	secret, err := readSecret(h.config.SecretFile)
	if err != nil {
		reply(w, http.StatusServiceUnavailable, "the secret of the hooks cannot be read")
		return
	}
	code, message := h.authenticate(w, r, secret)
	if code != http.StatusOK {
		reply(w, code, message)
		return
	}
	if !isPush(r.Header) {
		reply(w, http.StatusOK, "this is no push: nothing is done")
		return
	}
	h.config.Poll()
	reply(w, http.StatusAccepted, "Git is polled")
}

var errEmptySecret = errors.New("the file is empty")

func readSecret(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return nil, errEmptySecret
	}
	return []byte(secret), nil
}

// isPush says whether the headers name a push, or nothing: then it may be one. They are in no signature, and
// decide no more than whether Git is asked.
func isPush(header http.Header) bool {
	for name, pushes := range map[string][]string{
		"X-Github-Event":  {"push"}, // Gitea sends it too
		"X-Gitlab-Event":  {"Push Hook", "Tag Push Hook", "System Hook"},
		"X-Event-Key":     {"repo:push", "repo:refs_changed"},
		"X-Gitea-Event":   {"push"},
		"X-Forgejo-Event": {"push"},
	} {
		event := header.Get(name)
		if event == "" {
			continue
		}
		known := false
		for _, push := range pushes {
			known = known || event == push
		}
		if !known {
			return false
		}
	}
	return true
}

func reply(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the sender has gone
}
