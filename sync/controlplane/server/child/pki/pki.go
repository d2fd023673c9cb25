package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// FrontProxyName is the common name under which the API server presents
// itself to the API servers that it aggregates.
const FrontProxyName = "front-proxy-client"

// Files are the paths of one set, all PEM.
type Files struct {
	CA, CAKey                               string // signs the server's and the clients' certificates
	ServerCert, ServerKey                   string // of the API server
	AdminCert, AdminKey                     string // of a client in the group system:masters
	FrontProxyCA                            string // signs who may name another user in a header
	FrontProxyCert, FrontProxyKey           string // of the API server towards aggregated ones
	ServiceAccountKey, ServiceAccountPublic string // signs the tokens of service accounts, verifies them
}

// In returns the paths of the set that is, or will be, in the folder dir.
func In(dir string) Files {
	in := func(name string) string { return filepath.Join(dir, name) }
	return Files{
		CA: in("ca.crt"), CAKey: in("ca.key"),
		ServerCert: in("apiserver.crt"), ServerKey: in("apiserver.key"),
		AdminCert: in("admin.crt"), AdminKey: in("admin.key"),
		FrontProxyCA:   in("front-proxy-ca.crt"),
		FrontProxyCert: in("front-proxy-client.crt"), FrontProxyKey: in("front-proxy-client.key"),
		ServiceAccountKey: in("service-account.key"), ServiceAccountPublic: in("service-account.pub"),
	}
}

// Issue writes the certificate of one more server that the set's authority
// vouches for, by all of the names, and its key. What is at the paths is
// replaced.
func (f Files) Issue(certFile, keyFile string, names ...string) error {
	ca, err := f.authority()
	if err != nil {
		return fmt.Errorf("reading the certificate authority: %w", err)
	}
	err = ca.issue(certFile, keyFile, x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		DNSNames:    names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("making the certificate of %s: %w", names[0], err)
	}
	return nil
}

// authority reads the one that signs servers' certificates.
func (f Files) authority() (authority, error) {
	pair, err := tls.LoadX509KeyPair(f.CA, f.CAKey)
	if err != nil {
		return authority{}, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return authority{}, fmt.Errorf("%s holds no elliptic key", f.CAKey)
	}
	return authority{cert: pair.Leaf, key: key}, nil
}

// Ensure returns the set in the folder dir and makes it first if the folder
// does not exist. serviceIP is the address of the Service "kubernetes", for
// which the server's certificate is valid too.
func Ensure(dir string, serviceIP net.IP) (Files, error) {
	if _, err := os.Stat(dir); err == nil {
		return In(dir), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Files{}, fmt.Errorf("looking for the certificates: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+"-")
	if err != nil {
		return Files{}, fmt.Errorf("making the certificates: %w", err)
	}
	defer os.RemoveAll(tmp) // nothing is left of it after the rename
	if err := write(In(tmp), serviceIP); err != nil {
		return Files{}, fmt.Errorf("making the certificates: %w", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return Files{}, fmt.Errorf("making the certificates: %w", err)
	}
	return In(dir), nil
}

func write(f Files, serviceIP net.IP) error {
	ca, err := newAuthority("ringfence-controlplane-ca")
	if err != nil {
		return err
	}
	frontProxy, err := newAuthority("ringfence-front-proxy-ca")
	if err != nil {
		return err
	}
	serviceAccounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return errors.Join(
		writeCert(f.CA, ca.cert.Raw),
		writeKey(f.CAKey, ca.key),
		writeCert(f.FrontProxyCA, frontProxy.cert.Raw),
		ca.issue(f.ServerCert, f.ServerKey, x509.Certificate{
			Subject:     pkix.Name{CommonName: "kube-apiserver"},
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, serviceIP},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}),
		ca.issue(f.AdminCert, f.AdminKey, client("kubernetes-admin", "system:masters")),
		frontProxy.issue(f.FrontProxyCert, f.FrontProxyKey, client(FrontProxyName)),
		writeKey(f.ServiceAccountKey, serviceAccounts),
		writePublic(f.ServiceAccountPublic, &serviceAccounts.PublicKey),
	)
}

func client(name string, groups ...string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// authority is a certificate authority whose key is at hand.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	t := template(x509.Certificate{Subject: pkix.Name{CommonName: name}})
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert: cert, key: key}, err
}

// issue signs t for a new key and writes both.
func (a authority) issue(certFile, keyFile string, t x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(t), a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return errors.Join(writeCert(certFile, der), writeKey(keyFile, key))
}

// template completes t with what every certificate has.
func template(t x509.Certificate) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand ends the program rather than fail
	t.SerialNumber = serial
	t.NotBefore = time.Now().Add(-time.Hour) // a clock may be set back a little
	t.NotAfter = time.Now().AddDate(10, 0, 0)
	t.KeyUsage |= x509.KeyUsageDigitalSignature
	t.BasicConstraintsValid = true
	return &t
}

func writeCert(path string, der []byte) error {
	return writePEM(path, "CERTIFICATE", der)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePublic(path string, key *ecdsa.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PUBLIC KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
