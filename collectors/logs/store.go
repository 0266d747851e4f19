package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/assay-dev/assay/internal/ask"
)

// Bounds of what a store is asked for.
const (
	maxAnswer = 64 << 20 // bytes of one answer
	maxLines  = 2_000_000
	storeWait = 60 * time.Second
)

// A store is asked over HTTP.
type store struct {
	base   url.URL // without its query
	token  string
	client *http.Client
}

func openStore(at *url.URL, token string) *store {
	s := &store{base: *at, token: token, client: &http.Client{Timeout: storeWait, CheckRedirect: stay}}
	s.base.RawQuery, s.base.Fragment = "", ""
	return s
}

// stay follows no redirect: the token and the password in a URL are this store's.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A refusal is an answer that is no success.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refused(err error, status ...int) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, s := range status {
		if r.status == s {
			return true
		}
	}
	return false
}

// ask makes a request and reads its JSON answer.
func (s *store) ask(ctx context.Context, method, path string, query url.Values, body, into any) error {
	u := *s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(raw))
	if err != nil {
		return ask.Unnamed(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, u.Path, ask.Unnamed(err)) // the caller names the store
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(answer) > maxAnswer:
		return fmt.Errorf("%s %s: an answer of more than %d MiB", method, u.Path, maxAnswer>>20)
	case res.StatusCode/100 != 2:
		return &refusal{res.StatusCode, fmt.Sprintf("%s %s: %s: %.200s", method, u.Path, res.Status, bytes.ToValidUTF8(answer, nil))}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, u.Path, err)
	}
	return nil
}
