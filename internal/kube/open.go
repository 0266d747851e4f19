package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Open sends a GET whose answer stays open, as that of a watch does, and returns its body, which the caller closes. Only ctx bounds it.
func (c *Client) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	for again := true; ; again = false {
		body, err := c.open(ctx, path)
		var refused *Error
		if again && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && c.source != nil {
			c.mu.Lock()
			c.until = time.Time{} // the token was taken back before its time
			c.mu.Unlock()
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		return body, nil
	}
}

func (c *Client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Server+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if token, err := c.bearer(ctx); err != nil {
		return nil, err
	} else if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	e := &Error{Status: res.StatusCode}
	var s struct{ Message, Reason string }
	if json.Unmarshal(answer, &s) == nil {
		e.Text, e.Reason = strings.ToValidUTF8(s.Message[:min(len(s.Message), 300)], ""), s.Reason
	}
	return nil, e
}

// Status returns the HTTP status that err carries, 0 for none.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
