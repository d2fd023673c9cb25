package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var serviceIP = net.IPv4(10, 96, 0, 1)

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	block, rest := pem.Decode(text)
	require.NotNil(t, block)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}

func TestEnsureMakesOneWholeSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	f, err := Ensure(dir, serviceIP)
	require.NoError(t, err)

	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, f.CA))
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "10.96.0.1", "kubernetes.default.svc"} {
		_, err := certificate(t, f.ServerCert).Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
		assert.NoError(t, err, host)
	}
	_, err = certificate(t, f.ServerCert).Verify(x509.VerifyOptions{DNSName: "example.com", Roots: roots})
	assert.Error(t, err)

	admin := certificate(t, f.AdminCert)
	_, err = admin.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	assert.Equal(t, []string{"system:masters"}, admin.Subject.Organization)

	proxy := certificate(t, f.FrontProxyCert)
	_, err = proxy.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.Error(t, err, "the front proxy is not a client of its own")
	proxies := x509.NewCertPool()
	proxies.AddCert(certificate(t, f.FrontProxyCA))
	_, err = proxy.Verify(x509.VerifyOptions{Roots: proxies, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	assert.Equal(t, FrontProxyName, proxy.Subject.CommonName)

	for _, pair := range [][2]string{{f.ServerCert, f.ServerKey}, {f.AdminCert, f.AdminKey}, {f.FrontProxyCert, f.FrontProxyKey}, {f.CA, f.CAKey}} {
		_, err := tls.LoadX509KeyPair(pair[0], pair[1])
		assert.NoError(t, err, pair)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
	beside, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, beside, 1, "nothing half-made is left")
}

func TestEnsureKeepsWhatExists(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	first, err := Ensure(dir, serviceIP)
	require.NoError(t, err)
	before := certificate(t, first.ServerCert).SerialNumber
	again, err := Ensure(dir, serviceIP)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	assert.Equal(t, before, certificate(t, again.ServerCert).SerialNumber)
}

func TestEnsureNamesWhatItCannotMake(t *testing.T) {
	_, err := Ensure(filepath.Join(t.TempDir(), "no", "such", "folder", "pki"), serviceIP)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "making the certificates")
}

func TestIssueVouchesForOneMore(t *testing.T) {
	dir := t.TempDir()
	f, err := Ensure(filepath.Join(dir, "pki"), serviceIP)
	require.NoError(t, err)
	cert, key := filepath.Join(dir, "more.crt"), filepath.Join(dir, "more.key")
	for range 2 { // the second replaces the first
		require.NoError(t, In(filepath.Join(dir, "pki")).Issue(cert, key, "api.system.svc", "localhost"))
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, f.CA))
	for _, host := range []string{"api.system.svc", "localhost", "127.0.0.1"} {
		_, err := certificate(t, cert).Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
		assert.NoError(t, err, host)
	}
	_, err = tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)

	err = In(dir).Issue(cert, key, "api.system.svc")
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "reading the certificate authority")
}
