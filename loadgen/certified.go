package loadgen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// certified follows what became of our client certificate. With HTTP/2 neither net/http nor gRPC tells a connection that the
// server ended over it from any other that came to nothing, so the blame has to be found here.
type certified struct {
	asked   atomic.Bool  // a server wanted a certificate
	ends    atomic.Int64 // unix seconds at which the one shown last expires; 0: none was shown
	welcome atomic.Bool  // a server has answered
}

// watch returns settings like conf whose certificates are followed.
func (k *certified) watch(conf *tls.Config) *tls.Config {
	if conf = conf.Clone(); conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	choose := conf.GetClientCertificate
	if choose == nil {
		list := conf.Certificates
		choose = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for i := range list {
				if info.SupportsCertificate(&list[i]) == nil {
					return &list[i], nil
				}
			}
			return &tls.Certificate{}, nil
		}
	}
	conf.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c, err := choose(info)
		k.asked.Store(true)
		k.ends.Store(0)
		if err == nil && len(c.Certificate) > 0 {
			if leaf, err := x509.ParseCertificate(c.Certificate[0]); err == nil {
				k.ends.Store(leaf.NotAfter.Unix())
			}
		}
		return c, err
	}
	return conf
}

// blame reports whether a connection of net/http over which nothing came was lost for our certificate. Which error it is depends on
// whether our write or the server's close was first.
func (k *certified) blame(err error) bool {
	return k.refused() && (closed(err) || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "client conn could not be established"))
}

// refused reports whether a connection that ended before it was of use may have done so for our certificate: the server wanted one,
// and it has either never answered or ours has expired since.
func (k *certified) refused() bool {
	ends := k.ends.Load()
	return k.asked.Load() && (!k.welcome.Load() || ends != 0 && time.Now().Unix() > ends)
}

// certificateText reports whether the body of a 400 is nginx's about our certificate: it lets the handshake pass and refuses each request.
func certificateText(b []byte) bool {
	return bytes.Contains(b, []byte("No required SSL certificate was sent")) || bytes.Contains(b, []byte("The SSL certificate error"))
}
