// Package alertmanager speaks as much of Alertmanager's API v2 as a drill needs: it makes silences that end by themselves, ends them early, and
// lists what fires, silenced or not.
package alertmanager

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
)

// A Client speaks to one server. Its methods may be called at once.
type Client struct {
	URL   string                                    // of the server, without /api/v2
	RunID string                                    // sent with each request; empty for none
	Token func(ctx context.Context) (string, error) // bearer token; nil for none
	HTTP  *http.Client                              // nil for one of its own, which follows no redirect
}

// A Matcher is a condition on one label. A regular expression is anchored at both ends.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// String writes the matcher as PromQL does.
func (m Matcher) String() string {
	op := map[[2]bool]string{{false, true}: "=", {true, true}: "=~", {false, false}: "!=", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
	return fmt.Sprintf("%s%s%q", m.Name, op, m.Value)
}

// A Silence keeps alerts that match all its matchers from being sent.
type Silence struct {
	ID        string    `json:"id,omitempty"`
	Matchers  []Matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	Status    *struct {
		State string `json:"state"` // pending, active, expired
	} `json:"status,omitempty"`
}

// Over reports whether the silence has ended.
func (s *Silence) Over() bool { return s.Status != nil && s.Status.State == "expired" }

// An Alert is one that fires.
type Alert struct {
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	Status   struct {
		State      string   `json:"state"` // unprocessed, active, suppressed
		SilencedBy []string `json:"silencedBy"`
	} `json:"status"`
}

// Silences lists the silences there are, those that have ended included.
func (c *Client) Silences(ctx context.Context) ([]Silence, error) {
	var out []Silence
	return out, c.ask(ctx, http.MethodGet, "/api/v2/silences", nil, &out)
}

// Silence makes a silence and returns its id. One with the id of a silence that has not ended changes that, which may give it another id; its
// beginning must be the one that [Client.Silences] tells.
func (c *Client) Silence(ctx context.Context, s Silence) (id string, err error) {
	var out struct {
		ID string `json:"silenceID"`
	}
	if err := c.ask(ctx, http.MethodPost, "/api/v2/silences", s, &out); err != nil {
		return "", err
	}
	if out.ID == "" {
		return "", fmt.Errorf("%s: the answer names no silence", c.URL)
	}
	return out.ID, nil
}

// Expire ends a silence. One that is not known is no error.
func (c *Client) Expire(ctx context.Context, id string) error {
	err := c.ask(ctx, http.MethodDelete, "/api/v2/silence/"+url.PathEscape(id), nil, nil)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil
	}
	return err
}

// Firing lists the alerts that fire and match, whether or not they are silenced or inhibited.
func (c *Client) Firing(ctx context.Context, matchers ...Matcher) ([]Alert, error) {
	q := url.Values{}
	for _, m := range matchers {
		q.Add("filter", m.String())
	}
	var out []Alert
	return out, c.ask(ctx, http.MethodGet, "/api/v2/alerts?"+q.Encode(), nil, &out)
}

const maxAnswer = 16 << 20 // a large installation has thousands of alerts and silences

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", e.code, e.text))
}

func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	err := c.try(ctx, method, path, in, out)
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // named below
	}
	if err != nil {
		where, _, _ := strings.Cut(path, "?")
		return fmt.Errorf("%s %s%s: %w", method, strings.TrimRight(c.URL, "/"), where, err)
	}
	return nil
}

func (c *Client) try(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.RunID != "" {
		req.Header.Set("X-Assay-Run", c.RunID)
	}
	if c.Token != nil {
		token, err := c.Token(ctx)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := c.HTTP
	if client == nil {
		client = plain
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxAnswer:
		return fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)
	case resp.StatusCode/100 != 2:
		return &statusError{resp.StatusCode, string(bytes.TrimSpace(b[:min(len(b), 200)]))}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the answer is none of Alertmanager's API v2: %w", err)
	}
	return nil
}
