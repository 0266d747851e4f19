package cloud

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"encoding/json"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

const recordings = "../../../shared/data/recordings/"

// The emulator's traps, on its own recording: ids that differ, a wrong Init Duration, errors and a time-out with status 200, no REPORT after a
// runtime died, and starts that nobody tells.
func TestEmulator(t *testing.T) {
	stdout, stderr := "testdata/rie-stdout.log", "testdata/rie-stderr.log"
	got, sum := emitted(t, &lambdaKind, stdout, map[string]string{"stderr": stderr})
	want := []string{
		"0 instance.created rie-stdout", "405.65 instance.phase rie-stdout init", "405.65 instance.ready rie-stdout",
		"0+458.18 ok cold rie-stdout",
		"468+21.32 ok warm rie-stdout",
		"556+0.88 server_error warm rie-stdout: the function raised errorString",
		"584 instance.exited rie-stdout crash 1",
		"602 instance.created rie-stdout replace",
		"580+4 server_error warm rie-stdout: the runtime died exit status 1",
		"1013.74 instance.phase rie-stdout init", "1013.74 instance.ready rie-stdout",
		"602+425.01 ok cold rie-stdout",
		"1048 instance.exited rie-stdout crash 3",
		"1080 instance.created rie-stdout replace",
		"1043+5 server_error warm rie-stdout: the runtime died exit status 3",
		"1487.54 instance.phase rie-stdout init", "1487.54 instance.ready rie-stdout",
		"1080+419.25 ok cold rie-stdout",
		"4520 instance.exited rie-stdout timeout",
		"1520+3000 timeout warm rie-stdout: timed out by the platform",
		"4635 instance.created rie-stdout replace", "5041.32 instance.phase rie-stdout init", "5041.32 instance.ready rie-stdout",
		"4635+417.35 ok cold rie-stdout",
		"5055 instance.exited rie-stdout shutdown",
	}
	inputtest.Compare(t, want, got)
	wantNotes := []string{
		"the Init Duration on REPORT was less than half of what the init itself took, 1 times: what it took counts",
		"3 invocations re-started a runtime that had died, without an Init Duration of their own: hidden cold starts, which count as cold",
	}
	inputtest.Compare(t, wantNotes, sum.Notes)
	if sum.Read != 83 || sum.Kept != 56 {
		t.Errorf("%d read, %d kept", sum.Read, sum.Kept)
	}

	if _, err := input.Open(t.Context(), []input.Spec{{Kind: &lambdaKind, Path: stdout}}, input.Settings{}); err == nil || !strings.Contains(err.Error(), "no time stamps") {
		t.Errorf("stdout alone: %v", err)
	}
	alone, _ := emitted(t, &lambdaKind, stderr, nil) // knows nothing of errors that a handler raised, and says so
	if want := "556+0.88 unknown warm rie-stderr"; !strings.Contains(strings.Join(alone, "\n"), want) {
		t.Errorf("stderr alone lacks %q:\n%s", want, strings.Join(alone, "\n"))
	}
}

func TestEmulatorAsRecorded(t *testing.T) {
	if _, err := os.Stat(recordings + "rie-stdout.log"); err != nil {
		t.Skip("no shared data here")
	}
	_, sum := emitted(t, &lambdaKind, recordings+"rie-stdout.log", map[string]string{"stderr": recordings + "rie-stderr.log"})
	if sum.Read != 83 || sum.Kept != 56 || sum.Requests != 9 {
		t.Errorf("summary %+v", sum)
	}
}

func TestLambdaText(t *testing.T) {
	const id1, id2, id3 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
	stamp := func(ms int) string {
		return time.UnixMilli(1767225600000+int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z") + " "
	}
	for _, tt := range []struct {
		name, text string
		want       []string
		notes      int
	}{
		{"a cold start and a warm call", stamp(0) + "INIT_START Runtime Version: python:3.12.v36\tRuntime Version ARN: arn:aws:lambda:eu::runtime:x\n" +
			stamp(210) + "START RequestId: " + id1 + " Version: $LATEST\n" + stamp(260) + "hello\n" + stamp(310) + "END RequestId: " + id1 + "\n" +
			stamp(310) + "REPORT RequestId: " + id1 + "\tDuration: 100.00 ms\tBilled Duration: 301 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tInit Duration: 200.50 ms\t\n" +
			stamp(310) + "XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 557abcec3ee5a047\tSampled: true\t\n" +
			stamp(900) + "START RequestId: " + id2 + " Version: $LATEST\n" + stamp(950) + "END RequestId: " + id2 + "\n" +
			stamp(950) + "REPORT RequestId: " + id2 + "\tMax Memory Used: 71 MB\tMemory Size: 128 MB\tDuration: 50.00 ms\n",
			[]string{"0 instance.created fn", "200.5 instance.phase fn init", "200.5 instance.ready fn", "0+310 ok cold fn trace 5759e988", "900+50 ok warm fn"}, 0},
		{"made ahead", stamp(0) + "INIT_START Runtime Version: x\n" + stamp(60_000) + "START RequestId: " + id1 + " Version: 1\n" +
			stamp(60_010) + "REPORT RequestId: " + id1 + "\tDuration: 10.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tInit Duration: 200.00 ms\n",
			[]string{"0 instance.created fn", "200 instance.phase fn init", "200 instance.ready fn", "60000+10 ok warm fn"}, 1},
		{"the init failed and was done again within the invocation", stamp(10_000) + "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n" +
			stamp(10_010) + "START RequestId: " + id1 + " Version: 1\n" + stamp(13_010) + "INIT_REPORT Init Duration: 2500.00 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\n" +
			stamp(13_010) + "REPORT RequestId: " + id1 + "\tDuration: 3000.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tStatus: error\tError Type: Runtime.ExitError\n",
			[]string{"0 instance.created fn", "10000 instance.exited fn timeout", "10510 instance.created fn replace", "13010 instance.exited fn crash",
				"10010+3000 server_error cold fn: the function raised Runtime.ExitError"}, 0},
		{"a snapshot restored", stamp(0) + "RESTORE_START Runtime Version: java:21.v1\n" + stamp(300) + "RESTORE_REPORT Restore Duration: 300.00 ms\n" +
			stamp(301) + "START RequestId: " + id1 + " Version: 1\n" + stamp(401) + "REPORT RequestId: " + id1 + "\tDuration: 100.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tRestore Duration: 300.00 ms\tBilled Restore Duration: 301 ms\n",
			[]string{"0 instance.created fn", "300 instance.phase fn restore", "300 instance.ready fn", "0+401 ok cold fn"}, 0},
		{"a time-out told after the REPORT, and what follows", stamp(0) + "START RequestId: " + id1 + " Version: 1\n" + stamp(3000) + "END RequestId: " + id1 + "\n" +
			stamp(3000) + "REPORT RequestId: " + id1 + "\tDuration: 3000.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n" + stamp(3000) + "2026-01-01T00:00:03.000Z " + id1 + " Task timed out after 3.00 seconds\n" +
			stamp(5000) + "START RequestId: " + id2 + " Version: 1\n" + stamp(5500) + "REPORT RequestId: " + id2 + "\tDuration: 500.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n" +
			stamp(6000) + "START RequestId: " + id3 + " Version: 1\n" + stamp(6100) + "RequestId: " + id3 + " Error: Runtime exited with error: signal: killed\n" +
			stamp(6100) + "REPORT RequestId: " + id3 + "\tDuration: 100.00 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\n",
			[]string{"3000 instance.exited fn timeout", "0+3000 timeout warm fn: timed out by the platform", "5000 instance.created fn replace", "5000+500 ok cold fn",
				"6100 instance.exited fn oom", "6000+100 server_error warm fn: the runtime died signal: killed"}, 1},
		{"errors that runtimes log", stamp(0) + "START RequestId: " + id1 + " Version: 1\n" + stamp(5) + "[ERROR] KeyError: 'secret prompt'\n" + stamp(5) + "Traceback (most recent call last):\n" +
			stamp(10) + "REPORT RequestId: " + id1 + "\tDuration: 10.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n" +
			stamp(20) + "START RequestId: " + id2 + " Version: 1\n" + stamp(25) + "2026-01-01T00:00:00.025Z\t" + id2 + "\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"secret prompt\"}\n" +
			stamp(30) + "REPORT RequestId: " + id2 + "\tDuration: 10.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n" +
			stamp(40) + "START RequestId: " + id3 + " Version: 1\n" + stamp(45) + "[ERROR]\t2026-01-01T00:00:00.045Z\t" + id3 + "\tour own words\n" +
			stamp(50) + "REPORT RequestId: " + id3 + "\tDuration: 10.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n",
			[]string{"0+10 server_error warm fn: the function raised KeyError", "20+10 server_error warm fn: the function raised TypeError", "40+10 ok warm fn"}, 0},
		{"the end of the log", stamp(0) + "START RequestId: " + id1 + " Version: 1\n" + stamp(50) + "START RequestId: " + id2 + " Version: 1\n",
			[]string{"0 instance.exited fn crash", "0+0 server_error warm fn: no REPORT", "50 instance.created fn replace", "50+? unfinished cold fn"}, 1},
		{"environments that the log does not tell apart", stamp(0) + "START RequestId: " + id1 + " Version: 1\n" + stamp(50) + "START RequestId: " + id2 + " Version: 1\n" +
			stamp(80) + "REPORT RequestId: " + id1 + "\tDuration: 80.00 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\n" +
			stamp(90) + "REPORT RequestId: " + id2 + "\tDuration: 40.00 ms\tInit Duration: 30.00 ms\n",
			[]string{"0+80 ok warm ", "20+70 ok cold "}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, sum := emitted(t, &lambdaKind, inputtest.File(t, "fn.log", tt.text), nil)
			inputtest.Compare(t, tt.want, got)
			if len(sum.Notes) != tt.notes {
				t.Errorf("notes %q", sum.Notes)
			}
		})
	}
}

func TestLambdaFetch(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		var ask struct {
			LogGroupName, NextToken, FilterPattern string
			StartTime, EndTime                     int64
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.LogGroupName != "/aws/lambda/fn" || ask.StartTime != 1767225600000 || ask.EndTime != 1767225660000 || ask.FilterPattern == "" ||
			r.Header.Get("X-Amz-Target") != "Logs_20140328.FilterLogEvents" || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/logs/aws4_request") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"com.amazonaws#InvalidParameterException","message":"wrong"}`))
			return
		}
		switch {
		case calls == 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case ask.NextToken == "":
			_, _ = w.Write([]byte(`{"nextToken":"n","searchedLogStreams":[],"events":[{"logStreamName":"2026/01/01/[$LATEST]aa","timestamp":1767225600100,"message":"START RequestId: 11111111-1111-4111-8111-111111111111 Version: $LATEST\n"}]}`))
		default:
			_, _ = w.Write([]byte(`{"events":[{"logStreamName":"2026/01/01/[$LATEST]aa","timestamp":1767225600200,"message":"REPORT RequestId: 11111111-1111-4111-8111-111111111111\tDuration: 90.00 ms\tBilled Duration: 90 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tInit Duration: 50.00 ms\t\nXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 0\tSampled: true\t\n"}]}`))
		}
	}))
	defer srv.Close()
	settings := input.Settings{From: 1767225600 * 1e9, To: 1767225660 * 1e9, Temp: t.TempDir()}
	s, err := input.Open(t.Context(), []input.Spec{{Kind: &lambdaKind, Path: srv.URL + "/aws/lambda/fn", Options: map[string]string{"region": "eu-central-1"}}}, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if sum := s.Summaries[0]; sum.Requests != 1 || sum.Events != 5 || calls != 3 {
		t.Errorf("summary %+v after %d calls", sum, calls)
	}
	if _, err := input.Open(t.Context(), []input.Spec{{Kind: &lambdaKind, Path: srv.URL + "/other", Options: map[string]string{"region": "eu-central-1"}}}, settings); err == nil || !strings.Contains(err.Error(), "InvalidParameterException") {
		t.Errorf("another group: %v", err)
	}
}

// Of two exports that overlap each invocation counts once; one that was tried again under its id is another.
func TestLambdaOverlap(t *testing.T) {
	const id, other = "11111111-1111-1111-1111-111111111111", "21111111-1111-1111-1111-111111111111"
	run := func(second int, id string) string {
		at := fmt.Sprintf("2026-11-20T10:00:%02d", second)
		return at + ".000Z START RequestId: " + id + " Version: $LATEST\n" + at + ".200Z END RequestId: " + id + "\n" +
			at + ".200Z REPORT RequestId: " + id + "\tDuration: 200.00 ms\tBilled Duration: 200 ms\tMemory Size: 512 MB\tMax Memory Used: 100 MB\t\n"
	}
	dir := t.TempDir()
	var specs []input.Spec
	for name, text := range map[string]string{"a.log": run(1, id) + run(5, other), "b.log": run(5, other) + run(9, id)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		specs = append(specs, input.Spec{Kind: &lambdaKind, Path: path})
	}
	s, err := input.Open(t.Context(), specs, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.Run(t.Context(), func(r assay.Record) error {
		if _, ok := r.(*assay.Request); ok {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d := s.Summaries[1].Rejected[input.Duplicate]; n != 3 || s.Requests != 3 || d != 3 {
		t.Errorf("%d requests, %d of the set, %d lines told before: want 3 each", n, s.Requests, d)
	}
}
