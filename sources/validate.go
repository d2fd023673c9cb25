package sources

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
)

// FieldError is one thing that is wrong with a Config. New returns all of them at once, joined
// with errors.Join.
type FieldError struct {
	// Field is the key as it is written in the daemon's configuration under source, such as
	// "auth.passwordFile".
	Field string
	// Problem says what is wrong with it, a predicate such as "is missing".
	Problem string
	// Hint says what is allowed; it may be empty.
	Hint string
}

// Error returns the field, the problem and the hint, on one line.
func (e *FieldError) Error() string {
	s := "source." + e.Field + " " + e.Problem
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// validate checks everything about c that can be known without the network.
func validate(c Config) (location, *semver.Constraints, error) {
	at, err := locate(c.URL)
	errs := []error{err}
	constraint, err := validateRef(c.Ref)
	errs = append(errs, err)
	if c.Dir == "" {
		errs = append(errs, &FieldError{"dir", "is missing", "a folder that the store may be kept in"})
	}
	if _, err := treePath(c.Path); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, validateProxy(c.Proxy, at.scheme))
	if at.scheme != "" {
		errs = append(errs, validateAuth(c.Auth, at.scheme)...)
		errs = append(errs, validateTLS(c.TLS, at.scheme)...)
	}
	errs = append(errs, validateFiles(c)...)
	return at, constraint, errors.Join(errs...)
}

var fullHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

func validateRef(r Ref) (*semver.Constraints, error) {
	set := 0
	for _, s := range []string{r.Branch, r.Tag, r.Semver, r.Commit} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return nil, &FieldError{"ref", fmt.Sprintf("names %d things to follow", set), "exactly one of branch, tag, semver and commit"}
	}
	switch {
	case r.Branch != "":
		return nil, validateName("ref.branch", r.Branch, plumbing.NewBranchReferenceName(r.Branch))
	case r.Tag != "":
		return nil, validateName("ref.tag", r.Tag, plumbing.NewTagReferenceName(r.Tag))
	case r.Commit != "" && !fullHash.MatchString(r.Commit):
		return nil, &FieldError{"ref.commit", "is not a full hash", "40 lower-case hexadecimal digits, as git rev-parse prints them"}
	case r.Semver != "":
		c, err := semver.NewConstraint(r.Semver)
		if err != nil {
			return nil, &FieldError{"ref.semver", "is not a constraint: " + err.Error(), "for instance ~1.4 or >=2.0.0"}
		}
		return c, nil
	}
	return nil, nil
}

func validateName(field, name string, ref plumbing.ReferenceName) error {
	if strings.HasPrefix(name, "refs/") {
		return &FieldError{field, "is a full ref name", "give the short name, such as main"}
	}
	if err := ref.Validate(); err != nil {
		return &FieldError{field, fmt.Sprintf("%q is not a name that Git allows", name), ""}
	}
	return nil
}

// treePath cleans Config.Path into a path that io/fs accepts.
func treePath(p string) (string, error) {
	if strings.HasPrefix(p, "/") || strings.Contains(p, "\\") {
		return "", &FieldError{"path", "is not a path inside the repository", "relative, with slashes"}
	}
	clean := path.Clean("./" + p)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", &FieldError{"path", "leads out of the repository", ""}
	}
	return clean, nil
}

func validateProxy(proxy, scheme string) error {
	if proxy == "" {
		return nil
	}
	u, err := url.Parse(proxy)
	switch {
	case scheme == "ssh" || scheme == "file":
		return &FieldError{"proxy", "is set although the url is of scheme " + scheme, "proxies are for https and http"}
	case err != nil || u.Host == "":
		return &FieldError{"proxy", "is not a URL", "for instance http://proxy.example.com:3128"}
	case u.User != nil:
		return &FieldError{"proxy", "holds credentials", "give the daemon HTTPS_PROXY in its environment instead, from a secret"}
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return &FieldError{"proxy", "has another scheme", "allowed are http, https and socks5"}
	}
	return nil
}

func validateAuth(a Auth, scheme string) []error {
	var errs []error
	add := func(bad bool, field, problem, hint string) {
		if bad {
			errs = append(errs, &FieldError{"auth." + field, problem, hint})
		}
	}
	web, ssh := scheme == "https" || scheme == "http", scheme == "ssh"
	wrong := "is set although the url is of scheme " + scheme
	add(a.PasswordFile != "" && !web && !ssh, "passwordFile", wrong, "")
	add(a.TokenFile != "" && !web, "tokenFile", wrong, "tokens are for https and http")
	add(a.SSHKeyFile != "" && !ssh, "sshKeyFile", wrong, "keys are for ssh")
	add(a.KnownHostsFile != "" && !ssh, "knownHostsFile", wrong, "host keys are for ssh")
	add(a.Username != "" && scheme == "file", "username", wrong, "")
	add(a.PasswordFile != "" && a.TokenFile != "", "tokenFile", "is set beside passwordFile", "one of them")
	add(a.PasswordFile != "" && a.SSHKeyFile != "", "sshKeyFile", "is set beside passwordFile", "one of them")
	add(a.SSHKeyPassphraseFile != "" && a.SSHKeyFile == "", "sshKeyPassphraseFile", "is set without sshKeyFile", "")
	add(web && a.PasswordFile != "" && a.Username == "", "username", "is missing", "passwordFile needs it")
	add(web && a.Username != "" && a.PasswordFile == "" && a.TokenFile == "", "username", "is set without passwordFile or tokenFile", "")
	add(ssh && a.SSHKeyFile == "" && a.PasswordFile == "", "sshKeyFile", "is missing", "ssh needs a key, or auth.passwordFile")
	if ssh && a.KnownHostsFile == "" && len(defaultKnownHosts()) == 0 {
		add(true, "knownHostsFile", "is missing", "neither ~/.ssh/known_hosts nor /etc/ssh/ssh_known_hosts exists; ssh-keyscan makes one")
	}
	return errs
}

func validateTLS(t TLS, scheme string) []error {
	var errs []error
	if t != (TLS{}) && scheme != "https" {
		errs = append(errs, &FieldError{"tls", "is set although the url is of scheme " + scheme, "it is for https"})
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		errs = append(errs, &FieldError{"tls", "has one of certFile and keyFile", "both or neither"})
	}
	return errs
}

// validateFiles checks that every file that is named can be read.
func validateFiles(c Config) []error {
	var errs []error
	for _, f := range []struct{ field, name string }{
		{"auth.passwordFile", c.Auth.PasswordFile},
		{"auth.tokenFile", c.Auth.TokenFile},
		{"auth.sshKeyFile", c.Auth.SSHKeyFile},
		{"auth.sshKeyPassphraseFile", c.Auth.SSHKeyPassphraseFile},
		{"auth.knownHostsFile", c.Auth.KnownHostsFile},
		{"tls.caFile", c.TLS.CAFile},
		{"tls.certFile", c.TLS.CertFile},
		{"tls.keyFile", c.TLS.KeyFile},
	} {
		if f.name == "" {
			continue
		}
		if _, err := readSecret(f.name); err != nil {
			errs = append(errs, &FieldError{f.field, err.Error(), ""})
		}
	}
	return errs
}

// defaultKnownHosts returns those of the usual files that exist.
func defaultKnownHosts() []string {
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append([]string{filepath.Join(home, ".ssh", "known_hosts")}, files...)
	}
	var found []string
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			found = append(found, f)
		}
	}
	return found
}
