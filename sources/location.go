package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// location is a parsed Config.URL. It holds no secret.
type location struct {
	scheme string // https, http, ssh, file
	user   string // ssh only
	host   string // without brackets
	port   string // "" for the scheme's own
	path   string // as it is sent: escaped for http and https, plain otherwise
}

// short is SSH's user@host:path, as Git reads it: no slash before the first colon.
var short = regexp.MustCompile(`^(?:([^@:/\s]+)@)?([^:/@\s]+):([^:/\\].*|/.*)$`)

// locate parses a URL. Its errors never quote it, since it may hold what should not be there.
func locate(raw string) (location, error) {
	if raw == "" {
		return location{}, &FieldError{"url", "is missing", "give an https, http, ssh or file URL"}
	}
	if !strings.Contains(raw, "://") {
		return locateShort(raw)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return location{}, &FieldError{"url", "is not a URL", "for instance https://git.example.com/team/policies.git"}
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return location{}, &FieldError{"url", "has a query or a fragment", "no Git server needs them; secrets belong in auth"}
	}
	l := location{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: u.Port(), path: u.EscapedPath()}
	switch l.scheme {
	case "https", "http":
		if u.User != nil {
			return location{}, &FieldError{"url", "holds a user name or password", "use auth.username with auth.passwordFile, or auth.tokenFile"}
		}
	case "ssh":
		l.path = u.Path
		if _, secret := u.User.Password(); secret {
			return location{}, &FieldError{"url", "holds a password", "use auth.sshKeyFile or auth.passwordFile"}
		}
		l.user = u.User.Username()
	case "file":
		l.path = u.Path
		if u.User != nil || (l.host != "" && l.host != "localhost") {
			return location{}, &FieldError{"url", "names a host", "a file URL has three slashes: file:///srv/git/policies.git"}
		}
		l.host = ""
	default:
		return location{}, &FieldError{"url", "has the scheme " + strconv.Quote(printable(u.Scheme, 20)), "allowed are https, http, ssh and file"}
	}
	return l, l.check()
}

func locateShort(raw string) (location, error) {
	m := short.FindStringSubmatch(raw)
	if m == nil {
		return location{}, &FieldError{"url", "has no scheme", "allowed are https, http, ssh and file; a folder is file:///its/path"}
	}
	l := location{scheme: "ssh", user: m[1], host: strings.ToLower(m[2]), path: m[3]}
	return l, l.check()
}

func (l location) check() error {
	if l.scheme != "file" && l.host == "" {
		return &FieldError{"url", "has no host", ""}
	}
	if strings.Trim(l.path, "/") == "" {
		return &FieldError{"url", "has no path to a repository", ""}
	}
	if strings.HasPrefix(l.host, "-") || strings.HasPrefix(l.path, "-") || strings.ContainsAny(l.path, "\x00\r\n") {
		return &FieldError{"url", "has a host or path that could be taken for an option", ""}
	}
	return nil
}

// String returns the URL for people and for the name of its store.
func (l location) String() string {
	host := l.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if l.user != "" {
		host = l.user + "@" + host
	}
	if l.port != "" {
		host += ":" + l.port
	}
	path := l.path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return l.scheme + "://" + host + path
}

// address is host:port, with the scheme's own port where none was given.
func (l location) address() string {
	port := l.port
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "ssh": "22"}[l.scheme]
	}
	return net.JoinHostPort(l.host, port)
}

// folder is the name of the URL's store inside Config.Dir.
func (l location) folder() string {
	sum := sha256.Sum256([]byte(l.String() + "\x00" + l.path))
	return hex.EncodeToString(sum[:8])
}

// endpoint is the location as go-git's HTTP transport wants it.
func (l location) endpoint() *transport.Endpoint {
	host := l.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port, _ := strconv.Atoi(l.port) // url.Parse has checked that it is a number
	return &transport.Endpoint{Protocol: l.scheme, Host: host, Port: port, Path: l.path}
}
