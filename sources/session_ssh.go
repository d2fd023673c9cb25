package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// connectSSH dials, checks the host's key, authenticates and starts upload-pack. The session ends
// when ctx does. Neither the user's SSH configuration nor an agent is asked.
func connectSSH(ctx context.Context, at location, a Auth, s secrets) (session, error) {
	config, err := sshConfig(at, a, s)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: 15 * time.Second}).DialContext(ctx, "tcp", at.address())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	p, err := startSSH(conn, at, config)
	if err != nil {
		stop()
		_ = conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	end := p.end
	p.end = func() error {
		stop()
		return end()
	}
	return p, nil
}

func startSSH(conn net.Conn, at location, config *ssh.ClientConfig) (*piped, error) {
	c, channels, requests, err := ssh.NewClientConn(conn, at.address(), config)
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	sess, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	in, err := sess.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := sess.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said := newFirstLine()
	sess.Stderr = said
	if err := sess.Start("git-upload-pack " + shellQuote(at.path)); err != nil {
		return nil, err
	}
	return &piped{
		in: in, out: out,
		stderr: func() string {
			_ = in.Close()
			_ = sess.Wait()
			return said.String()
		},
		end: client.Close,
	}, nil
}

func sshConfig(at location, a Auth, s secrets) (*ssh.ClientConfig, error) {
	files := []string{a.KnownHostsFile}
	if a.KnownHostsFile == "" {
		files = defaultKnownHosts()
	}
	if len(files) == 0 {
		return nil, &fault{reason: ReasonHostKey, err: errors.New("there is no known_hosts file"), hint: "set source.auth.knownHostsFile"}
	}
	known, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return nil, &fault{reason: ReasonHostKey, err: fmt.Errorf("reading known hosts: %w", err)}
	}
	auth, err := sshAuth(s)
	if err != nil {
		return nil, err
	}
	user := defaultUser
	if at.user != "" {
		user = at.user
	}
	if a.Username != "" {
		user = a.Username
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{auth},
		HostKeyCallback:   checkHostKey(known.HostKeyCallback()),
		HostKeyAlgorithms: known.HostKeyAlgorithms(at.address()),
		ClientVersion:     "SSH-2.0-ringfence",
	}, nil
}

func sshAuth(s secrets) (ssh.AuthMethod, error) {
	if s.key == "" {
		return ssh.Password(s.password), nil
	}
	var signer ssh.Signer
	var err error
	pem := []byte(s.key + "\n")
	if s.passphrase == "" {
		signer, err = ssh.ParsePrivateKey(pem)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(s.passphrase))
	}
	if _, missing := errors.AsType[*ssh.PassphraseMissingError](err); missing {
		return nil, &fault{reason: ReasonAuth, err: errors.New("the key in source.auth.sshKeyFile is encrypted"), hint: "set source.auth.sshKeyPassphraseFile"}
	}
	if err != nil {
		return nil, &fault{reason: ReasonAuth, err: fmt.Errorf("reading the key in source.auth.sshKeyFile: %w", err), hint: "is it a private key, and the passphrase its own?"}
	}
	return ssh.PublicKeys(signer), nil
}

// hostKeyError is a host key that is not the one that is known.
type hostKeyError struct {
	changed     bool
	fingerprint string
}

func (e *hostKeyError) Error() string {
	if e.changed {
		return "the host's key has changed: it now has " + e.fingerprint + ", which known_hosts does not list; somebody may be in between"
	}
	return "the host's key " + e.fingerprint + " is unknown"
}

// checkHostKey adds to the check of known_hosts what the host presented.
func checkHostKey(check ssh.HostKeyCallback) ssh.HostKeyCallback {
	return func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		err := check(hostname, remote, key)
		if err == nil {
			return nil
		}
		e := &hostKeyError{fingerprint: key.Type() + " " + ssh.FingerprintSHA256(key)}
		if ke, ok := errors.AsType[*knownhosts.KeyError](err); ok {
			e.changed = len(ke.Want) > 0
			return e
		}
		return fmt.Errorf("%w: %w", e, err)
	}
}

// shellQuote quotes s for the shell of the other end, as Git does.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}
