// Package kube talks to the API server of a Kubernetes cluster, as far as assay needs it: plain REST with JSON. A [Client] comes from
// a kubeconfig file ([Load]) or from the service account of the pod that runs assay ([InCluster]).
//
// The official client is not used: it would add more to the binary than all that is asked of it here, a handful of requests.
package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/credential"
)

// RunLabel is the label of objects that a run made or changed: its id.
const RunLabel = "assay.dev/run"

const (
	maxAnswer = 16 << 20
	timeout   = 30 * time.Second // of one request
)

// A Client speaks to one API server.
type Client struct {
	Server    string // URL without a trailing slash
	Namespace string // of the context; "" where it names none
	Config    string // absolute path of the kubeconfig that it came from; "": a pod's service account
	Context   string // of the kubeconfig
	HTTP      *http.Client

	source credential.Source // of a bearer token; nil: none, or a client certificate

	mu    sync.Mutex
	token credential.Value
	until time.Time // when to ask for another
}

// An Error is an answer of the API server that is no success.
type Error struct {
	Status int
	Reason string // machine-readable, for example NotFound
	Text   string
}

// Error returns what the server said.
func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %s", e.Status, e.Text)
}

// NotFound reports whether err says that the object is not there.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// Forbidden reports whether err says that we may not do that, or that a quota or another admission control does not let us.
func Forbidden(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden
}

// Get reads the object or list at path, with its query, into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, v)
}

// Create posts body to the collection at path and reads the answer into v, if that is not nil.
func (c *Client) Create(ctx context.Context, path string, body, v any) error {
	return c.do(ctx, http.MethodPost, path, "application/json", body, v)
}

// Patch merges patch into the object at path (RFC 7386).
func (c *Client) Patch(ctx context.Context, path string, patch any, v any) error {
	return c.do(ctx, http.MethodPatch, path, "application/merge-patch+json", patch, v)
}

// Edit carries out operations on the object at path, all or none (RFC 6902).
func (c *Client) Edit(ctx context.Context, path string, operations any, v any) error {
	return c.do(ctx, http.MethodPatch, path, "application/json-patch+json", operations, v)
}

// Delete deletes the object or the collection at path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, "", nil, nil)
}

// DeleteOnly deletes the object at path if it has that UID. Another is a conflict: an [Error] of status 409.
func (c *Client) DeleteOnly(ctx context.Context, path, uid string) error {
	if uid == "" {
		return c.Delete(ctx, path)
	}
	return c.do(ctx, http.MethodDelete, path, "application/json", map[string]any{"preconditions": map[string]string{"uid": uid}}, nil)
}

func (c *Client) do(ctx context.Context, method, path, kind string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	for again := true; ; again = false {
		answer, err := c.once(ctx, method, path, kind, raw)
		var refused *Error
		if again && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && c.source != nil {
			c.mu.Lock()
			c.until = time.Time{} // the token was taken back before its time
			c.mu.Unlock()
			continue
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		if into == nil {
			return nil
		}
		if err := json.Unmarshal(answer, into); err != nil {
			return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
		}
		return nil
	}
}

func (c *Client) once(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if token, err := c.bearer(ctx); err != nil {
		return nil, err
	} else if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("an answer larger than %d MiB", maxAnswer>>20)
	case res.StatusCode/100 != 2:
		e := &Error{Status: res.StatusCode}
		var s struct{ Message, Reason string }
		if json.Unmarshal(answer, &s) == nil {
			e.Text, e.Reason = strings.ToValidUTF8(s.Message[:min(len(s.Message), 300)], ""), s.Reason
		}
		return nil, e
	}
	return answer, nil
}

// bearer returns the token to show, "" for none.
func (c *Client) bearer(ctx context.Context) (string, error) {
	if c.source == nil {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.token.Token, nil
	}
	v, err := c.source.Fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch the credential: %w", err)
	}
	c.token, c.until = v, time.Now().Add(time.Minute)
	if !v.Expires.IsZero() && v.Expires.After(time.Now()) {
		c.until = time.Now().Add(time.Until(v.Expires) / 2)
	}
	return v.Token, nil
}
