// Package lambda talks to the control API of AWS Lambda about one function, and to EventBridge Scheduler about what is to be done to it later: the
// handful of requests that faults and their undo need, plain REST with JSON, signed with Signature Version 4.
//
// What AWS answers to a look may be older than the last change. Callers look until they see what they want.
package lambda

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

	"github.com/assay-dev/assay/internal/awsauth"
)

const (
	maxAnswer = 8 << 20
	timeout   = 20 * time.Second // of one request
)

// A Client speaks of one function. Its methods may be called at once.
type Client struct {
	Function string // name or ARN
	Region   string
	Endpoint string // of the Lambda API; "": that of the region
	Schedule string // endpoint of EventBridge Scheduler; "": that of the region
	HTTP     *http.Client
	Backoff  time.Duration // before a request that was refused for now is made again; default 300 ms, doubled each time

	chain awsauth.Chain
}

// An Error is an answer that is no success.
type Error struct {
	Status int
	Code   string // for example ResourceNotFoundException
	Text   string
}

// Error returns what AWS said.
func (e *Error) Error() string {
	return strings.TrimSuffix(strings.TrimSpace(fmt.Sprintf("status %d %s: %s", e.Status, e.Code, e.Text)), ":")
}

// NotFound reports whether err says that there is no such thing.
func NotFound(err error) bool { return status(err) == http.StatusNotFound }

// Busy reports whether err says that something else changes right now, or has changed since we looked.
func Busy(err error) bool {
	return status(err) == http.StatusConflict || status(err) == http.StatusPreconditionFailed
}

func status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Configuration is what we read of a function's configuration.
type Configuration struct {
	State            string `json:"State"`
	LastUpdateStatus string `json:"LastUpdateStatus"`
	UpdateReason     string `json:"LastUpdateStatusReason"`
	RevisionID       string `json:"RevisionId"`
	ARN              string `json:"FunctionArn"`
	Environment      struct {
		Variables map[string]string `json:"Variables"`
		Error     struct {
			Message string `json:"Message"`
		} `json:"Error"`
	} `json:"Environment"`
}

// Configuration returns the function's configuration. An environment that we may not read is an error.
func (c *Client) Configuration(ctx context.Context) (Configuration, error) {
	var f Configuration
	if err := c.lambda(ctx, http.MethodGet, "2015-03-31", "configuration", nil, &f); err != nil {
		return f, fmt.Errorf("look at the function %s: %w", c.Function, err)
	}
	if m := f.Environment.Error.Message; m != "" {
		return f, fmt.Errorf("look at the function %s: its environment cannot be read: %s", c.Function, m)
	}
	return f, nil
}

// SetVariables makes vars the variables of the function if its revision is still the one given; else the error is Busy.
func (c *Client) SetVariables(ctx context.Context, vars map[string]string, revision string) error {
	body := map[string]any{"Environment": map[string]any{"Variables": vars}, "RevisionId": revision}
	if err := c.lambda(ctx, http.MethodPut, "2015-03-31", "configuration", body, nil); err != nil {
		return fmt.Errorf("change the configuration of the function %s: %w", c.Function, err)
	}
	return nil
}

// Concurrency returns how many requests at once are reserved for the function, and so its limit; nil where there is none of its own.
func (c *Client) Concurrency(ctx context.Context) (*int, error) {
	var a struct{ ReservedConcurrentExecutions *int }
	if err := c.lambda(ctx, http.MethodGet, "2019-09-30", "concurrency", nil, &a); err != nil {
		return nil, fmt.Errorf("look at the concurrency of the function %s: %w", c.Function, err)
	}
	return a.ReservedConcurrentExecutions, nil
}

// SetConcurrency sets it; nil takes it away.
func (c *Client) SetConcurrency(ctx context.Context, n *int) error {
	method, body := http.MethodDelete, any(nil)
	if n != nil {
		method, body = http.MethodPut, map[string]any{"ReservedConcurrentExecutions": *n}
	}
	if err := c.lambda(ctx, method, "2017-10-31", "concurrency", body, nil); err != nil {
		return fmt.Errorf("change the concurrency of the function %s: %w", c.Function, err)
	}
	return nil
}

// lambda makes one request of the Lambda API about the function.
func (c *Client) lambda(ctx context.Context, method, version, what string, body, into any) error {
	base := c.Endpoint
	if base == "" {
		base = "https://lambda." + c.Region + "." + domain(c.Region)
	}
	return c.do(ctx, "lambda", method, strings.TrimSuffix(base, "/")+"/"+version+"/functions/"+url.PathEscape(c.Function)+"/"+what, body, into)
}

func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// do makes a request, again and again while AWS says that there are too many or fails itself, until ctx is done.
func (c *Client) do(ctx context.Context, service, method, at string, body, into any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	wait := c.Backoff
	if wait == 0 {
		wait = 300 * time.Millisecond
	}
	for try := 0; ; try++ {
		answer, err := c.once(ctx, service, method, at, raw)
		if s := status(err); (s == http.StatusTooManyRequests || s >= 500) && try < 6 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
				wait *= 2
				continue
			case <-ctx.Done():
				t.Stop()
				return err
			}
		}
		if err != nil || into == nil {
			return err
		}
		if err := json.Unmarshal(answer, into); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return nil
	}
}

func (c *Client) once(ctx context.Context, service, method, at string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	keys, err := c.chain.Keys(ctx, c.Region)
	if err != nil {
		return nil, err
	}
	if err := awsauth.Sign(ctx, req, body, keys, service, c.Region, time.Now()); err != nil {
		return nil, err
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode/100 != 2:
		e := &Error{Status: res.StatusCode}
		e.Code, _, _ = strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":")
		var said struct{ Message string } // and message: names are compared without case
		if json.Unmarshal(answer, &said) == nil {
			e.Text = strings.ToValidUTF8(said.Message[:min(len(said.Message), 300)], "")
		}
		return nil, e
	}
	return answer, nil
}
