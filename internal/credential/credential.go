package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A Value is one credential: a bearer token, the keys of AWS or a client certificate.
type Value struct {
	Token string

	KeyID, Secret, Session string // of AWS; Session may be empty

	Certificate *tls.Certificate

	Expires time.Time // zero: not known
}

const hidden = "[credential]"

// Format implements fmt.Formatter: a credential is never printed.
func (Value) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText implements encoding.TextMarshaler: nor is it written.
func (Value) MarshalText() ([]byte, error) { return []byte(hidden), nil }

func (v Value) same(w Value) bool {
	if (v.Certificate == nil) != (w.Certificate == nil) || v.Certificate != nil && string(v.Certificate.Certificate[0]) != string(w.Certificate.Certificate[0]) {
		return false
	}
	return v.Token == w.Token && v.KeyID == w.KeyID && v.Secret == w.Secret && v.Session == w.Session
}

// A Source fetches a credential. Fetch may block until ctx is done, is called again for a fresh one, and never at once with itself. Its errors
// carry nothing of the credential.
type Source interface {
	Fetch(ctx context.Context) (Value, error)
}

// Polled is a source whose credential may change without having told when.
type Polled interface {
	Every() time.Duration // how often to look
}

// A Detailed error has a second text, for the person who starts a run and for no record: it may repeat what a plug-in said.
type Detailed struct {
	Err  error
	More string
}

func (d *Detailed) Error() string { return d.Err.Error() }
func (d *Detailed) Unwrap() error { return d.Err }

// Env is a token in the environment variable of that name. It does not change in a run.
type Env string

// Fetch implements Source.
func (e Env) Fetch(context.Context) (Value, error) {
	v := strings.TrimSpace(os.Getenv(string(e)))
	if v == "" {
		return Value{}, fmt.Errorf("the environment variable %s is not set", string(e))
	}
	return Value{Token: v}, nil
}

// File is a token in the file at that path. It is looked at each second, as tokens of Kubernetes' service accounts are replaced.
type File string

// Fetch implements Source.
func (f File) Fetch(context.Context) (Value, error) {
	b, err := os.ReadFile(string(f))
	if err != nil {
		return Value{}, fmt.Errorf("read the token: %w", err)
	}
	if len(b) > maxToken {
		return Value{}, fmt.Errorf("read the token: %s is larger than %d bytes", string(f), maxToken)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return Value{}, fmt.Errorf("read the token: %s is empty", string(f))
	}
	return Value{Token: v}, nil
}

// Every implements Polled.
func (File) Every() time.Duration { return time.Second }

// maxToken bounds what is read as a credential, in bytes.
const maxToken = 1 << 20

// ErrExpired says that the credential has expired and no fresh one could be had.
var ErrExpired = errors.New("the credential has expired")
