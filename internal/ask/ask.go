// Package ask asks the servers that users run beside a target, on behalf of a run: a request bears the run's id and a token, and follows no redirect.
package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Server is one that is asked. Its methods may be called at once.
type Server struct {
	URL   string                                    // without the path of its API
	RunID string                                    // sent with each request, so that those who run the server can tell whose it is; empty for none
	Token func(ctx context.Context) (string, error) // bearer token; nil for none
	HTTP  *http.Client                              // nil for one of its own, which follows no redirect
}

// ErrMore says that an answer is larger than was asked for.
var ErrMore = errors.New("the answer has more than")

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Do sends a request, with a body of the kind unless that is empty, and returns the status of the answer and its body. One of more than most bytes is
// an error. No error names the URL: whoever asks does.
func (s *Server) Do(ctx context.Context, method, path, kind string, body []byte, most int) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, Unnamed(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if s.RunID != "" {
		req.Header.Set("X-Assay-Run", s.RunID)
	}
	if s.Token != nil {
		token, err := s.Token(ctx)
		if err != nil {
			return 0, nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := s.HTTP
	if client == nil {
		client = plain
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, Unnamed(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(resp.Body, int64(most)+1)); err != nil {
		return 0, nil, err
	}
	if len(answer) > most {
		return 0, nil, fmt.Errorf("%w %d MiB", ErrMore, most>>20)
	}
	return resp.StatusCode, answer, nil
}

// Unnamed returns what net/http and net/url say is wrong, without the URL that their errors show, which may hold secrets.
func Unnamed(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
