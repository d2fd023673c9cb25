package sources_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/ringfence/ringfence/sources"
)

// daemon is OpenSSH's server, as a process of our own.
type daemon struct {
	port  string
	known string // the line of known_hosts
	user  string
}

// keypair makes a private key in OpenSSH's format, and the line of its public half.
func keypair(t *testing.T, passphrase string) (private, public string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(priv, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(priv, "", []byte(passphrase))
	}
	require.NoError(t, err)
	sshPub, err := ssh.NewPublicKey(pub)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPub)))
}

// startSSHD starts a server that lets in whoever has one of the public keys.
func startSSHD(t *testing.T, authorized ...string) *daemon {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("sources: ssh is tested against OpenSSH's server; install the package openssh-server")
		}
		t.Skip("sources: ssh is tested against OpenSSH's server; install the package openssh-server")
	}
	dir := t.TempDir()
	hostKey, hostPublic := keypair(t, "")
	write(t, dir, files{"host_key": hostKey, "authorized": strings.Join(authorized, "\n") + "\n"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "host_key"), 0o600))
	if os.Getuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	write(t, dir, files{"config": fmt.Sprintf(`
Port %s
ListenAddress 127.0.0.1
HostKey %[2]s/host_key
AuthorizedKeysFile %[2]s/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel ERROR
`, port, dir)})
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "config"))
	var log buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, patience, 20*time.Millisecond, "sshd: %s", &log)
	me, err := user.Current()
	require.NoError(t, err)
	return &daemon{port: port, known: fmt.Sprintf("[127.0.0.1]:%s %s\n", port, hostPublic), user: me.Username}
}

func (d *daemon) url(folder string) string {
	return fmt.Sprintf("ssh://%s@127.0.0.1:%s%s", d.user, d.port, folder)
}

func TestSSH(t *testing.T) {
	const passphrase = "open sesame " + secret
	key, public := keypair(t, "")
	locked, lockedPublic := keypair(t, passphrase)
	stranger, _ := keypair(t, "")
	_, otherHost := keypair(t, "")
	d := startSSHD(t, public, lockedPublic)
	o := serve(t, files{"a": "1"})

	good := sources.Auth{SSHKeyFile: file(t, key), KnownHostsFile: file(t, d.known)}
	with := func(change func(*sources.Auth)) func(*sources.Config) {
		return func(c *sources.Config) {
			c.URL, c.Auth = d.url(o.folder), good
			if change != nil {
				change(&c.Auth)
			}
		}
	}

	t.Run("poll", func(t *testing.T) {
		r := o.repository(with(nil))
		s := poll(t, r)
		require.Equal(t, "1", read(t, s, "a"))
		require.Same(t, s, poll(t, r))
		commit := o.commit("next", files{"a": "2"})
		require.Equal(t, commit, poll(t, r).Revision().Commit)
		older, err := r.At(t.Context(), s.Revision().Commit)
		require.NoError(t, err)
		require.Equal(t, "1", read(t, older, "a"))
	})
	t.Run("a path that must be quoted", func(t *testing.T) {
		odd := filepath.Join(t.TempDir(), "it's odd!; $(touch x)")
		git(t, ".", "clone", "-q", "--bare", o.folder, odd)
		poll(t, o.repository(with(nil), func(c *sources.Config) { c.URL = d.url(strings.NewReplacer(" ", "%20", ";", "%3b").Replace(odd)) }))
	})
	t.Run("the name from auth.username", func(t *testing.T) {
		poll(t, o.repository(with(func(a *sources.Auth) { a.Username = d.user }), func(c *sources.Config) {
			c.URL = strings.Replace(d.url(o.folder), d.user+"@", "nobody-at-all@", 1)
		}))
	})
	t.Run("a key with a passphrase", func(t *testing.T) {
		poll(t, o.repository(with(func(a *sources.Auth) {
			a.SSHKeyFile, a.SSHKeyPassphraseFile = file(t, locked), file(t, passphrase+"\n")
		})))
		e := failure(t, o.repository(with(func(a *sources.Auth) {
			a.SSHKeyFile, a.SSHKeyPassphraseFile = file(t, locked), file(t, passphrase+" not")
		})), sources.ReasonAuth)
		hides(t, e)
		require.NotContains(t, e.Error(), passphrase)
		require.ErrorContains(t, failure(t, o.repository(with(func(a *sources.Auth) { a.SSHKeyFile = file(t, locked) })), sources.ReasonAuth), "set source.auth.sshKeyPassphraseFile")
	})
	t.Run("a key that is not let in", func(t *testing.T) {
		e := failure(t, o.repository(with(func(a *sources.Auth) { a.SSHKeyFile = file(t, stranger) })), sources.ReasonAuth)
		require.ErrorIs(t, e, sources.ErrAuth)
	})
	t.Run("a key that is none", func(t *testing.T) {
		fails(t, o.repository(with(func(a *sources.Auth) { a.SSHKeyFile = file(t, public) })), sources.ReasonAuth)
	})
	t.Run("an unknown host", func(t *testing.T) {
		e := failure(t, o.repository(with(func(a *sources.Auth) { a.KnownHostsFile = file(t, "[127.0.0.1]:1 "+otherHost+"\n") })), sources.ReasonHostKey)
		require.ErrorContains(t, e, "SHA256:")
		require.ErrorContains(t, e, "is unknown")
	})
	t.Run("a host whose key has changed", func(t *testing.T) {
		known := strings.Join(strings.Fields(d.known)[:1], "") + " " + otherHost + "\n"
		require.ErrorContains(t, failure(t, o.repository(with(func(a *sources.Auth) { a.KnownHostsFile = file(t, known) })), sources.ReasonHostKey), "has changed")
	})
	t.Run("known_hosts is mended while it runs", func(t *testing.T) {
		known := file(t, "# nobody\n")
		r := o.repository(with(func(a *sources.Auth) { a.KnownHostsFile = known }))
		fails(t, r, sources.ReasonHostKey)
		require.NoError(t, os.WriteFile(known, []byte(d.known), 0o600))
		poll(t, r)
	})
	t.Run("no such repository", func(t *testing.T) {
		fails(t, o.repository(with(nil), func(c *sources.Config) { c.URL = d.url(o.folder + "x") }), sources.ReasonNotFound)
	})
	t.Run("an empty repository", func(t *testing.T) {
		require.NoError(t, o.server.CreateRepository("empty", nil))
		fails(t, o.repository(with(nil), func(c *sources.Config) { c.URL = d.url(o.server.Folder("empty")) }), sources.ReasonEmpty)
	})
}

// A server that takes the connection and then says nothing must not hold a poll for ever.
func TestSSHSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	key, public := keypair(t, "")
	o := serve(t, files{"a": "1"})
	r := o.repository(func(c *sources.Config) {
		c.URL = "ssh://git@" + l.Addr().String() + "/policies.git"
		c.Auth = sources.Auth{SSHKeyFile: file(t, key), KnownHostsFile: file(t, "* "+public+"\n")}
		c.Timeout = 200 * time.Millisecond
	})
	start := time.Now()
	fails(t, r, sources.ReasonTimeout)
	require.Less(t, time.Since(start), patience)
}
