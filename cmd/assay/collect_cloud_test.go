package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay/internal/store"
)

// TestCloudsFromAPlan runs a plan whose target's platforms are stand-ins: CloudWatch, where each second has a datapoint, and RunPod, where a job ends at once.
func TestCloudsFromAPlan(t *testing.T) {
	for name, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush-1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "RUNPOD_API_KEY": "hush-2"} {
		t.Setenv(name, v)
	}
	dir := t.TempDir()
	write(t, dir, "jobs", "")
	jobs := filepath.Join(dir, "jobs")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			StartTime, EndTime int64
			MetricDataQueries  []struct{ ID, Label string }
		}
		switch {
		case r.Header.Get("X-Amz-Target") != "":
			if json.NewDecoder(r.Body).Decode(&q) != nil || !strings.Contains(r.Header.Get("Authorization"), "AKIDEXAMPLE") {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			stamps, values := []int64{}, []float64{}
			for at := q.StartTime; at < q.EndTime; at++ {
				stamps, values = append(stamps, at), append(values, 3)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"MetricDataResults": []any{map[string]any{"Id": q.MetricDataQueries[0].ID, "Label": q.MetricDataQueries[0].Label, "Timestamps": stamps, "Values": values, "StatusCode": "Complete"}}})
		case r.Header.Get("Authorization") != "Bearer hush-2" && strings.HasPrefix(r.URL.Path, "/v2/"):
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/v2/ep/health":
			fmt.Fprint(w, `{"jobs":{"inQueue":2,"inProgress":1},"workers":{"running":3}}`)
		case r.URL.Path == "/v2/ep/status/job-1":
			fmt.Fprint(w, `{"id":"job-1","status":"COMPLETED","delayTime":1500,"executionTime":250,"workerId":"w-1","output":"a secret answer"}`)
		default: // the target, which hands its job's id to whoever keeps them
			f, err := os.OpenFile(jobs, os.O_WRONLY|os.O_APPEND, 0o644)
			if err == nil {
				fmt.Fprintln(f, "job-1")
				f.Close()
			}
			fmt.Fprint(w, "{}")
		}
	}))
	defer srv.Close()
	plan := write(t, dir, "p.yaml", strings.ReplaceAll(`apiVersion: assay/v1
name: clouds
target: {kind: http, url: 'URL/infer', body: '{}'}
load: [{name: a, arrivals: {even: {rate: 1/s}}, for: 3s}]
collect:
  cloudwatch: [{function: fn, region: eu-west-1, endpoint: 'URL', metrics: [Invocations/Sum], period: 1s, wait: 1s}]
  runpod: [{url: 'URL/v2/ep', token: {env: RUNPOD_API_KEY}, jobs: jobs, interval: 500ms}]
`, "URL", srv.URL))
	doctor := assayIn(t, dir, "doctor", plan).out
	for _, want := range []string{"collect.cloudwatch[0]: answers: 10800 datapoints of 1 metrics in the last three hours", "collect.runpod[0]: " + srv.URL + "/v2/ep answers in ", "3 workers, 3 jobs under way"} {
		if !strings.Contains(doctor, want) {
			t.Errorf("doctor does not say %q:\n%s", want, doctor)
		}
	}
	got := assayIn(t, dir, "run", plan)
	at := runsIn(t, dir)[0]
	run, err := store.Open(at)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	defer run.Close()
	metrics, err := run.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	end := run.Manifest().End.At
	for query, want := range map[string]float64{`max_over_time(aws_lambda_invocations_sum{function_name="fn"}[1m])`: 3, `max_over_time(runpod_endpoint_jobs{state="inQueue"}[1m])`: 2,
		`max_over_time(runpod_job_delay_milliseconds{worker_id="w-1"}[1m])`: 1500, `max_over_time(runpod_job_execution_milliseconds[1m])`: 250} {
		series, err := metrics.Range(t.Context(), query, end, end+1e9, 1e9)
		if err != nil || len(series) != 1 || float64(series[0].Values[0]) != want {
			t.Errorf("%s: %v, %v; want %g", query, series, err, want)
		}
	}
	raw, err := os.ReadFile(filepath.Join(at, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if all := string(raw) + got.out + got.err + doctor; strings.Contains(all, "hush-") || strings.Contains(all, "secret answer") {
		t.Error("a key or an answer is shown")
	}
}
