package chill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// coldVariable is the variable that is touched in a function's environment.
const coldVariable = "ASSAY_COLD"

// Lambda makes an AWS Lambda function cold by changing one variable of its environment: a changed configuration is never served by
// execution environments of the one before. It holds for the unpublished version ($LATEST) alone: a published one, which an alias leads to,
// cannot be changed. Undo takes the variable away again and leaves all others as they are.
type Lambda struct {
	Function string
	Endpoint string                                                          // URL of the Lambda API, for example https://lambda.eu-west-1.amazonaws.com
	Sign     func(ctx context.Context, req *http.Request, body []byte) error // nil: requests are not signed
	Client   *http.Client                                                    // nil: http.DefaultClient
	Poll     time.Duration                                                   // 0: 250 ms
	Now      func() time.Time                                                // of the variable's value; nil: time.Now

	touched bool
	round   int
}

var _ Chiller = (*Lambda)(nil)

// String implements Chiller.
func (l *Lambda) String() string { return "lambda function " + l.Function }

// function is what we read of a function's configuration.
type function struct {
	State            string `json:"State"`
	LastUpdateStatus string `json:"LastUpdateStatus"`
	UpdateReason     string `json:"LastUpdateStatusReason"`
	RevisionID       string `json:"RevisionId"`
	Environment      struct {
		Variables map[string]string `json:"Variables"`
		Error     struct {
			Message string `json:"Message"`
		} `json:"Error"`
	} `json:"Environment"`
}

// Check implements Chiller.
func (l *Lambda) Check(ctx context.Context) error {
	// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER], ACCOUNT:function:NAME[:QUALIFIER] or NAME[:QUALIFIER]
	parts := strings.Split(l.Function, ":")
	names := 1
	for i, p := range parts {
		if p == "function" {
			names = i + 2
		}
	}
	if len(parts) > names && parts[names] != "$LATEST" {
		return fmt.Errorf("%s is a published version or an alias, which cannot be changed: force cold starts of the function itself", l)
	}
	f, err := l.get(ctx)
	if err != nil {
		return err
	}
	if _, ok := f.Environment.Variables[coldVariable]; ok {
		l.touched = true // by a run that was killed: it is taken away with ours
	}
	return nil
}

// Chill implements Chiller.
func (l *Lambda) Chill(ctx context.Context) error {
	l.touched = true // even if the answer is lost
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	l.round++
	return l.change(ctx, func(vars map[string]string) {
		vars[coldVariable] = strconv.FormatInt(now().Unix(), 10) + "-" + strconv.Itoa(l.round)
	})
}

// Undo implements Chiller.
func (l *Lambda) Undo(ctx context.Context) error {
	if !l.touched {
		return nil
	}
	if err := l.change(ctx, func(vars map[string]string) { delete(vars, coldVariable) }); err != nil {
		return fmt.Errorf("%w; by hand: remove the variable %s from its environment", err, coldVariable)
	}
	l.touched = false
	return nil
}

// Recover undoes what a run left behind that was killed. It reports whether there was anything.
func (l *Lambda) Recover(ctx context.Context) (bool, error) {
	f, err := l.get(ctx)
	if err != nil {
		return false, err
	}
	if _, ok := f.Environment.Variables[coldVariable]; !ok {
		return false, nil
	}
	l.touched = true
	return true, l.Undo(ctx)
}

// change edits the variables of the environment and waits until the function has them.
func (l *Lambda) change(ctx context.Context, edit func(map[string]string)) error {
	err := poll(ctx, l.Poll, func() (bool, error) {
		f, err := l.settled(ctx)
		if err != nil {
			return false, err
		}
		vars := map[string]string{}
		for k, v := range f.Environment.Variables {
			vars[k] = v
		}
		edit(vars)
		// The revision keeps us from undoing what somebody else changes at the same time.
		body, err := json.Marshal(map[string]any{"Environment": map[string]any{"Variables": vars}, "RevisionId": f.RevisionID})
		if err != nil {
			return false, err
		}
		status, _, err := l.call(ctx, http.MethodPut, body)
		if status == http.StatusConflict || status == http.StatusPreconditionFailed {
			return false, nil // it changes right now: look again
		}
		return err == nil, err
	})
	if err == nil {
		_, err = l.settled(ctx)
	}
	if err != nil {
		return fmt.Errorf("change the configuration of %s: %w", l, err)
	}
	return nil
}

// settled waits until no update of the function is under way.
func (l *Lambda) settled(ctx context.Context) (f function, err error) {
	err = poll(ctx, l.Poll, func() (bool, error) {
		if f, err = l.get(ctx); err != nil {
			return false, err
		}
		switch f.LastUpdateStatus {
		case "InProgress":
			return false, nil
		case "Failed":
			return false, fmt.Errorf("its last update failed: %s", f.UpdateReason)
		}
		return f.State != "Pending", nil
	})
	return f, err
}

func (l *Lambda) get(ctx context.Context) (function, error) {
	var f function
	_, body, err := l.call(ctx, http.MethodGet, nil)
	if err != nil {
		return f, fmt.Errorf("look at %s: %w", l, err)
	}
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("look at %s: read the answer: %w", l, err)
	}
	if m := f.Environment.Error.Message; m != "" {
		return f, fmt.Errorf("look at %s: its environment cannot be read: %s", l, m)
	}
	return f, nil
}

func (l *Lambda) call(ctx context.Context, method string, body []byte) (status int, answer []byte, err error) {
	path := "/2015-03-31/functions/" + url.PathEscape(l.Function) + "/configuration"
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(l.Endpoint, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if l.Sign != nil {
		if err := l.Sign(ctx, req, body); err != nil {
			return 0, nil, fmt.Errorf("sign: %w", err)
		}
	}
	res, err := orDefault(l.Client).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return res.StatusCode, nil, err
	case res.StatusCode/100 != 2:
		return res.StatusCode, nil, fmt.Errorf("%s", said(res.StatusCode, answer))
	}
	return res.StatusCode, answer, nil
}
