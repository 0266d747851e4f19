package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLSFiles names the files of TLS connections, all of them PEM. The client certificate is read again when its file has changed, so that a run
// outlives it.
type TLSFiles struct {
	CA         string // roots to trust in place of the system's
	Cert, Key  string // client certificate with its chain, and its key
	ServerName string // that the server's certificate must have; "": the URL's host
	Insecure   bool   // take any certificate of the server
}

// Config reads the files and returns the settings of an [Endpoint].
func (f TLSFiles) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName, InsecureSkipVerify: f.Insecure}
	if f.CA != "" {
		b, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM", f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("tls: want cert and key together")
	}
	if f.Cert == "" {
		return c, nil
	}
	p := &pair{cert: f.Cert, key: f.Key}
	if _, err := p.get(); err != nil {
		return nil, fmt.Errorf("tls.cert, key: %w", err)
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.get() }
	return c, nil
}

// pair is a client certificate in two files.
type pair struct {
	cert, key string

	mu     sync.Mutex
	read   *tls.Certificate
	change [2]time.Time // of the files when they were read
}

// get returns the certificate. While a new one is only half written, it is the old one.
func (p *pair) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var change [2]time.Time
	for i, file := range []string{p.cert, p.key} {
		info, err := os.Stat(file)
		if err != nil {
			return p.otherwise(err)
		}
		change[i] = info.ModTime()
	}
	if p.read != nil && change == p.change {
		return p.read, nil
	}
	c, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return p.otherwise(err)
	}
	p.read, p.change = &c, change
	return p.read, nil
}

func (p *pair) otherwise(err error) (*tls.Certificate, error) {
	if p.read != nil {
		return p.read, nil
	}
	return nil, err
}
