package chill

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lambdas is a stand-in for the Lambda API with one function: updates take some looks, one at a time, and want the revision that is there.
type lambdas struct {
	mu       sync.Mutex
	vars     map[string]string
	revision int
	busy     int // looks until the update is done
	fails    bool
	noise    int // changes by somebody else that come first
	puts     []map[string]string
	unsigned int
}

func (l *lambdas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Header.Get("Authorization") != "signed" {
		l.unsigned++
	}
	fail := func(status int, text string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": text})
	}
	if r.URL.EscapedPath() != "/2015-03-31/functions/generate/configuration" {
		fail(http.StatusNotFound, "Function not found: "+r.URL.Path)
		return
	}
	if r.Method == http.MethodPut {
		var in struct {
			Environment struct{ Variables map[string]string }
			RevisionId  string
		}
		body, _ := io.ReadAll(r.Body)
		switch err := json.Unmarshal(body, &in); {
		case err != nil:
			fail(http.StatusBadRequest, err.Error())
			return
		case l.busy > 0:
			fail(http.StatusConflict, "The operation cannot be performed at this time. An update is in progress")
			return
		case l.noise > 0:
			l.noise--
			l.revision++
			l.vars["OTHER"] = strconv.Itoa(l.revision)
		}
		if in.RevisionId != strconv.Itoa(l.revision) {
			fail(http.StatusPreconditionFailed, "The RevisionId provided does not match")
			return
		}
		l.vars, l.busy = in.Environment.Variables, 3
		l.revision++
		l.puts = append(l.puts, in.Environment.Variables)
	}
	status, reason := "Successful", ""
	if l.busy > 0 {
		status = "InProgress"
		if l.busy--; l.busy == 0 && l.fails {
			l.busy, status, reason = 1, "Failed", "out of luck"
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"State": "Active", "LastUpdateStatus": status, "LastUpdateStatusReason": reason, "RevisionId": strconv.Itoa(l.revision),
		"Environment": map[string]any{"Variables": l.vars}})
}

func (l *lambdas) serve(t *testing.T) *Lambda {
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	return &Lambda{Function: "generate", Endpoint: srv.URL + "/", Poll: time.Millisecond, Now: func() time.Time { return time.Unix(1700000000, 0) },
		Sign: func(_ context.Context, r *http.Request, body []byte) error {
			r.Header.Set("Authorization", "signed")
			return nil
		}}
}

func TestLambda(t *testing.T) {
	ctx := patience(t)
	l := &lambdas{vars: map[string]string{"MODEL": "small"}, noise: 1}
	c := l.serve(t)
	if err := c.Check(ctx); err != nil || len(l.puts) != 0 {
		t.Fatalf("check: %v, %v", err, l.puts)
	}
	for range 2 {
		if err := c.Chill(ctx); err != nil {
			t.Fatal(err)
		}
		if l.busy != 0 {
			t.Error("the update was still under way")
		}
	}
	for range 2 {
		if err := c.Undo(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// What somebody else set meanwhile stays.
	if d := cmp.Diff([]map[string]string{
		{"MODEL": "small", "OTHER": "1", "ASSAY_COLD": "1700000000-1"}, {"MODEL": "small", "OTHER": "1", "ASSAY_COLD": "1700000000-2"}, {"MODEL": "small", "OTHER": "1"},
	}, l.puts); d != "" || l.unsigned != 0 {
		t.Errorf("%d requests without a signature (-want +got):\n%s", l.unsigned, d)
	}
}

func TestRecoverALambda(t *testing.T) {
	ctx := patience(t)
	l := &lambdas{vars: map[string]string{"ASSAY_COLD": "1-1", "A": "b"}}
	if done, err := l.serve(t).Recover(ctx); !done || err != nil || !cmp.Equal(l.vars, map[string]string{"A": "b"}) {
		t.Errorf("%v, %v, %v", done, err, l.vars)
	}
	if done, err := l.serve(t).Recover(ctx); done || err != nil {
		t.Errorf("nothing was left: %v, %v", done, err)
	}
}

func TestLambdaRefuses(t *testing.T) {
	ctx := patience(t)
	for f, want := range map[string]string{
		"missing":    "look at lambda function missing: status 404: Function not found",
		"generate:7": "lambda function generate:7 is a published version or an alias, which cannot be changed",
		"arn:aws:lambda:eu-west-1:1:function:generate:live": "is a published version or an alias",
	} {
		c := (&lambdas{vars: map[string]string{}}).serve(t)
		c.Function = f
		if err := c.Check(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", f, err, want)
		}
	}
	c := (&lambdas{vars: map[string]string{}, fails: true}).serve(t)
	if err := c.Chill(ctx); err == nil || !strings.Contains(err.Error(), "its last update failed: out of luck") {
		t.Errorf("got %v", err)
	}
	c.Function = "missing"
	if err := c.Undo(ctx); err == nil || !strings.Contains(err.Error(), "by hand: remove the variable ASSAY_COLD") {
		t.Errorf("got %v", err)
	}
}
