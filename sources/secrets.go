package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// secretBytes bounds the files of Auth and TLS.
const secretBytes = 1 << 20

// readSecret reads a whole file and drops one newline at its end. Its error is a predicate, such
// as `"/run/token" does not exist`.
func readSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %q: %w", name, pathless(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, secretBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot be read: %q: %w", name, pathless(err))
	case len(data) > secretBytes:
		return "", fmt.Errorf("cannot be read: %q is larger than %d bytes", name, secretBytes)
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if s == "" {
		return "", fmt.Errorf("cannot be used: %q is empty", name)
	}
	return s, nil
}

// pathless takes the path out of an error that is shown beside it.
func pathless(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// secrets is what one poll read from the files of Auth and TLS.
type secrets struct {
	username                        string
	password, token                 string
	key, passphrase                 string
	ca, certificate, certificateKey string
}

// loadSecrets reads the files. Its errors have ReasonAuth or ReasonTLS.
func loadSecrets(a Auth, t TLS) (secrets, error) {
	s := secrets{username: a.Username}
	for _, f := range []struct {
		field, name, reason string
		into                *string
	}{
		{"auth.passwordFile", a.PasswordFile, ReasonAuth, &s.password},
		{"auth.tokenFile", a.TokenFile, ReasonAuth, &s.token},
		{"auth.sshKeyFile", a.SSHKeyFile, ReasonAuth, &s.key},
		{"auth.sshKeyPassphraseFile", a.SSHKeyPassphraseFile, ReasonAuth, &s.passphrase},
		{"tls.caFile", t.CAFile, ReasonTLS, &s.ca},
		{"tls.certFile", t.CertFile, ReasonTLS, &s.certificate},
		{"tls.keyFile", t.KeyFile, ReasonTLS, &s.certificateKey},
	} {
		if f.name == "" {
			continue
		}
		text, err := readSecret(f.name)
		if err != nil {
			return s, &fault{reason: f.reason, err: fmt.Errorf("source.%s %w", f.field, err)}
		}
		*f.into = text
	}
	return s, nil
}

// scrub removes every secret from a text, however it got there: servers do echo requests.
func (s secrets) scrub(text string) string {
	for _, secret := range []string{s.password, s.token, s.passphrase, s.key, s.certificateKey} {
		for _, form := range spellings(s.username, secret) {
			if form != "" {
				text = strings.ReplaceAll(text, form, "REDACTED")
			}
		}
	}
	return text
}
