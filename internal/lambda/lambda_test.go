package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server answers with the given statuses in turn, then with 200, and notes the requests.
func server(t *testing.T, log *[]string, answer string, statuses ...int) *Client {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		scope, _, _ := strings.Cut(r.Header.Get("Authorization"), ",")
		*log = append(*log, fmt.Sprintf("%s %s %s %s", scope[strings.Index(scope, "/eu-")+1:], r.Method, r.URL.EscapedPath(), b))
		if len(statuses) > 0 {
			s := statuses[0]
			statuses = statuses[1:]
			w.Header().Set("X-Amzn-Errortype", "SomeException:http://internal/")
			w.WriteHeader(s)
			json.NewEncoder(w).Encode(map[string]string{"Message": "because"})
			return
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(srv.Close)
	return &Client{Function: "arn:aws:lambda:eu-north-1:1:function:f", Region: "eu-north-1", Endpoint: srv.URL + "/", Schedule: srv.URL, Backoff: time.Millisecond}
}

func TestRequests(t *testing.T) {
	var log []string
	c := server(t, &log, `{"ReservedConcurrentExecutions":3,"RevisionId":"r","LastUpdateStatus":"Successful","Environment":{"Variables":{"A":"b"}}}`)
	ctx, three := t.Context(), 3
	n, err := c.Concurrency(ctx)
	if err != nil || n == nil || *n != 3 {
		t.Errorf("%v, %v", n, err)
	}
	f, err := c.Configuration(ctx)
	if err != nil || f.RevisionID != "r" || f.LastUpdateStatus != "Successful" || !cmp.Equal(f.Environment.Variables, map[string]string{"A": "b"}) {
		t.Errorf("%+v, %v", f, err)
	}
	at := time.Date(2026, 11, 25, 17, 3, 5, 0, time.UTC)
	there, err := c.Scheduled(ctx, "s")
	for i, e := range []error{c.SetConcurrency(ctx, &three), c.SetConcurrency(ctx, nil), c.SetVariables(ctx, map[string]string{"A": "c"}, "r"),
		c.Later(ctx, "s", "arn:aws-cn:iam::1:role/x", at, &three), c.Never(ctx, "s"), err} {
		if e != nil {
			t.Error(i, e)
		}
	}
	if !there {
		t.Error("the schedule is not there")
	}
	const fn, lambdas, schedules = "/functions/arn:aws:lambda:eu-north-1:1:function:f/", "eu-north-1/lambda/aws4_request ", "eu-north-1/scheduler/aws4_request "
	want := []string{lambdas + "GET /2019-09-30" + fn + "concurrency ", lambdas + "GET /2015-03-31" + fn + "configuration ", schedules + "GET /schedules/s ",
		lambdas + "PUT /2017-10-31" + fn + `concurrency {"ReservedConcurrentExecutions":3}`, lambdas + "DELETE /2017-10-31" + fn + "concurrency ",
		lambdas + "PUT /2015-03-31" + fn + `configuration {"Environment":{"Variables":{"A":"c"}},"RevisionId":"r"}`,
		schedules + `POST /schedules/s {"ActionAfterCompletion":"DELETE","ClientToken":"s","Description":"ends a fault that assay injected if assay does not","FlexibleTimeWindow":{"Mode":"OFF"},` +
			`"ScheduleExpression":"at(2026-11-25T17:03:05)","ScheduleExpressionTimezone":"UTC","Target":{"Arn":"arn:aws-cn:scheduler:::aws-sdk:lambda:putFunctionConcurrency",` +
			`"Input":"{\"FunctionName\":\"arn:aws:lambda:eu-north-1:1:function:f\",\"ReservedConcurrentExecutions\":3}","RetryPolicy":{"MaximumEventAgeInSeconds":900,"MaximumRetryAttempts":10},"RoleArn":"arn:aws-cn:iam::1:role/x"}}`,
		schedules + "DELETE /schedules/s "}
	if d := cmp.Diff(want, log); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Too many requests, and AWS's own failures, are tried again; what is refused is not.
func TestAgain(t *testing.T) {
	for _, tc := range []struct {
		statuses []int
		requests int
		want     string
	}{
		{[]int{429, 503, 500}, 4, ""},
		{[]int{429, 429, 429, 429, 429, 429, 429}, 7, "look at the concurrency of the function arn:aws:lambda:eu-north-1:1:function:f: status 429 SomeException: because"},
		{[]int{409}, 1, "look at the concurrency of the function arn:aws:lambda:eu-north-1:1:function:f: status 409 SomeException: because"},
	} {
		var log []string
		c := server(t, &log, `{}`, tc.statuses...)
		n, err := c.Concurrency(t.Context())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want || len(log) != tc.requests || n != nil {
			t.Errorf("%v: %q after %d requests, want %q after %d", tc.statuses, got, len(log), tc.want, tc.requests)
		}
		if Busy(err) != (len(tc.statuses) == 1) || NotFound(err) {
			t.Errorf("%v: busy %v, not found %v", tc.statuses, Busy(err), NotFound(err))
		}
	}
	var log []string
	c := server(t, &log, `{"Environment":{"Error":{"Message":"no key"}}}`)
	if _, err := c.Configuration(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "its environment cannot be read: no key") {
		t.Errorf("got %v", err)
	}
	stuck := server(t, &log, `{}`, 503, 503, 503)
	stuck.Backoff = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := stuck.Concurrency(ctx); err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("got %v", err)
	}
	if domain("cn-north-1") != "amazonaws.com.cn" || domain("eu-west-1") != "amazonaws.com" {
		t.Error("the domain of a region is wrong")
	}
}
