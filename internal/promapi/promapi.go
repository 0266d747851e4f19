// Package promapi asks a server that speaks Prometheus' HTTP API for the value of an expression now. Guards, hypotheses and the check of
// alerts look at the users' own metrics through it; Thanos, Mimir and VictoriaMetrics answer in the same way.
package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/secret"
)

// A Client asks one server, whose URL is without /api/v1. Its methods may be called at once.
type Client ask.Server

// A Sample is one series' value at one instant.
type Sample struct {
	Labels map[string]string
	Time   time.Time
	Value  float64
}

// ErrNoData says that an expression has no value now.
var ErrNoData = errors.New("no data")

const maxAnswer = 4 << 20

// Query evaluates an instant query at the server's present. A scalar comes back as one sample without labels. An expression without a value
// gives no samples and no error.
func (c *Client) Query(ctx context.Context, promql string) ([]Sample, error) {
	data, err := c.ask(ctx, promql)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", ask.Shown(c.URL), err)
	}
	return data.samples()
}

// Value evaluates an expression that gives one number. It is ErrNoData if it gives none, or NaN.
func (c *Client) Value(ctx context.Context, promql string) (Sample, error) {
	list, err := c.Query(ctx, promql)
	switch {
	case err != nil:
		return Sample{}, err
	case len(list) == 0:
		return Sample{}, fmt.Errorf("%w: %s gives no series", ErrNoData, promql)
	case len(list) > 1:
		return Sample{}, fmt.Errorf("%s gives %d series; want one number, for example sum(…) or max(…)", promql, len(list))
	case math.IsNaN(list[0].Value):
		return Sample{}, fmt.Errorf("%w: %s is not a number", ErrNoData, promql)
	}
	return list[0], nil
}

func (c *Client) ask(ctx context.Context, promql string) (*result, error) {
	var r result
	form := url.Values{"query": {promql}}.Encode()
	return &r, c.send(ctx, http.MethodPost, "/api/v1/query", form, &r)
}

func (c *Client) get(ctx context.Context, path string, data any) error {
	return c.send(ctx, http.MethodGet, path, "", data)
}

func (c *Client) send(ctx context.Context, method, path, form string, data any) error {
	kind := ""
	if form != "" {
		kind = "application/x-www-form-urlencoded"
	}
	status, b, err := (*ask.Server)(c).Do(ctx, method, path, kind, []byte(form), maxAnswer)
	if err != nil {
		return err
	}
	return parse(b, status, data)
}

// answer is the envelope of each answer.
type answer struct {
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"`
	Type   string          `json:"errorType"`
	Error  string          `json:"error"`
}

type result struct {
	Type   string          `json:"resultType"`
	Result json.RawMessage `json:"result"`
}

func parse(b []byte, status int, data any) error {
	var a answer
	err := json.Unmarshal(b, &a)
	switch {
	case err == nil && a.Status == "success" && status/100 == 2:
		if err := json.Unmarshal(a.Data, data); err != nil {
			return fmt.Errorf("the answer's data: %w", err)
		}
		return nil
	case err == nil && a.Error != "":
		return errors.New(secret.Text(a.Type+": "+a.Error, 300))
	case status/100 != 2:
		return fmt.Errorf("status %d", status)
	}
	return fmt.Errorf("the answer is none of Prometheus' API: %q", secret.Text(string(b), 100))
}

// point is an instant in Unix seconds and a number in quotes.
type point [2]json.RawMessage

func (p point) sample() (s Sample, err error) {
	var at float64
	var text string
	if err := json.Unmarshal(p[0], &at); err != nil {
		return s, fmt.Errorf("time of a sample: %w", err)
	}
	if err := json.Unmarshal(p[1], &text); err != nil {
		return s, fmt.Errorf("value of a sample: %w", err)
	}
	if s.Value, err = strconv.ParseFloat(text, 64); err != nil {
		return s, fmt.Errorf("value of a sample: %w", err)
	}
	s.Time = time.UnixMilli(int64(math.Round(at * 1000)))
	return s, nil
}

func (r *result) samples() ([]Sample, error) {
	switch r.Type {
	case "scalar":
		var p point
		if err := json.Unmarshal(r.Result, &p); err != nil {
			return nil, fmt.Errorf("read a scalar: %w", err)
		}
		s, err := p.sample()
		if err != nil {
			return nil, err
		}
		return []Sample{s}, nil
	case "vector":
		var list []struct {
			Metric map[string]string `json:"metric"`
			Value  point             `json:"value"`
		}
		if err := json.Unmarshal(r.Result, &list); err != nil {
			return nil, fmt.Errorf("read a vector: %w", err)
		}
		var out []Sample
		for _, one := range list {
			if one.Value[0] == nil || one.Value[1] == nil {
				return nil, errors.New("a series has no plain number; histograms need an expression that makes one")
			}
			s, err := one.Value.sample()
			if err != nil {
				return nil, err
			}
			s.Labels = one.Metric
			out = append(out, s)
		}
		return out, nil
	}
	return nil, fmt.Errorf("the expression gives a %s; want a number at one instant", r.Type)
}

// AlertRules returns the names of the alerting rules that the server evaluates.
func (c *Client) AlertRules(ctx context.Context) ([]string, error) {
	var data struct {
		Groups []struct {
			Rules []struct {
				Name string `json:"name"`
				Type string `json:"type"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := c.get(ctx, "/api/v1/rules?type=alert", &data); err != nil {
		return nil, fmt.Errorf("ask %s: %w", ask.Shown(c.URL), err)
	}
	var names []string
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			if r.Type == "alerting" {
				names = append(names, r.Name)
			}
		}
	}
	return names, nil
}
