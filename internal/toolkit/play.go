package toolkit

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// An Output is what an activity gave.
type Output struct {
	Status  int               `json:"status"` // of the answer, or of the process's exit
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"` // JSON where the answer says that it is, else text
	Stdout  string            `json:"stdout,omitempty"`
	Stderr  string            `json:"stderr,omitempty"`
	process bool
}

// maxOutput bounds what is kept of a body or of what a process writes.
const maxOutput = 64 << 10

// A Result is one activity as it was played.
type Result struct {
	Stage     string          `json:"stage"` // before, method, after, rollback
	Index     int             `json:"index"`
	Activity  json.RawMessage `json:"activity"`
	Status    string          `json:"status"` // succeeded or failed
	Start     time.Time       `json:"start"`
	End       time.Time       `json:"end"`
	Output    *Output         `json:"output,omitempty"`
	Tolerance *bool           `json:"tolerance_met,omitempty"`
	Why       string          `json:"why,omitempty"`  // it failed, or what the tolerance was held against
	Lost      bool            `json:"lost,omitempty"` // its request was sent and given up without an answer: the server may still do it
}

// The statuses of an activity.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
)

// resolved is an activity with its variables filled in.
type resolved struct {
	http    *HTTP
	process *Process
	path    string   // of the program
	hide    []string // values that are secret
}

// resolve fills in the variables of an activity.
func (s *Settings) resolve(a *Activity) (*resolved, error) {
	vars, secret, err := s.variables(a)
	if err != nil {
		return nil, err
	}
	out := &resolved{}
	for k := range secret {
		if v, err := vars[k].get(); err == nil && len(v) > 3 {
			out.hide = append(out.hide, v)
		}
	}
	var errs []error
	f := func(text string) string {
		v, err := fill(text, vars)
		errs = append(errs, err)
		return v
	}
	switch {
	case a.HTTP != nil:
		h := *a.HTTP
		h.URL = f(h.URL)
		h.Headers = map[string]string{}
		for k, v := range a.HTTP.Headers {
			h.Headers[k] = f(v)
		}
		if len(h.Body) > 0 {
			h.Body = json.RawMessage(fillJSON(h.Body, f))
		}
		if u, err := url.Parse(h.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, errors.New("its url is no URL of HTTP once its variables are filled in"))
		}
		out.http = &h
	case a.Process != nil:
		p := *a.Process
		p.Path = f(p.Path)
		p.Args = nil
		for _, arg := range a.Process.Args {
			p.Args = append(p.Args, f(arg))
		}
		path, err := exec.LookPath(p.Path)
		if err != nil {
			errs = append(errs, fmt.Errorf("program %s: %w", a.Process.Path, errors.Unwrap(err)))
		}
		out.process, out.path = &p, path
	}
	return out, errors.Join(errs...)
}

// fillJSON fills in the texts of a JSON value.
func fillJSON(raw json.RawMessage, f func(string) string) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	var walk func(any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case string:
			return f(x)
		case []any:
			for i := range x {
				x[i] = walk(x[i])
			}
		case map[string]any:
			for k := range x {
				x[k] = walk(x[k])
			}
		}
		return v
	}
	b, err := json.Marshal(walk(v))
	if err != nil {
		return raw
	}
	return b
}

// manner is how an activity is played beyond what stands in it.
type manner struct {
	arrival time.Duration                             // how much longer than ctx the request of an action is waited for
	own     func(pid int) (release func(), err error) // of a process; may be nil
}

// Play plays an activity, pauses included, and says what came of it. It is over when ctx is.
func (s *Settings) Play(ctx context.Context, a *Activity) Result { return s.playAs(ctx, a, manner{}) }

func (s *Settings) playAs(ctx context.Context, a *Activity, how manner) Result {
	r := Result{Activity: a.Raw, Status: Failed}
	pause(ctx, a.Before)
	r.Start = time.Now().UTC()
	one, err := s.resolve(a)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		if a.Type != "action" {
			how.arrival = 0
		}
		r.Output, err = one.play(ctx, how)
		r.Lost = a.Type == "action" && errors.Is(err, errLost)
	}
	r.End = time.Now().UTC()
	if err == nil {
		r.Status = Succeeded
		err = r.judge(s, a)
	} else {
		r.Status = Failed
		if a.Tolerance != nil {
			no := false
			r.Tolerance = &no
		}
	}
	if err != nil {
		r.Why = err.Error()
	}
	if one != nil {
		r.hide(one.hide)
	}
	if r.Status == Succeeded {
		pause(ctx, a.After)
	}
	return r
}

// judge holds the output against the tolerance of a probe, or an action against what it should have answered.
func (r *Result) judge(s *Settings, a *Activity) error {
	if a.HTTP != nil && (a.HTTP.Expected != 0 && r.Output.Status != a.HTTP.Expected || a.HTTP.Expected == 0 && a.Type == "action" && r.Output.Status >= 400) {
		r.Status = Failed
		return fmt.Errorf("status %d", r.Output.Status)
	}
	if a.Process != nil && a.Type == "action" && r.Output.Status != 0 {
		r.Status = Failed
		return fmt.Errorf("exit status %d: %s", r.Output.Status, lastLine(r.Output.Stderr))
	}
	if a.Tolerance == nil {
		return nil
	}
	t := *a.Tolerance
	vars, _, err := s.variables(a)
	if err == nil {
		t.Text, err = fill(t.Text, vars)
	}
	if err != nil {
		return err
	}
	ok, why := t.Met(r.Output)
	r.Tolerance = &ok
	return errors.New(why)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// hide takes secret values out of what is kept.
func (r *Result) hide(values []string) {
	if len(values) == 0 {
		return
	}
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "***")
	}
	rep := strings.NewReplacer(pairs...)
	r.Why = rep.Replace(r.Why)
	if o := r.Output; o != nil {
		o.Stdout, o.Stderr = rep.Replace(o.Stdout), rep.Replace(o.Stderr)
		for k, v := range o.Headers {
			o.Headers[k] = rep.Replace(v)
		}
		if o.Body != nil {
			b, _ := json.Marshal(o.Body) // it came from JSON
			if json.Unmarshal(fillJSON(b, rep.Replace), &o.Body) != nil {
				o.Body = nil
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (p *resolved) play(ctx context.Context, how manner) (*Output, error) {
	if p.http != nil {
		ctx, cancel := outlive(ctx, how.arrival)
		defer cancel()
		return p.http.do(ctx)
	}
	return run(ctx, p.path, p.process, how.own)
}

// outlive returns a context that is done a while after ctx is.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	if by == 0 {
		return ctx, func() {}
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	over := context.AfterFunc(ctx, func() {
		pause(longer, by)
		cancel()
	})
	return longer, func() {
		over()
		cancel()
	}
}

// errLost says that a request was given up without an answer.
var errLost = errors.New("the server may still do it")

func (h *HTTP) do(ctx context.Context) (*Output, error) {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	target, body, kind, err := h.content()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, h.Method, target, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range h.Headers {
		req.Header.Set(k, v)
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.Insecure}} //nolint:gosec // verify_tls: false asks for it
	defer t.CloseIdleConnections()
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, tidy(err, ctx, h.Timeout)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput))
	if err != nil {
		return nil, tidy(err, ctx, h.Timeout)
	}
	o := &Output{Status: resp.StatusCode, Headers: map[string]string{}, Body: string(raw)}
	for k := range resp.Header {
		if k != "Set-Cookie" && k != "Authorization" {
			o.Headers[k] = resp.Header.Get(k)
		}
	}
	var v any
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && json.Unmarshal(raw, &v) == nil {
		o.Body = v
	}
	return o, nil
}

// tidy leaves the URL out of an error, whose query may hold what no record may.
func tidy(err error, ctx context.Context, limit time.Duration) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("took longer than its time-out or what was left, %v at most: %w", limit, errLost)
	case ctx.Err() != nil:
		return fmt.Errorf("was given up when the run was stopped: %w", errLost)
	}
	return err
}

// content returns where and what is sent: arguments are the query of a GET, else a form or JSON.
func (h *HTTP) content() (target string, body io.Reader, kind string, err error) {
	if len(h.Body) == 0 {
		return h.URL, nil, "", nil
	}
	var v any
	if err := json.Unmarshal(h.Body, &v); err != nil {
		return "", nil, "", err
	}
	m, mapping := v.(map[string]any)
	form := url.Values{}
	for k, x := range m {
		form.Set(k, plain(x))
	}
	given := ""
	for k, x := range h.Headers {
		if strings.EqualFold(k, "Content-Type") {
			given = x
		}
	}
	switch {
	case h.Method == "GET" && mapping:
		u, err := url.Parse(h.URL)
		if err != nil {
			return "", nil, "", err
		}
		q := u.Query()
		for k := range form {
			q.Set(k, form.Get(k))
		}
		u.RawQuery = q.Encode()
		return u.String(), nil, "", nil
	case mapping && !strings.Contains(given, "json"):
		return h.URL, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", nil
	}
	if s, ok := v.(string); ok {
		return h.URL, strings.NewReader(s), "", nil
	}
	return h.URL, bytes.NewReader(h.Body), "application/json", nil
}

// value returns the part of an output that a tolerance looks at: a field of it, or what people mean where they name none.
func (o *Output) value(target string) any {
	switch target {
	case "status":
		return float64(o.Status)
	case "body":
		return o.Body
	case "stdout":
		return o.Stdout
	case "stderr":
		return o.Stderr
	case "headers":
		m := map[string]any{}
		for k, v := range o.Headers {
			m[k] = v
		}
		return m
	}
	if o.process {
		return o.Stdout
	}
	return o.Body
}

// scalar returns what is compared with a scalar of the kind of want.
func (o *Output) scalar(want any) any {
	switch want.(type) {
	case float64:
		return float64(o.Status)
	case bool:
		if o.process {
			return o.Status == 0
		}
		if b, ok := o.Body.(bool); ok {
			return b
		}
		return o.Status < 400
	}
	return strings.TrimSpace(textOf(o.value("")))
}
