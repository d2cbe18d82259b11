// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const day = 24 * time.Hour

// certSpec says what is good or bad about the server's certificate.
type certSpec struct {
	key  string   // "rsa" or "ecdsa"
	kind string   // certKinds' keys
	sans []string // further names and addresses
}

var certKinds = map[string]string{
	"good":      "what a client should accept",
	"wronghost": "names and addresses of another server",
	"nameonly":  "localhost, but no IP address",
	"expired":   "ended an hour ago",
	"notyet":    "begins tomorrow",
	"otherca":   "signed by a CA that ca.crt does not hold",
	"chain":     "signed by an intermediate, which is sent along",
}

// authority is a certificate that signs others.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey(kind string) (crypto.Signer, error) {
	if kind == "rsa" {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-day),
		NotAfter:              time.Now().Add(365 * day),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// newAuthority makes a CA: a root, or, with parent, an intermediate.
func newAuthority(name, key string, parent *authority) (*authority, error) {
	signer, err := newKey(key)
	if err != nil {
		return nil, err
	}
	t := template(name)
	t.IsCA = true
	t.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	up := parent
	if up == nil {
		up = &authority{cert: t, key: signer}
	}
	cert, err := up.sign(t, signer)
	return &authority{cert: cert, key: signer}, err
}

func (a *authority) sign(t *x509.Certificate, key crypto.Signer) (
	*x509.Certificate, error) {
	der, err := x509.CreateCertificate(
		rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serverCert signs what the API server shows, as its spec demands.
func (a *authority) serverCert(spec certSpec) (
	chain []*x509.Certificate, key crypto.Signer, err error) {
	if key, err = newKey(spec.key); err != nil {
		return nil, nil, err
	}
	t := template("kube-apiserver")
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	nameServer(t, spec)
	switch spec.kind {
	case "expired":
		t.NotBefore = time.Now().Add(-30 * day)
		t.NotAfter = time.Now().Add(-time.Hour)
	case "notyet":
		t.NotBefore = time.Now().Add(day)
	case "otherca":
		// The same name as the real one: only the signature tells.
		name := a.cert.Subject.CommonName
		a, err = newAuthority(name, spec.key, nil)
	case "chain":
		a, err = newAuthority("kinformer test intermediate", spec.key, a)
		chain = []*x509.Certificate{a.cert}
	}
	if err != nil {
		return nil, nil, err
	}
	cert, err := a.sign(t, key)
	return append([]*x509.Certificate{cert}, chain...), key, err
}

func nameServer(t *x509.Certificate, spec certSpec) {
	names := []string{"localhost", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "127.0.0.1", "10.0.0.1"}
	switch spec.kind {
	case "wronghost":
		names = []string{"other.example", "127.0.0.2"}
	case "nameonly":
		names = []string{"localhost"}
	}
	for _, name := range append(names, spec.sans...) {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
}

func (a *authority) clientCert(user, group, key string) (
	*x509.Certificate, crypto.Signer, error) {
	signer, err := newKey(key)
	if err != nil {
		return nil, nil, err
	}
	t := template(user)
	t.Subject.Organization = []string{group}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	cert, err := a.sign(t, signer)
	return cert, signer, err
}

// ---- files -----------------------------------------------------------------

func certPEM(chain ...*x509.Certificate) []byte {
	var out []byte
	for _, cert := range chain {
		out = append(out, pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return out
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	return pem.EncodeToMemory(block), nil
}

// writePair writes base.crt and base.key, each replaced whole.
func writePair(base string, key crypto.Signer,
	chain ...*x509.Certificate) error {
	secret, err := keyPEM(key)
	if err != nil {
		return err
	}
	if err := writeFile(base+".key", secret, 0o600); err != nil {
		return err
	}
	return writeFile(base+".crt", certPEM(chain...), 0o644)
}

func readAuthority(base string) (*authority, error) {
	certs, err := os.ReadFile(base + ".crt")
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(base + ".key")
	if err != nil {
		return nil, err
	}
	certBlock, _ := pem.Decode(certs)
	keyBlock, _ := pem.Decode(secret)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s: not PEM", base)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key.(crypto.Signer)}, nil
}

// writeFile replaces a file by one rename: a reader sees old or new.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, content, mode); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
