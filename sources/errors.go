package sources

import (
	"errors"
	"strings"
)

// The reasons an Error can have. The set is closed: it labels metrics, events and conditions.
const (
	ReasonUnreachable = "unreachable" // no connection, or the server itself is in trouble
	ReasonTimeout     = "timeout"     // Config.Timeout passed
	ReasonTLS         = "tls"         // the server's certificate, or ours, was not accepted
	ReasonHostKey     = "hostkey"     // the SSH host key is unknown or another one
	ReasonAuth        = "auth"        // credentials are missing, unreadable or not accepted
	ReasonNotFound    = "notfound"    // no such repository, or none that these credentials may see
	ReasonRedirect    = "redirect"    // the server sent us elsewhere
	ReasonProtocol    = "protocol"    // what answered does not speak Git
	ReasonEmpty       = "empty"       // the repository has no commit yet
	ReasonRef         = "ref"         // no such branch, tag, version
	ReasonCommit      = "commit"      // no such commit
	ReasonShallow     = "shallow"     // the remote's history is cut
	ReasonPath        = "path"        // no such folder in the revision, or a tree that is malformed
	ReasonRewind      = "rewind"      // refused: history went backwards or sideways
	ReasonSignature   = "signature"   // refused: not signed as required
	ReasonLimit       = "limit"       // refused: past a limit
	ReasonStore       = "store"       // the cache's folder cannot be used: locked, read-only, full
	ReasonCorrupt     = "corrupt"     // objects are missing or damaged even after fetching anew
)

// Sentinels for [errors.Is]; what is returned is an *Error that matches one of them.
var (
	// ErrEmpty means that the repository exists and has no commit yet.
	ErrEmpty = errors.New("the repository is empty")
	// ErrRewind means that the new commit does not descend from the last accepted one.
	ErrRewind = errors.New("history was rewound")
	// ErrNoCommit means that a commit is neither in the store nor to be had from the remote.
	ErrNoCommit = errors.New("no such commit")
	// ErrAuth means that credentials are missing, unreadable or not accepted.
	ErrAuth = errors.New("authentication failed")
	// ErrRef means that the remote has no such branch or tag, or no version that satisfies the
	// constraint.
	ErrRef = errors.New("no such ref")
	// ErrLimit means that the revision is past one of Config.Limits.
	ErrLimit = errors.New("limit exceeded")
	// ErrLocked means that another process uses Config.Dir.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrNotFollowed means that a path is or leads through a symbolic link, a submodule or a
	// pointer to LFS.
	ErrNotFollowed = errors.New("never followed")
)

// sentinels tells what errors.Is finds for a reason.
var sentinels = map[string]error{
	ReasonEmpty:  ErrEmpty,
	ReasonRewind: ErrRewind,
	ReasonCommit: ErrNoCommit,
	ReasonAuth:   ErrAuth,
	ReasonRef:    ErrRef,
	ReasonLimit:  ErrLimit,
}

// Error is why a poll did not give a snapshot. Its message is one line: what was done, to which
// URL, what went wrong, and what to do about it. It never holds a secret.
type Error struct {
	// Op is what was being done, a gerund such as "polling".
	Op string
	// URL is the repository, without secrets.
	URL string
	// Reason is one of the Reason constants.
	Reason string
	// Hint says what to do; it may be empty.
	Hint string
	// Revision is the revision that was refused; zero unless Refused.
	Revision Revision
	// Err says what went wrong. Its text was stripped of secrets; the errors of the transport
	// beneath it are gone on purpose, since they may quote requests.
	Err error
}

// Error returns the message, on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op + " " + e.URL + ": " + e.Err.Error())
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns Err and the sentinel of the reason, if it has one.
func (e *Error) Unwrap() []error {
	errs := []error{e.Err}
	if s, ok := sentinels[e.Reason]; ok {
		errs = append(errs, s)
	}
	return errs
}

// Refused reports whether the remote was read and its revision was turned down: the remote works,
// and asking again does not help until the ref moves.
func (e *Error) Refused() bool {
	switch e.Reason {
	case ReasonRewind, ReasonSignature, ReasonLimit:
		return e.Revision.Commit != ""
	}
	return false
}

// fault is an Error in the making: the parts that the place that found it knows.
type fault struct {
	reason   string
	hint     string
	revision Revision
	err      error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// damage marks an error of reading the store, which fetching anew may mend.
type damage struct{ err error }

func (d *damage) Error() string { return d.err.Error() }
func (d *damage) Unwrap() error { return d.err }
