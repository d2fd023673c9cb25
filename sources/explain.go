package sources

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// textRunes bounds what an error quotes of others.
const textRunes = 400

// plain is the text of an error without what was beneath it, save for one sentinel.
type plain struct {
	text  string
	match error
}

func (p *plain) Error() string { return p.text }
func (p *plain) Unwrap() error { return p.match }

// explain turns whatever went wrong into an Error for people. What the transport and the remote
// said is quoted on one line, without secrets and control characters, and bounded.
func (r *Repository) explain(op string, s secrets, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	f := classify(err, r.config)
	e := &Error{Op: op, URL: r.at.String(), Reason: f.reason, Hint: f.hint, Revision: f.revision}
	text := &plain{text: printable(s.scrub(f.err.Error()), textRunes)}
	for _, match := range []error{ErrLocked, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(f.err, match) {
			text.match = match
		}
	}
	e.Err = text
	return e
}

// classify finds the reason of an error, and what to do about it.
func classify(err error, c Config) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		out := *f
		if err.Error() != f.Error() {
			out.err = err // somebody has added where it happened
		}
		return &out
	}
	if d, ok := errors.AsType[*damage](err); ok {
		return &fault{reason: ReasonCorrupt, err: d, hint: "the store was thrown away; if this stays, the remote itself is damaged: git fsck"}
	}
	for _, look := range []func(error, Config) *fault{ofGit, ofSSH, ofTLS, ofHTTP, ofNetwork} {
		if f := look(err, c); f != nil {
			return f
		}
	}
	return &fault{reason: ReasonProtocol, err: fmt.Errorf("the answer makes no sense: %w", err), hint: "is the URL that of a Git repository?"}
}

func ofGit(err error, c Config) *fault {
	line, _ := errors.AsType[*pktline.ErrorLine](err)
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return &fault{reason: ReasonEmpty, err: ErrEmpty, hint: "it is read as soon as a first commit was pushed"}
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return &fault{reason: ReasonAuth, err: errors.New("the server wants other credentials (HTTP 401)"), hint: credentialsHint(c.Auth)}
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return &fault{reason: ReasonAuth, err: errors.New("the server forbids it (HTTP 403)"), hint: "the credentials need permission to read; " + credentialsHint(c.Auth)}
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return &fault{reason: ReasonNotFound, err: errors.New("the server has no such repository (HTTP 404)"), hint: "check source.url; many servers answer so where credentials may not read it"}
	case line != nil:
		return &fault{reason: ReasonProtocol, err: &remoteLine{line.Text}}
	}
	return nil
}

func credentialsHint(a Auth) string {
	switch {
	case a.TokenFile != "":
		return "check source.auth.tokenFile"
	case a.PasswordFile != "":
		return "check source.auth.username and passwordFile"
	}
	return "set source.auth.tokenFile, or username and passwordFile"
}

func ofSSH(err error, c Config) *fault {
	if h, ok := errors.AsType[*hostKeyError](err); ok {
		known := c.Auth.KnownHostsFile
		if known == "" {
			known = "~/.ssh/known_hosts"
		}
		if h.changed {
			return &fault{reason: ReasonHostKey, err: h, hint: "ask whoever runs the server; only if they have changed it, replace its line in " + known}
		}
		return &fault{reason: ReasonHostKey, err: h, hint: "compare the fingerprint with the server's, then add its line from ssh-keyscan to " + known}
	}
	text := err.Error()
	switch line, said := errors.AsType[*remoteLine](err); {
	case said && missing(line.line):
		return &fault{reason: ReasonNotFound, err: line, hint: "check source.url; many servers answer so where the key may not read it"}
	case said && strings.Contains(line.line, "dubious ownership"):
		return &fault{reason: ReasonAuth, err: line, hint: "the folder belongs to another user; git config --global safe.directory allows it"}
	case said && strings.Contains(strings.ToLower(line.line), "denied"):
		return &fault{reason: ReasonAuth, err: line, hint: "the key or password needs permission to read"}
	case said:
		return &fault{reason: ReasonProtocol, err: line}
	case strings.Contains(text, "ssh: unable to authenticate"):
		return &fault{reason: ReasonAuth, err: errors.New("the server did not accept the key or password"), hint: "check source.auth.sshKeyFile and the user name"}
	case strings.Contains(text, "no common algorithm for host key"):
		return &fault{reason: ReasonHostKey, err: err, hint: "known_hosts lists keys of other types than the server has"}
	case strings.Contains(text, "ssh: "):
		return &fault{reason: ReasonUnreachable, err: err}
	}
	return nil
}

// missing recognises how Git and the servers around it say that there is no such repository.
func missing(line string) bool {
	for _, s := range []string{"does not appear to be a git repository", "epository not found", "does not exist", "could not be found", "no such repository", "not a git repository"} {
		if strings.Contains(line, s) {
			return true
		}
	}
	return false
}

func ofTLS(err error, c Config) *fault {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, header := errors.AsType[tls.RecordHeaderError](err)
	err = inner(err)
	switch {
	case authority && c.TLS.CAFile == "":
		return &fault{reason: ReasonTLS, err: err, hint: "set source.tls.caFile if the server's authority is your own"}
	case authority || verification:
		return &fault{reason: ReasonTLS, err: err, hint: "check the server's certificate and source.tls.caFile"}
	case header, strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return &fault{reason: ReasonTLS, err: err, hint: "the server does not speak TLS on this port"}
	case alert, strings.Contains(err.Error(), "remote error: tls:"):
		return &fault{reason: ReasonTLS, err: err, hint: "the server may want a client certificate: source.tls.certFile and keyFile"}
	}
	return nil
}

func ofHTTP(err error, _ Config) *fault {
	if to, ok := errors.AsType[*redirected](err); ok {
		return &fault{reason: ReasonRedirect, err: to, hint: "set source.url to where the repository is now; credentials are never sent elsewhere"}
	}
	if strings.Contains(err.Error(), "http redirect: ") {
		return &fault{reason: ReasonRedirect, err: inner(err), hint: "set source.url to where the repository is now"}
	}
	status, ok := statusOf(err)
	if !ok {
		return nil
	}
	f := &fault{reason: ReasonProtocol, err: fmt.Errorf("the server answers %d %s", status, http.StatusText(status))}
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		f.reason = ReasonUnreachable
	}
	if status == http.StatusProxyAuthRequired {
		f.reason = ReasonAuth
	}
	return f
}

func statusOf(err error) (int, bool) {
	e, ok := errors.AsType[*githttp.Err](err)
	if !ok || e.Response == nil {
		return 0, false
	}
	return e.StatusCode(), true
}

func ofNetwork(err error, c Config) *fault {
	hint := ""
	if c.Proxy != "" {
		hint = "source.proxy is set"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return &fault{reason: ReasonUnreachable, err: fmt.Errorf("the name %q cannot be resolved: %s", dns.Name, dns.Err), hint: hint}
	}
	_, op := errors.AsType[*net.OpError](err)
	_, web := errors.AsType[*url.Error](err)
	if op || web || errors.Is(err, net.ErrClosed) || broken(err.Error()) {
		return &fault{reason: ReasonUnreachable, err: inner(err), hint: hint}
	}
	return nil
}

// broken recognises a connection that ended early in texts where the error itself was lost.
func broken(text string) bool {
	for _, s := range []string{"unexpected EOF", "connection reset", "broken pipe", "connection refused", "use of closed network connection"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return strings.HasSuffix(text, "EOF")
}

// inner takes off the wrappings that repeat the URL, or name our own end of a connection, which is
// another one each time: a text that changes would be logged again and again.
func inner(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return fmt.Errorf("%s %s: %w", op.Op, op.Addr, op.Err)
	}
	return err
}
