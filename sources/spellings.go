package sources

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// spellings returns the forms in which a secret may turn up in a message: plain, escaped for a
// URL, quoted, and as the value of a basic authentication header.
func spellings(username, secret string) []string {
	if secret == "" {
		return nil
	}
	if username == "" {
		username = defaultUser
	}
	quoted := strconv.Quote(secret)
	return []string{
		base64.StdEncoding.EncodeToString([]byte(username + ":" + secret)),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		secret,
		strings.TrimSpace(secret),
		quoted[1 : len(quoted)-1],
		url.QueryEscape(secret),
		url.PathEscape(secret),
	}
}
