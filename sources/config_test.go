package sources_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
)

func TestNewRefuses(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // without known hosts
	_, systemWide := os.Stat("/etc/ssh/ssh_known_hosts")
	f := file(t, "something")
	missing := filepath.Join(t.TempDir(), "missing")
	main := sources.Ref{Branch: "main"}
	const https, ssh = "https://git.example.com/a.git", "ssh://git@git.example.com/a.git"
	for name, test := range map[string]struct {
		config sources.Config
		says   []string // and nothing else
	}{
		"no url":           {sources.Config{Ref: main}, []string{"source.url is missing"}},
		"another scheme":   {sources.Config{URL: "git://h/a.git", Ref: main}, []string{`source.url has the scheme "git" (allowed are https, http, ssh and file)`}},
		"a plain path":     {sources.Config{URL: "/srv/git/a.git", Ref: main}, []string{"source.url has no scheme"}},
		"no host":          {sources.Config{URL: "https:///a.git", Ref: main}, []string{"source.url has no host"}},
		"no path":          {sources.Config{URL: "https://git.example.com/", Ref: main}, []string{"source.url has no path"}},
		"a file on a host": {sources.Config{URL: "file://srv/a.git", Ref: main}, []string{"source.url names a host"}},
		"a user":           {sources.Config{URL: "https://me@git.example.com/a.git", Ref: main}, []string{"source.url holds a user name or password (use auth.username"}},
		"a query":          {sources.Config{URL: https + "?a=b", Ref: main}, []string{"source.url has a query"}},
		"an option":        {sources.Config{URL: "ssh://-oProxyCommand=x/a.git", Ref: main, Auth: sources.Auth{SSHKeyFile: f, KnownHostsFile: f}}, []string{"could be taken for an option"}},
		"no ref":           {sources.Config{URL: https}, []string{"source.ref names 0 things"}},
		"two refs":         {sources.Config{URL: https, Ref: sources.Ref{Branch: "main", Tag: "v1"}}, []string{"source.ref names 2 things to follow (exactly one of branch, tag, semver and commit)"}},
		"a full ref":       {sources.Config{URL: https, Ref: sources.Ref{Branch: "refs/heads/main"}}, []string{"source.ref.branch is a full ref name"}},
		"a bad branch":     {sources.Config{URL: https, Ref: sources.Ref{Branch: "a..b"}}, []string{"source.ref.branch"}},
		"a bad version":    {sources.Config{URL: https, Ref: sources.Ref{Semver: "newest"}}, []string{"source.ref.semver is not a constraint"}},
		"a short commit":   {sources.Config{URL: https, Ref: sources.Ref{Commit: "abc123"}}, []string{"source.ref.commit is not a full hash"}},
		"a path out":       {sources.Config{URL: https, Ref: main, Path: "a/../../b"}, []string{"source.path leads out"}},
		"an absolute path": {sources.Config{URL: https, Ref: main, Path: "/a"}, []string{"source.path is not a path inside"}},
		"a bad proxy":      {sources.Config{URL: https, Ref: main, Proxy: "proxy:3128"}, []string{"source.proxy"}},
		"proxy for ssh":    {sources.Config{URL: ssh, Ref: main, Proxy: "http://proxy:3128", Auth: sources.Auth{SSHKeyFile: f, KnownHostsFile: f}}, []string{"source.proxy is set although the url is of scheme ssh"}},
		"tls for http":     {sources.Config{URL: "http://h/a.git", Ref: main, TLS: sources.TLS{CAFile: f}}, []string{"source.tls is set although"}},
		"half a pair":      {sources.Config{URL: https, Ref: main, TLS: sources.TLS{CertFile: f}}, []string{"source.tls has one of certFile and keyFile"}},
		"auth for a file":  {sources.Config{URL: "file:///a.git", Ref: main, Auth: sources.Auth{Username: "me", TokenFile: f}}, []string{"source.auth.tokenFile is set although", "source.auth.username is set although"}},
		"two secrets":      {sources.Config{URL: https, Ref: main, Auth: sources.Auth{Username: "me", TokenFile: f, PasswordFile: f}}, []string{"source.auth.tokenFile is set beside passwordFile"}},
		"no user":          {sources.Config{URL: https, Ref: main, Auth: sources.Auth{PasswordFile: f}}, []string{"source.auth.username is missing"}},
		"a user alone":     {sources.Config{URL: https, Ref: main, Auth: sources.Auth{Username: "me"}}, []string{"source.auth.username is set without"}},
		"keys for https":   {sources.Config{URL: https, Ref: main, Auth: sources.Auth{SSHKeyFile: f, KnownHostsFile: f}}, []string{"source.auth.sshKeyFile is set although", "source.auth.knownHostsFile is set although"}},
		"ssh without":      {sources.Config{URL: ssh, Ref: main, Auth: sources.Auth{KnownHostsFile: f}}, []string{"source.auth.sshKeyFile is missing"}},
		"a phrase alone":   {sources.Config{URL: ssh, Ref: main, Auth: sources.Auth{KnownHostsFile: f, PasswordFile: f, SSHKeyPassphraseFile: f}}, []string{"source.auth.sshKeyPassphraseFile is set without sshKeyFile"}},
		"missing files": {
			sources.Config{URL: https, Ref: main, Auth: sources.Auth{TokenFile: missing}, TLS: sources.TLS{CAFile: t.TempDir(), CertFile: file(t, ""), KeyFile: f}},
			[]string{"source.auth.tokenFile cannot be read: \"" + missing + "\": no such file", "source.tls.caFile cannot be read", "source.tls.certFile cannot be used"},
		},
		"everything at once": {
			sources.Config{URL: "gopher://h/a", Path: "..", Auth: sources.Auth{TokenFile: missing}},
			[]string{"source.url has the scheme", "source.ref names 0", "source.path leads out", "source.auth.tokenFile cannot be read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Dir = "unused"
			_, err := sources.New(test.config)
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
			var field *sources.FieldError
			require.ErrorAs(t, err, &field)
			require.NotEmpty(t, field.Field)
			joined, ok := err.(interface{ Unwrap() []error })
			require.True(t, ok)
			require.Len(t, joined.Unwrap(), len(test.says), "%v", err)
		})
	}
	t.Run("no dir", func(t *testing.T) {
		_, err := sources.New(sources.Config{URL: https, Ref: main})
		require.ErrorContains(t, err, "source.dir is missing")
	})
	t.Run("no known hosts", func(t *testing.T) {
		if !errors.Is(systemWide, os.ErrNotExist) {
			t.Skip("sources: this machine has /etc/ssh/ssh_known_hosts")
		}
		_, err := sources.New(sources.Config{URL: ssh, Ref: main, Dir: "unused", Auth: sources.Auth{SSHKeyFile: f}})
		require.ErrorContains(t, err, "source.auth.knownHostsFile is missing")
	})
	require.NoFileExists(t, "unused")
}

func TestNewAccepts(t *testing.T) {
	f := file(t, "something")
	for raw, shown := range map[string]string{
		"https://Git.Example.com/a.git":        "https://git.example.com/a.git",
		"https://git.example.com:8443/a%20b":   "https://git.example.com:8443/a%20b",
		"http://[::1]:3000/a.git":              "http://[::1]:3000/a.git",
		"ssh://git@git.example.com:2222/a.git": "ssh://git@git.example.com:2222/a.git",
		"git@git.example.com:team/a.git":       "ssh://git@git.example.com/team/a.git",
		"file:///srv/git/a.git":                "file:///srv/git/a.git",
		"file://localhost/srv/git/a.git":       "file:///srv/git/a.git",
	} {
		c := sources.Config{URL: raw, Ref: sources.Ref{Branch: "main"}, Dir: "unused"}
		if shown[:3] == "ssh" {
			c.Auth = sources.Auth{SSHKeyFile: f, KnownHostsFile: f}
		}
		r, err := sources.New(c)
		require.NoError(t, err, raw)
		require.Equal(t, shown, r.URL())
	}
	require.NoFileExists(t, "unused", "New makes nothing")
}
