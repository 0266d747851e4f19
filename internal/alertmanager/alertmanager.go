// Package alertmanager speaks as much of Alertmanager's API v2 as a drill needs: it makes silences that end by themselves, ends them early, and
// lists what fires, silenced or not.
package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/ask"
)

// A Client speaks to one server, whose URL is without /api/v2. Its methods may be called at once.
type Client ask.Server

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
		return "", fmt.Errorf("%s: the answer names no silence", ask.Shown(c.URL))
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

type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("status %d %s", e.code, e.text))
}

// NotDone reports whether err says that what was asked for was not done and will not be: the server itself refused it, or was not reached. After any other
// it may have been done, or may still be.
func NotDone(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code != http.StatusBadGateway && status.code != http.StatusGatewayTimeout
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	if err := c.try(ctx, method, path, in, out); err != nil {
		where, _, _ := strings.Cut(path, "?")
		return fmt.Errorf("%s %s%s: %w", method, strings.TrimRight(ask.Shown(c.URL), "/"), where, err)
	}
	return nil
}

func (c *Client) try(ctx context.Context, method, path string, in, out any) error {
	kind, body := "", []byte(nil)
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		kind = "application/json"
	}
	status, b, err := (*ask.Server)(c).Do(ctx, method, path, kind, body, maxAnswer)
	switch {
	case err != nil:
		return err
	case status/100 != 2:
		return &statusError{status, string(bytes.TrimSpace(b[:min(len(b), 200)]))}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the answer is none of Alertmanager's API v2: %w", err)
	}
	return nil
}
