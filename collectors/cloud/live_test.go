package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// bubble is a clock of run time that began with the bubble.
type bubble struct{ epoch time.Time }

func (b bubble) Now() int64              { return int64(time.Since(b.epoch)) }
func (b bubble) FromUnix(ns int64) int64 { return ns - b.epoch.UnixNano() }

// atOnce answers without a network, so that a bubble's time stands still meanwhile.
type atOnce struct{ http.Handler }

func (h atOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func awsKeys(t *testing.T) {
	for name, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, v)
	}
}

// cloudWatch answers GetMetricData as the service does, a metric a page: a minute that is over for less than 100 s has half of what it will have.
type cloudWatch struct {
	begin time.Time
	fails int // of the first calls
	calls int
}

func (c *cloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		StartTime, EndTime int64
		NextToken          string
		MetricDataQueries  []struct {
			ID, Label  string
			MetricStat struct {
				Period int64
				Stat   string
				Metric struct {
					Namespace, MetricName string
					Dimensions            []struct{ Name, Value string }
				}
			}
		}
	}
	if c.calls++; c.calls <= c.fails {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"__type":"com.amazon#AccessDenied","message":"not you"}`)
		return
	}
	if json.NewDecoder(r.Body).Decode(&q) != nil || r.Header.Get("X-Amz-Target") != "GraniteServiceVersion20100801.GetMetricData" || r.Header.Get("X-Assay-Run") != "run-1" ||
		!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/monitoring/aws4_request") || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	i := 0
	fmt.Sscan(q.NextToken, &i)
	m := q.MetricDataQueries[i]
	stamps, values := []float64{}, []float64{}
	for at := q.StartTime - q.StartTime%60; at < q.EndTime; at += m.MetricStat.Period {
		over := time.Since(time.Unix(at, 0)) - time.Duration(m.MetricStat.Period)*time.Second
		if at < q.StartTime || over < 0 {
			continue
		}
		v := float64(i*100) + time.Unix(at, 0).Sub(c.begin).Minutes()
		if over < 100*time.Second {
			v /= 2
		}
		stamps, values = append(stamps, float64(at)), append(values, v)
	}
	answer := map[string]any{"MetricDataResults": []any{map[string]any{"Id": m.ID, "Label": m.Label, "Timestamps": stamps, "Values": values, "StatusCode": "Complete"}}}
	if i+1 < len(q.MetricDataQueries) {
		answer["NextToken"] = fmt.Sprint(i + 1)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func TestCloudWatchLive(t *testing.T) {
	awsKeys(t)
	synctest.Test(t, func(t *testing.T) {
		srv := &cloudWatch{begin: time.Now(), fails: 1}
		time.Sleep(90 * time.Second)
		c := &CloudWatch{Endpoint: "https://monitoring.eu-west-1.amazonaws.com", Dimensions: map[string]string{"FunctionName": "fn"}, Metrics: []string{"Invocations/Sum", "Duration/p99"}, RunID: "run-1",
			Clock: bubble{time.Now()}, by: atOnce{srv}}
		if points, metrics, err := c.Look(t.Context()); points != 0 || metrics != 2 || err == nil || !strings.Contains(err.Error(), "GetMetricData: status 403 AccessDenied not you") {
			t.Errorf("a look that is refused: %d of %d, %v", points, metrics, err)
		}
		if points, _, err := c.Look(t.Context()); points != 2*180 || err != nil {
			t.Errorf("a look: %d, %v", points, err)
		}
		srv.calls = 0 // it is refused again
		var got []string
		emit := func(r assay.Record) error {
			switch r := r.(type) {
			case *assay.Sample:
				got = append(got, fmt.Sprintf("%v %s%v %g", time.Duration(r.Time), r.Name, r.Labels, r.Value))
			case *assay.Event:
				got = append(got, r.Text)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Second)
		defer cancel()
		if err := c.Run(ctx, emit); err != nil {
			t.Fatal(err)
		}
		seen := len(got)
		if err := c.Last(t.Context(), emit); err != nil {
			t.Fatal(err)
		}
		if seen < 2 || seen >= len(got) {
			t.Errorf("%d of %d while the run went on", seen, len(got))
		}
		want := []string{"cloudwatch: GetMetricData: status 403 AccessDenied not you; it is asked again"}
		for i := range 4 { // the minutes 1 to 4, of which the run began in the first and ended in the last
			at := time.Duration(i)*time.Minute - 30*time.Second
			want = append(want, fmt.Sprintf("%v aws_lambda_invocations_sum[{function_name fn}] %d", at, i+1), fmt.Sprintf("%v aws_lambda_duration_p99[{function_name fn}] %d", at, i+101))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// runPod answers as an endpoint does. A job ends 3 s after it was first asked for; one is not known.
type runPod struct{ asked map[string]time.Time }

func (p *runPod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer hush" || r.Header.Get("X-Assay-Run") != "run-1" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id, job := strings.CutPrefix(r.URL.Path, "/v2/ep/status/")
	switch {
	case r.URL.Path == "/v2/ep/health":
		fmt.Fprintf(w, `{"jobs":{"completed":%d,"inQueue":2,"inProgress":1},"workers":{"idle":1,"running":3}}`, len(p.asked))
	case !job || id == "unknown":
		w.WriteHeader(http.StatusNotFound)
	case p.asked[id].IsZero():
		p.asked[id] = time.Now()
		fallthrough
	case time.Since(p.asked[id]) < 3*time.Second:
		fmt.Fprintf(w, `{"id":%q,"status":"IN_PROGRESS","delayTime":1500}`, id)
	default:
		fmt.Fprintf(w, `{"id":%q,"status":"COMPLETED","delayTime":1500,"executionTime":250,"workerId":"w-1","output":"secret"}`, id)
	}
}

func TestRunPodLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs")
	write := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("before-the-run\n")
	synctest.Test(t, func(t *testing.T) {
		p := &RunPod{URL: "https://api.runpod.ai/v2/ep", Token: "hush", Jobs: path, RunID: "run-1", Clock: bubble{time.Now()}, client: &http.Client{Transport: atOnce{&runPod{map[string]time.Time{}}}}}
		if workers, jobs, err := p.Look(t.Context()); workers != 4 || jobs != 3 || err != nil {
			t.Errorf("a look: %g workers, %g jobs, %v", workers, jobs, err)
		}
		var got, told []string
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(time.Second + time.Millisecond)
			write("job-1\n" + `{"id":"job-2","status":"IN_QUEUE"}` + "\nunknown\nno id at all\n")
			time.Sleep(8 * time.Second)
			write("too-late\n")
		}()
		if err := p.Run(ctx, func(r assay.Record) error {
			switch r := r.(type) {
			case *assay.Sample:
				if !strings.Contains(r.Name, "endpoint") || time.Duration(r.Time) > 8*time.Second {
					got = append(got, fmt.Sprintf("%v %s%v %g", time.Duration(r.Time), r.Name, r.Labels, r.Value))
				}
			case *assay.Event:
				told = append(told, strings.ReplaceAll(r.Text, path, "JOBS"))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"6s runpod_job_delay_milliseconds[{worker_id w-1}] 1500", "6s runpod_job_execution_milliseconds[{worker_id w-1}] 250",
			"6s runpod_job_delay_milliseconds[{worker_id w-1}] 1500", "6s runpod_job_execution_milliseconds[{worker_id w-1}] 250",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("samples (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"runpod at https://api.runpod.ai/v2/ep: 1 jobs had not ended, or could not be asked for, when the run did",
			"runpod at https://api.runpod.ai/v2/ep: JOBS: 2 lines have no id of a job that the API knows, or one beyond the 10000 that may be under way"}, slices.DeleteFunc(told, func(s string) bool { return strings.Contains(s, "GET") })); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestRunPodLookRefuses(t *testing.T) {
	p := &RunPod{URL: "https://me:hush@api.runpod.ai/v2/ep", client: &http.Client{Transport: atOnce{&runPod{}}}}
	if _, _, err := p.Look(t.Context()); err == nil || err.Error() != "GET /health: status 401" {
		t.Errorf("without a key: %v", err)
	}
}
