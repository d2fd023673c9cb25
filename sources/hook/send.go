package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// handedOn is the body of a hook that one replica sends to another. It says nothing: what was pushed is Git's to say.
const handedOn = `{"handedOn":true}`

// Send sends a hook to another [Handler], at a URL, signed with the secret in a file as GitHub does. It follows no redirect. Sending one
// twice does no harm. The error says what the other answered, if it did not take it.
func Send(ctx context.Context, transport http.RoundTripper, url, secretFile string) error {
	secret, err := readSecret(secretFile)
	if err != nil {
		return fmt.Errorf("reading the secret of hooks: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, handedOn) // a hash never fails
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(handedOn))
	if err != nil {
		return fmt.Errorf("handing a hook on: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(signatures[0].header, signatures[0].prefix+hex.EncodeToString(mac.Sum(nil)))
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("handing a hook on: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("handing a hook on: %s answers %s", url, response.Status)
	}
	return nil
}
