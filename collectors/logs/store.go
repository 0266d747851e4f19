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
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/secret"
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
	tenant string // of a Loki that has several; "" for none
	run    string // id of the run, so that those who keep the store can tell whose requests these are; "" for none
	client *http.Client
}

func openStore(at *url.URL, token string) *store {
	s := &store{base: *at, token: token, client: &http.Client{Timeout: storeWait, CheckRedirect: stay}}
	s.base.RawQuery, s.base.Fragment = "", ""
	return s
}

// stay follows no redirect: the token and the password in a URL are this store's.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// authorization is how a token is shown: as a bearer's, unless it names its scheme, as in ApiKey BASE64.
func authorization(token string) string {
	if token == "" || strings.Contains(token, " ") {
		return token
	}
	return "Bearer " + token
}

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
	u.Path = "/" + strings.TrimPrefix(u.Path, "/")
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
	for name, v := range map[string]string{"Authorization": authorization(s.token), "X-Scope-OrgID": s.tenant, "X-Assay-Run": s.run} {
		if v != "" {
			req.Header.Set(name, v)
		}
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
		return &refusal{res.StatusCode, strings.TrimSuffix(fmt.Sprintf("%s %s: %s: %s", method, u.Path, res.Status, secret.Text(string(answer), 200)), ": ")}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, u.Path, err)
	}
	return nil
}
