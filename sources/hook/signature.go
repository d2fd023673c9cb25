package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Headers that hold the hexadecimal HMAC-SHA256 of the body, and what stands before it. GitHub's documentation is
// "Validating webhook deliveries", Bitbucket's "Manage webhooks" (Secure webhooks), Gitea's "Webhooks".
var signatures = []struct{ header, prefix string }{
	{"X-Hub-Signature-256", "sha256="}, // GitHub; Gitea and Forgejo send it too
	{"X-Hub-Signature", "sha256="},     // Bitbucket; GitHub sends SHA-1 in it, which does not count
	{"X-Gitea-Signature", ""},
	{"X-Forgejo-Signature", ""},
}

// tokenHeader is where GitLab sends the secret itself ("Validate payloads by using a secret token").
const tokenHeader = "X-Gitlab-Token" //nolint:gosec // a name, no token

// authenticate returns 200 if the sender knows the secret, and otherwise the code and the message of the answer.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request, secret []byte) (code int, message string) {
	if token := r.Header.Get(tokenHeader); token != "" {
		if equal([]byte(token), secret) {
			return http.StatusOK, ""
		}
		return stranger()
	}
	claims := claimed(r.Header)
	if len(claims) == 0 {
		return http.StatusUnauthorized, "the hook is not signed (hint: give the forge the secret; SHA-1 does not count)"
	}
	select {
	case h.bodies <- struct{}{}:
		defer func() { <-h.bodies }()
	default:
		w.Header().Set("Retry-After", "1")
		return http.StatusServiceUnavailable, "there are too many hooks at a time"
	}
	mac := hmac.New(sha256.New, secret)
	if _, err := io.Copy(mac, http.MaxBytesReader(w, r.Body, BodyLimit)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return http.StatusRequestEntityTooLarge, "the hook is too large"
		}
		return http.StatusBadRequest, "the hook ended early"
	}
	want, genuine := mac.Sum(nil), false
	for _, claim := range claims {
		genuine = hmac.Equal(claim, want) || genuine
	}
	if !genuine {
		return stranger()
	}
	return http.StatusOK, ""
}

func stranger() (code int, message string) {
	return http.StatusUnauthorized, "the hook is not signed with the secret"
}

// claimed returns what the headers say that the signature is.
func claimed(header http.Header) (out [][]byte) {
	for _, s := range signatures {
		text, ok := strings.CutPrefix(header.Get(s.header), s.prefix)
		if !ok {
			continue
		}
		if mac, err := hex.DecodeString(text); err == nil && len(mac) == sha256.Size {
			out = append(out, mac)
		}
	}
	return out
}

// equal compares in a time that tells neither where the two differ nor how long the secret is.
func equal(got, secret []byte) bool {
	a, b := sha256.Sum256(got), sha256.Sum256(secret)
	return hmac.Equal(a[:], b[:])
}
