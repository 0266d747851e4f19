package faultproxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// A chain is an authority of the proxy's own with two certificates for one name: a good one, and one that expired an hour ago.
type chain struct {
	name          string
	roots         *x509.CertPool
	good, expired tls.Certificate
}

func newChain(name string) (*chain, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "assay fault proxy"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	sign := func(t *x509.Certificate) (*x509.Certificate, error) {
		der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, key)
		if err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
		return x509.ParseCertificate(der)
	}
	root, err := sign(ca)
	if err != nil {
		return nil, err
	}
	c := &chain{name: name, roots: x509.NewCertPool()}
	c.roots.AddCert(root)
	for i, cert := range []*tls.Certificate{&c.good, &c.expired} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = []net.IP{ip}
		} else {
			leaf.DNSNames = []string{name}
		}
		if cert == &c.expired {
			leaf.NotAfter = now.Add(-time.Hour)
		}
		signed, err := sign(leaf)
		if err != nil {
			return nil, err
		}
		*cert = tls.Certificate{Certificate: [][]byte{signed.Raw}, PrivateKey: key, Leaf: signed}
	}
	return c, nil
}

func (c *chain) certificate(expired bool) (*tls.Certificate, error) {
	if expired {
		return &c.expired, nil
	}
	return &c.good, nil
}
