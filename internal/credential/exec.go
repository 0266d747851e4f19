package credential

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Exec runs a program that prints a credential, in the manner of Kubernetes' client-go plug-ins: the cloud command-line tools, aws-iam-authenticator,
// kubelogin and others speak it. The program prints an ExecCredential of client.authentication.k8s.io/v1 or v1beta1 with a
// token, or a client certificate and its key, or both, and when it expires. It is not asked to be interactive.
type Exec struct {
	Command string
	Args    []string
	Env     [][2]string // added to the environment
}

// execAPI is the group of the protocol; the versions differ in nothing that matters here.
const execAPI = "client.authentication.k8s.io/"

// execInfo is what the program finds in KUBERNETES_EXEC_INFO.
const execInfo = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`

// Fetch implements Source.
func (e Exec) Fetch(ctx context.Context) (Value, error) {
	cmd := exec.CommandContext(ctx, e.Command, e.Args...)
	cmd.Env = append(os.Environ(), "KUBERNETES_EXEC_INFO="+execInfo)
	for _, kv := range e.Env {
		cmd.Env = append(cmd.Env, kv[0]+"="+kv[1])
	}
	var out, said capped
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Second
	name := filepath.Base(e.Command)
	if err := cmd.Run(); err != nil {
		var status *exec.ExitError
		if ctx.Err() != nil {
			err = errors.New("it did not end in time")
		} else if errors.As(err, &status) {
			err = errors.New(status.String())
		}
		return Value{}, &Detailed{fmt.Errorf("run the credential plug-in %s: %w", name, err), firstLine(said.Bytes())}
	}
	v, err := readExecCredential(out.Bytes())
	if err != nil {
		return Value{}, fmt.Errorf("read what the credential plug-in %s printed: %w", name, err)
	}
	return v, nil
}

// readExecCredential reads what a plug-in printed. Its errors repeat nothing of it but names.
func readExecCredential(b []byte) (Value, error) {
	var c struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Status     *struct {
			Token       string     `json:"token"`
			Expires     *time.Time `json:"expirationTimestamp"`
			Certificate string     `json:"clientCertificateData"`
			Key         string     `json:"clientKeyData"`
		} `json:"status"`
	}
	if json.Unmarshal(b, &c) != nil {
		return Value{}, errors.New("not an ExecCredential in JSON")
	}
	s := c.Status
	switch {
	case c.Kind != "ExecCredential":
		return Value{}, errors.New("kind is not ExecCredential")
	case c.APIVersion != execAPI+"v1" && c.APIVersion != execAPI+"v1beta1":
		return Value{}, errors.New("apiVersion is neither " + execAPI + "v1 nor v1beta1")
	case s == nil:
		return Value{}, errors.New("it has no status")
	case s.Token == "" && s.Certificate == "" && s.Key == "":
		return Value{}, errors.New("status has neither token nor clientCertificateData")
	case (s.Certificate == "") != (s.Key == ""):
		return Value{}, errors.New("status has one of clientCertificateData and clientKeyData without the other")
	}
	v := Value{Token: strings.TrimSpace(s.Token)}
	if s.Expires != nil {
		v.Expires = *s.Expires
	}
	if s.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(s.Certificate), []byte(s.Key))
		if err != nil {
			return Value{}, errors.New("clientCertificateData and clientKeyData are not a certificate and its key in PEM")
		}
		v.Certificate = &pair
		if end := pair.Leaf.NotAfter; v.Expires.IsZero() || end.Before(v.Expires) {
			v.Expires = end
		}
	}
	return v, nil
}

// capped keeps the beginning of what is written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxToken {
		return 0, io.ErrShortWrite
	}
	return c.Buffer.Write(p)
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if len(line) > 300 {
		line = strings.ToValidUTF8(line[:300], "") + "…"
	}
	return line
}
