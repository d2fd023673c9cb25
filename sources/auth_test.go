package sources_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sources/gitserver"
)

// secret must never be seen.
const secret = "s3cret/with+odd chars&%"

func guarded(c *gitserver.Config) { c.User, c.Password = "robot", secret }

func password(t *testing.T, user, password string) func(*sources.Config) {
	return func(c *sources.Config) {
		c.Auth = sources.Auth{Username: user, PasswordFile: file(t, password+"\n")}
	}
}

func token(t *testing.T, user, token string) func(*sources.Config) {
	return func(c *sources.Config) { c.Auth = sources.Auth{Username: user, TokenFile: file(t, token)} }
}

func TestCredentials(t *testing.T) {
	o := serve(t, files{"a": "a"}, guarded)
	for name, test := range map[string]struct {
		auth func(*sources.Config)
		good bool
	}{
		"password":       {password(t, "robot", secret), true},
		"token":          {token(t, "robot", secret), true},
		"wrong password": {password(t, "robot", "wrong"), false},
		"wrong user":     {password(t, "human", secret), false},
		"default user":   {token(t, "", secret), false}, // git, whom this server does not know
		"none":           {func(*sources.Config) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := o.repository(test.auth)
			if test.good {
				poll(t, r)
				return
			}
			require.ErrorIs(t, failure(t, r, sources.ReasonAuth), sources.ErrAuth)
		})
	}
}

func TestCredentialsDefaultUser(t *testing.T) {
	o := serve(t, files{"a": "a"}, func(c *gitserver.Config) { c.User, c.Password = "git", secret })
	poll(t, o.repository(token(t, "", secret)))
}

func TestCredentialsRotate(t *testing.T) {
	o := serve(t, files{"a": "a"}, guarded)
	name := file(t, "yesterday's")
	r := o.repository(func(c *sources.Config) { c.Auth = sources.Auth{Username: "robot", PasswordFile: name} })
	fails(t, r, sources.ReasonAuth)
	require.NoError(t, os.WriteFile(name, []byte(secret), 0o600))
	poll(t, r)
	require.NoError(t, os.Remove(name))
	e := failure(t, r, sources.ReasonAuth)
	require.ErrorContains(t, e, "source.auth.passwordFile cannot be read")
	require.ErrorContains(t, e, name)
}

func TestCredentialsInClearAreWarnedOfOnce(t *testing.T) {
	o := serve(t, files{"a": "a"}, guarded)
	var log buffer
	r := o.repository(password(t, "robot", secret), func(c *sources.Config) { c.Log = log.log() })
	for range 3 {
		poll(t, r)
	}
	require.Equal(t, 1, strings.Count(log.String(), "credentials travel unencrypted"))
	require.NotContains(t, log.String(), secret)
}

func TestRedirects(t *testing.T) {
	o := serve(t, files{"a": "a"}, guarded)
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		visits.Add(1)
	}))
	defer elsewhere.Close()
	with := password(t, "robot", secret)
	port := o.url[strings.LastIndex(o.url[:strings.LastIndex(o.url, "/")], ":"):strings.LastIndex(o.url, "/")]
	for name, to := range map[string]string{
		"another host":   elsewhere.URL + "/policies.git/info/refs?service=git-upload-pack&token=" + url.QueryEscape(secret),
		"another name":   "http://localhost" + port + "/policies.git/info/refs?service=git-upload-pack",
		"another scheme": "https://127.0.0.1" + port + "/policies.git/info/refs?service=git-upload-pack",
		"another port":   "http://robot:" + url.QueryEscape(secret) + "@127.0.0.1:1/policies.git/info/refs",
		"a file":         "file:///etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			o.instead(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
			e := failure(t, o.repository(with), sources.ReasonRedirect)
			hides(t, e)
		})
	}
	require.Zero(t, visits.Load(), "nobody else was asked")

	t.Run("on the same host", func(t *testing.T) {
		o.instead(func(w http.ResponseWriter, r *http.Request) {
			if moved, ok := strings.CutPrefix(r.URL.Path, "/old/"); ok {
				http.Redirect(w, r, "/"+moved+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
				return
			}
			o.forward(w, r)
		})
		poll(t, o.repository(with, func(c *sources.Config) { c.URL = strings.Replace(o.url, "/policies", "/old/policies", 1) }))
	})
	t.Run("of the request for a pack", func(t *testing.T) {
		o.instead(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			o.forward(w, r)
		})
		fails(t, o.repository(with), sources.ReasonRedirect)
	})
	require.Zero(t, visits.Load(), "nobody else was asked")
}

// hides checks that no spelling of the secret is in what an error says, in any part of it.
func hides(t *testing.T, err error) {
	t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte("robot:" + secret))
	for _, text := range everyText(err) {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), basic, base64.StdEncoding.EncodeToString([]byte(secret))} {
			require.NotContains(t, text, form)
		}
	}
}

// everyText is what an error and everything that it wraps say, formatted in every way.
func everyText(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	switch e := any(err).(type) { // each layer by itself, not the chain
	case interface{ Unwrap() error }:
		texts = append(texts, everyText(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			texts = append(texts, everyText(inner)...)
		}
	}
	return texts
}

// Servers echo what they are sent. Whatever they make of it, the secret stays hidden.
func TestSecretsAreHidden(t *testing.T) {
	o := serve(t, files{"a": "a"})
	echo := func(status int, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, p, _ := r.BasicAuth()
			for _, text := range []string{p, r.Header.Get("Authorization"), url.QueryEscape(p)} {
				w.Header().Set("WWW-Authenticate", text)
				w.Header().Set("Location", "http://elsewhere.invalid/"+url.PathEscape(p)+"?"+url.QueryEscape(p))
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, format, text)
			}
		}
	}
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	answers := map[string]http.HandlerFunc{
		"an error line": func(w http.ResponseWriter, r *http.Request) {
			_, p, _ := r.BasicAuth()
			_, _ = w.Write([]byte(line("# service=git-upload-pack\n") + "0000" + line("ERR access denied for "+p+" "+r.Header.Get("Authorization"))))
		},
	}
	for _, status := range []int{200, 301, 302, 307, 400, 401, 403, 404, 407, 429, 500, 503} {
		answers[fmt.Sprint(status)] = echo(status, "you sent %s")
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			o.instead(answer)
			var log buffer
			for _, with := range []func(*sources.Config){password(t, "robot", secret), token(t, "robot", secret)} {
				r := o.repository(with, func(c *sources.Config) { c.Log = log.log() })
				_, err := r.Poll(t.Context())
				require.Error(t, err)
				hides(t, err)
				_, err = r.At(t.Context(), "0123456789012345678901234567890123456789")
				require.Error(t, err)
				hides(t, err)
				t.Log(err)
			}
			require.NotContains(t, log.String(), secret)
		})
	}
	t.Run("urls", func(t *testing.T) {
		for _, raw := range []string{
			"https://robot:" + url.QueryEscape(secret) + "@git.example.com/a.git",
			"https://robot:" + secret + "@git.example.com/a.git",
			"https://" + url.QueryEscape(secret) + "@git.example.com/a.git",
			"https://git.example.com/a.git?token=" + url.QueryEscape(secret),
			"ssh://git:" + url.QueryEscape(secret) + "@git.example.com/a.git",
			secret + "://x", "git:" + secret + "@git.example.com:a.git", secret,
			"file://robot:" + url.QueryEscape(secret) + "@/srv/a.git",
		} {
			_, err := sources.New(sources.Config{URL: raw, Ref: sources.Ref{Branch: "main"}, Dir: t.TempDir()})
			require.Error(t, err, raw)
			hides(t, err)
		}
		_, err := sources.New(sources.Config{URL: "https://git.example.com/a.git", Ref: sources.Ref{Branch: "main"}, Dir: t.TempDir(), Proxy: "http://robot:" + url.QueryEscape(secret) + "@proxy:3128"})
		require.ErrorContains(t, err, "source.proxy holds credentials")
		hides(t, err)
	})
}

func TestProxy(t *testing.T) {
	o := serve(t, files{"a": "a"})
	var through atomic.Int32
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) { through.Add(1) }})
	defer proxy.Close()
	poll(t, o.repository(func(c *sources.Config) { c.Proxy = proxy.URL }))
	require.EqualValues(t, 2, through.Load())
	proxy.Close()
	require.ErrorContains(t, failure(t, o.repository(func(c *sources.Config) { c.Proxy = proxy.URL }), sources.ReasonUnreachable), "source.proxy is set")
}

// certificate makes one for 127.0.0.1, signed by itself, and returns it with its PEM forms.
func certificate(t *testing.T) (pair tls.Certificate, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	pair, err = tls.X509KeyPair([]byte(cert), []byte(key))
	require.NoError(t, err)
	return pair, cert, key
}

func TestTLS(t *testing.T) {
	pair, ca, key := certificate(t)
	_, otherCA, otherKey := certificate(t)
	o := serve(t, files{"a": "a"}, func(c *gitserver.Config) { c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}} })
	require.True(t, strings.HasPrefix(o.url, "https://"))
	with := func(s sources.TLS) *sources.Repository {
		return o.repository(func(c *sources.Config) { c.TLS = s })
	}
	poll(t, with(sources.TLS{CAFile: file(t, ca)}))
	require.ErrorContains(t, failure(t, with(sources.TLS{}), sources.ReasonTLS), "set source.tls.caFile")
	fails(t, with(sources.TLS{CAFile: file(t, otherCA)}), sources.ReasonTLS)
	fails(t, with(sources.TLS{CAFile: file(t, "nothing")}), sources.ReasonTLS)
	fails(t, with(sources.TLS{CAFile: file(t, ca), CertFile: file(t, ca), KeyFile: file(t, otherKey)}), sources.ReasonTLS)
	fails(t, o.repository(func(c *sources.Config) {
		c.URL, c.TLS = strings.Replace(o.url, "127.0.0.1", "localhost", 1), sources.TLS{CAFile: file(t, ca)}
	}), sources.ReasonTLS)

	t.Run("client certificates", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(ca))
		o := serve(t, files{"a": "a"}, func(c *gitserver.Config) {
			c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
		})
		with := func(s sources.TLS) *sources.Repository {
			return o.repository(func(c *sources.Config) { c.TLS = s })
		}
		poll(t, with(sources.TLS{CAFile: file(t, ca), CertFile: file(t, ca), KeyFile: file(t, key)}))
		require.ErrorContains(t, failure(t, with(sources.TLS{CAFile: file(t, ca)}), sources.ReasonTLS), "source.tls.certFile")
	})
	t.Run("a server without", func(t *testing.T) {
		plain := serve(t, files{"a": "a"})
		r := plain.repository(func(c *sources.Config) { c.URL = strings.Replace(plain.url, "http:", "https:", 1) })
		require.ErrorContains(t, failure(t, r, sources.ReasonTLS), "does not speak TLS")
	})
}
