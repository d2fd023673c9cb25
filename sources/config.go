package sources

import (
	"log/slog"
	"time"
)

// The limits that hold where a field of Limits is zero.
const (
	DefaultTreeBytes int64         = 64 << 20
	DefaultFiles     int           = 20_000
	DefaultFileBytes int64         = 1 << 20
	DefaultPackBytes int64         = 1 << 30
	DefaultTimeout   time.Duration = 2 * time.Minute
)

// Config says which repository to watch and how.
type Config struct {
	// URL is the repository: https, http, ssh or file, or SSH's short form user@host:path.
	// Secrets do not belong in it and are refused.
	URL string
	// Ref is what to follow.
	Ref Ref
	// Path is the folder inside the repository that a snapshot is rooted at, with slashes.
	// Zero: the whole repository.
	Path string
	// Dir is the folder of the bare store, made if it is missing. It is a cache and may be
	// lost at any time. Each URL gets a folder of its own inside. One process at a time uses
	// it.
	Dir string
	// Auth holds the credentials' files. Zero: none.
	Auth Auth
	// TLS is for https only. Zero: the system's roots, no client certificate.
	TLS TLS
	// Proxy is the URL of an HTTP, HTTPS or SOCKS5 proxy for http and https. Zero: what the
	// environment says (HTTPS_PROXY, NO_PROXY and so on). It cannot hold credentials; the
	// environment's can.
	Proxy string
	// AllowRewind accepts a commit that does not descend from the last accepted one.
	AllowRewind bool
	// Timeout bounds one poll, first fetch included. Zero: DefaultTimeout; negative: none.
	Timeout time.Duration
	// Limits bound what one revision may cost.
	Limits Limits
	// Metrics may be shared by several repositories only if they are one after another. Nil:
	// unregistered ones.
	Metrics *Metrics
	// Log gets the rare events: a store that was thrown away, credentials that travel in clear
	// text. Nil: slog.Default().
	Log *slog.Logger
}

// Ref is what to follow; exactly one field is set.
//
// A revision is refused with [ErrRewind] unless it descends from the last accepted one, with
// these exceptions:
//
//   - Config.AllowRewind accepts everything.
//   - Commit is the operator's own choice, made in the daemon's configuration and not in Git:
//     it is never a rewind. It is also how to go back on purpose.
//   - Semver accepts a higher version than the accepted one wherever its tag stands, since
//     release branches do not descend from each other. A lower version (somebody removed a tag)
//     and the same version on another commit (somebody moved a tag) must descend. After a
//     restart the accepted version is the highest within the constraint that the remote still tags the
//     floor with; if there is none, the new commit must descend.
type Ref struct {
	// Branch is a branch's short name, such as main.
	Branch string
	// Tag is a tag's short name. Annotated tags are peeled.
	Tag string
	// Semver is a constraint in the syntax of github.com/Masterminds/semver, such as "~1.4"
	// or ">=2.0.0-0". The highest tag that satisfies it wins; tags count if they are a full
	// version (three numbers), with or without a leading v.
	Semver string
	// Commit is a full hash of 40 hexadecimal digits. Once it was read the remote is not
	// asked again. Servers that do not give out arbitrary commits are asked for all branches
	// and tags.
	Commit string
}

// Auth holds the files with credentials. Each is read anew at every poll; one newline at its end
// is dropped.
type Auth struct {
	// Username is for PasswordFile, TokenFile and ssh. Zero: "git"; PasswordFile over http
	// and https requires it.
	Username string
	// PasswordFile is for http and https (basic authentication), and for ssh in place of a
	// key.
	PasswordFile string
	// TokenFile is for http and https. The token is sent as the password of basic
	// authentication, as GitHub, GitLab, Gitea and Bitbucket want it; Bitbucket also wants
	// the username x-token-auth.
	TokenFile string
	// SSHKeyFile is a private key in PEM or OpenSSH format.
	SSHKeyFile string
	// SSHKeyPassphraseFile is for a key that is encrypted.
	SSHKeyPassphraseFile string
	// KnownHostsFile lists the host keys that are accepted. Zero: ~/.ssh/known_hosts and
	// /etc/ssh/ssh_known_hosts, of which one must exist.
	KnownHostsFile string
}

// TLS holds files for https, read anew at every poll.
type TLS struct {
	// CAFile holds PEM certificates that are trusted beside the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate and key in PEM; both or neither.
	CertFile, KeyFile string
}

// Limits bound one revision. A zero field has the default of the constant of its name, a negative
// one has no limit. Past FileBytes only the reading of that file fails; past another limit the
// revision is refused.
type Limits struct {
	// TreeBytes is the sum of the sizes of all files under Path.
	TreeBytes int64
	// Files is the number of files and folders under Path.
	Files int
	// FileBytes is the size of one file.
	FileBytes int64
	// PackBytes is the size of what one fetch may transfer.
	PackBytes int64
}

// effective replaces zeros by defaults and negatives by the greatest value.
func (l Limits) effective() Limits {
	const most = int64(1) << 62
	pick := func(v, def int64) int64 {
		switch {
		case v == 0:
			return def
		case v < 0:
			return most
		}
		return v
	}
	return Limits{
		TreeBytes: pick(l.TreeBytes, DefaultTreeBytes),
		Files:     int(min(pick(int64(l.Files), int64(DefaultFiles)), int64(^uint(0)>>1))),
		FileBytes: pick(l.FileBytes, DefaultFileBytes),
		PackBytes: pick(l.PackBytes, DefaultPackBytes),
	}
}
