package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/lambda"
)

// standAWS is a stand-in for the control APIs of Lambda and EventBridge Scheduler, with one function. What it shows lags behind what was written,
// updates take a few looks and refuse others meanwhile, now and then there are too many requests, and schedules strike at their time.
type standAWS struct {
	url       string
	mu        sync.Mutex
	reserved  *int
	shown     []*int // what the next looks at the concurrency show
	vars      map[string]string
	revision  int
	busy      int // looks until the update is done
	requests  int
	cut       bool
	schedules map[string]*time.Timer
	inputs    []string
	deny      string
}

func newAWS(t *testing.T) *standAWS {
	t.Helper()
	a := &standAWS{vars: map[string]string{"MODEL": "s3://hush-hush", "OTHER": "x"}, schedules: map[string]*time.Timer{}}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

func (a *standAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cut {
		panic(http.ErrAbortHandler)
	}
	fail := func(status int, code string) {
		w.Header().Set("X-Amzn-Errortype", code+":http://internal.amazon.com/")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"Type": "User", "message": "because of " + code})
	}
	service := "lambda"
	if strings.HasPrefix(r.URL.Path, "/schedules/") {
		service = "scheduler"
	}
	a.requests++
	body, _ := io.ReadAll(r.Body)
	var in struct {
		ReservedConcurrentExecutions *int
		RevisionId                   string
		Environment                  struct{ Variables map[string]string }
		ScheduleExpression           string
		Target                       struct{ Arn, RoleArn, Input string }
	}
	json.Unmarshal(body, &in)
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch what := r.Method + " " + r.URL.Path; {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-north-1/"+service+"/aws4_request"):
		fail(http.StatusForbidden, "InvalidSignatureException")
	case a.deny != "" && strings.HasPrefix(what, a.deny):
		fail(http.StatusForbidden, "AccessDeniedException")
	case a.requests%7 == 0:
		fail(http.StatusTooManyRequests, "TooManyRequestsException")
	case what == "GET /2019-09-30/functions/generate/concurrency":
		now := a.reserved
		if len(a.shown) > 0 {
			now, a.shown = a.shown[0], a.shown[1:]
		}
		out := map[string]any{}
		if now != nil {
			out["ReservedConcurrentExecutions"] = *now
		}
		json.NewEncoder(w).Encode(out)
	case what == "PUT /2017-10-31/functions/generate/concurrency" && a.busy > 0:
		a.busy--
		fail(http.StatusConflict, "ResourceConflictException")
	case what == "PUT /2017-10-31/functions/generate/concurrency" && in.ReservedConcurrentExecutions != nil:
		a.reserve(in.ReservedConcurrentExecutions)
		json.NewEncoder(w).Encode(map[string]any{"ReservedConcurrentExecutions": *in.ReservedConcurrentExecutions})
	case what == "DELETE /2017-10-31/functions/generate/concurrency":
		a.reserve(nil)
		w.WriteHeader(http.StatusNoContent)
	case what == "PUT /2015-03-31/functions/generate/configuration" && a.busy > 0:
		fail(http.StatusConflict, "ResourceConflictException")
	case what == "PUT /2015-03-31/functions/generate/configuration" && in.RevisionId != fmt.Sprint(a.revision):
		fail(http.StatusPreconditionFailed, "PreconditionFailedException")
	case what == "PUT /2015-03-31/functions/generate/configuration":
		a.vars, a.busy = in.Environment.Variables, 3
		a.revision++
		fallthrough
	case what == "GET /2015-03-31/functions/generate/configuration":
		status := "Successful"
		if a.busy > 0 {
			a.busy--
			status = "InProgress"
		}
		json.NewEncoder(w).Encode(map[string]any{"State": "Active", "LastUpdateStatus": status, "RevisionId": fmt.Sprint(a.revision), "Environment": map[string]any{"Variables": a.vars}})
	case service == "scheduler" && r.Method == http.MethodPost:
		at, err := time.Parse("at(2006-01-02T15:04:05)", in.ScheduleExpression)
		if err != nil || in.Target.RoleArn != "arn:aws:iam::1:role/expiry" {
			fail(http.StatusBadRequest, "ValidationException")
			return
		}
		a.inputs = append(a.inputs, in.Target.Arn+" "+in.Target.Input)
		a.schedules[name] = time.AfterFunc(time.Until(at), func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			var to struct{ ReservedConcurrentExecutions *int }
			json.Unmarshal([]byte(in.Target.Input), &to)
			a.reserved = to.ReservedConcurrentExecutions
			delete(a.schedules, name)
		})
		json.NewEncoder(w).Encode(map[string]string{"ScheduleArn": "arn:aws:scheduler:eu-north-1:1:schedule/default/" + name})
	case service == "scheduler" && a.schedules[name] == nil:
		fail(http.StatusNotFound, "ResourceNotFoundException")
	case service == "scheduler" && r.Method == http.MethodDelete:
		a.schedules[name].Stop()
		delete(a.schedules, name)
		w.Write([]byte("{}"))
	case service == "scheduler":
		json.NewEncoder(w).Encode(map[string]string{"State": "ENABLED"})
	default:
		fail(http.StatusNotFound, "ResourceNotFoundException")
	}
}

// reserve changes the concurrency; for two looks the old one is shown.
func (a *standAWS) reserve(n *int) {
	a.shown = []*int{a.reserved, a.reserved}
	a.reserved = n
}

// state is what can be seen of the function, and how many schedules there are.
func (a *standAWS) state() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprintf("%s %s %d", limitText(a.reserved), asJSON(a.vars), len(a.schedules))
}

func standLambda(url string) *Lambda {
	return &Lambda{API: &lambda.Client{Function: "generate", Region: "eu-north-1", Endpoint: url, Schedule: url, Backoff: 5 * time.Millisecond}, Role: "arn:aws:iam::1:role/expiry",
		Poll: 5 * time.Millisecond, Patience: 5 * time.Second, Flight: 100 * time.Millisecond}
}

func awsKeys(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

var lambdaCases = []struct {
	step   Step
	was    *int
	during string
	effect string
	input  string // of the schedule
}{
	{Step{Fault: "throttle", For: time.Minute}, nil, `0 {"MODEL":"s3://hush-hush","OTHER":"x"} 1`, "a request of ours was refused: throttled, status 429",
		`arn:aws:scheduler:::aws-sdk:lambda:deleteFunctionConcurrency {"FunctionName":"generate"}`},
	{Step{Fault: "concurrency", For: time.Minute, Change: &Change{Concurrency: intp(2)}}, intp(7), `2 {"MODEL":"s3://hush-hush","OTHER":"x"} 1`, "Lambda says that its concurrency is 2; not measured by us",
		`arn:aws:scheduler:::aws-sdk:lambda:putFunctionConcurrency {"FunctionName":"generate","ReservedConcurrentExecutions":7}`},
	{Step{Fault: "access", For: time.Minute, Change: &Change{Variable: "MODEL"}}, nil, `not reserved {"ASSAY_HIDDEN_MODEL":"s3://hush-hush","OTHER":"x"} 0`,
		"Lambda says that the configuration was changed, so that no execution environment is used again; not measured by us", ""},
	{Step{Fault: "cold"}, nil, "", "Lambda says that the configuration was changed", ""},
}

func TestLifeOfFaultsByLambda(t *testing.T) {
	awsKeys(t)
	for _, tc := range lambdaCases {
		t.Run(tc.step.Fault, func(t *testing.T) {
			a := newAWS(t)
			a.reserved = tc.was
			before := a.state()
			d := standLambda(a.url)
			asked := 0
			d.Refused = func(context.Context) (bool, string) {
				asked++
				return asked > 2, "throttled, status 429" // it takes a moment
			}
			s := tc.step
			s.By, s.Instances = ByLambda, 1
			notes, err := d.Check(context.Background(), []Step{s})
			if want := "whether the schedule may act as arn:aws:iam::1:role/expiry was not checked"; err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], want) {
				t.Fatalf("%v, %v", notes, err)
			}
			tr := newTrial(d, s)
			tr.on = func(e *assay.Event) {
				if e.Kind == assay.EventFaultVerified && s.For > 0 {
					if got := a.state(); got != tc.during {
						t.Errorf("while it is held: %s, want %s", got, tc.during)
					}
					tr.Abort("seen")
				}
			}
			tr.run(t, context.Background())
			id := s.Fault + "-1"
			if diff := cmp.Diff(wholeLife, tr.kinds(id)); diff != "" {
				t.Fatalf("events (-want +got):\n%s\n%v", diff, tr.log)
			}
			if e := tr.event(t, id, assay.EventFaultVerified).Attrs[attrEffect]; !strings.HasPrefix(e, tc.effect) {
				t.Errorf("effect %q, want %q", e, tc.effect)
			}
			checkBasis(t, tr.event(t, id, assay.EventFaultVerified))
			if after := a.state(); after != before {
				t.Errorf("%s, was %s", after, before)
			}
			if got := strings.Join(a.inputs, ""); got != tc.input {
				t.Errorf("schedule %s, want %s", got, tc.input)
			}
			if e := asJSON(tr.event(t, id, assay.EventFaultArmed)); strings.Contains(e, "hush") || strings.Contains(e, "very-secret") {
				t.Errorf("the journal holds a value: %s", e)
			}
		})
	}
}

func TestKilledAtLambda(t *testing.T) {
	lookOnly(t)
	awsKeys(t)
	for _, tc := range lambdaCases {
		for _, stage := range stages {
			for _, both := range []bool{false, true} {
				fast := stage == assay.EventFaultApplied && !both || tc.step.Fault == "throttle" && stage == assay.EventFaultVerified
				if os.Getenv("ASSAY_FULL") == "" && !fast {
					continue
				}
				t.Run(fmt.Sprint(tc.step.Fault, "/", stage, "/both ", both), func(t *testing.T) {
					t.Parallel()
					a := newAWS(t)
					a.reserved = tc.was
					before := a.state()
					s := tc.step
					s.By, s.Instances = ByLambda, 1
					if s.For > 0 && stage != assay.EventFaultApplied && stage != assay.EventFaultVerified {
						s.For = 300 * time.Millisecond
					}
					dir := t.TempDir()
					cmd, said := inject(t, config{Dir: dir, Stage: stage, Step: s, Lambda: a.url})
					if both {
						cmd.Process.Signal(syscall.SIGSTOP)
						syscall.Kill(said.Guardian, syscall.SIGKILL)
					}
					cmd.Process.Kill()
					cmd.Wait()
					if both {
						if rep, err := Heal(context.Background(), dir, drilltest.Read(t, dir)); err != nil || len(rep.Remaining) > 0 {
							t.Errorf("%+v, %v", rep, err)
						}
					}
					for deadline := time.Now().Add(20 * time.Second); !both && !guardianGone(said.Guardian); time.Sleep(5 * time.Millisecond) {
						if time.Now().After(deadline) {
							t.Fatal("the guardian is still at work")
						}
					}
					if after := a.state(); after != before {
						t.Errorf("%s, was %s", after, before)
					}
					if rep, err := Heal(context.Background(), dir, drilltest.Read(t, dir)); err != nil || !cmp.Equal(rep, HealReport{}) {
						t.Errorf("heal had something to do: %+v, %v", rep, err)
					}
				})
			}
		}
	}
}

// When AWS is out of reach while a throttle is held, the run says what may remain and until when, and the schedule ends it.
func TestAWSEndsAThrottleItself(t *testing.T) {
	awsKeys(t)
	a := newAWS(t)
	d := standLambda(a.url)
	d.Grace, d.Patience = 500*time.Millisecond, 100*time.Millisecond
	tr := &trial{guard: newMemoryGuard()}
	tr.Runner = newTrial(d, Step{Fault: "throttle", By: ByLambda, Instances: 1, For: 1500 * time.Millisecond}).Runner
	tr.Guard, tr.Revert = tr.guard, 200*time.Millisecond
	tr.Sync = func(e *assay.Event) error { return tr.record(e) }
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			a.mu.Lock()
			a.cut = true
			a.mu.Unlock()
			tr.Abort("seen")
		}
	}
	if err := tr.Run(context.Background(), tr.record); err != nil {
		t.Fatal(err)
	}
	r := strings.Join(tr.Remaining(), "\n")
	if !strings.Contains(r, "it may remain until AWS ends it at ") || !strings.Contains(r, "by hand: aws lambda delete-function-concurrency --region eu-north-1 --function-name generate; if nobody does, the schedule assay-") {
		t.Errorf("remaining: %s", r)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.HasPrefix(a.state(), "not reserved"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the schedule did not end it: %s", a.state())
		}
	}
}

func TestSomebodyElseChangesTheFunction(t *testing.T) {
	awsKeys(t)
	a := newAWS(t)
	a.reserved = intp(5)
	limit := Undo{ID: "f", Kind: UndoFunction, Function: &functionUndo{Function: "generate", Region: "eu-north-1", Endpoint: a.url, Limit: &reserved{nil, intp(0)}}}
	want := "the concurrency of the function generate is 5 now, was not reserved before the fault and 0 in it: somebody else changed it meanwhile, so it is left as it is"
	if err := limit.Do(context.Background()); err == nil || err.Error() != want || *a.reserved != 5 {
		t.Errorf("got %v, want %s", err, want)
	}
	a.vars["ASSAY_HIDDEN_MODEL"] = "old"
	before := maps.Clone(a.vars)
	hide := Undo{ID: "f", Kind: UndoFunction, Function: &functionUndo{Function: "generate", Region: "eu-north-1", Endpoint: a.url, Hidden: "MODEL"}}
	if err := hide.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "somebody else added one meanwhile") || !cmp.Equal(before, a.vars) {
		t.Errorf("got %v, %v", err, a.vars)
	}
	delete(a.vars, "MODEL")
	if err := hide.Do(context.Background()); err != nil || !cmp.Equal(a.vars, map[string]string{"MODEL": "old", "OTHER": "x"}) {
		t.Errorf("got %v, %v", err, a.vars)
	}
}

func TestRefusedAtLambda(t *testing.T) {
	awsKeys(t)
	throttle := Step{Fault: "throttle", By: ByLambda, For: time.Second}
	hide := Step{Fault: "access", By: ByLambda, For: time.Second, Change: &Change{Variable: "MODEL"}}
	for name, tc := range map[string]struct {
		step   Step
		change func(*standAWS, *Lambda)
		want   string
	}{
		"no function":       {throttle, func(_ *standAWS, d *Lambda) { d.API.Function = "other" }, "look at the concurrency of the function other: status 404 ResourceNotFoundException"},
		"no right":          {hide, func(a *standAWS, _ *Lambda) { a.deny = "GET /2015-03-31" }, "look at the function generate: status 403 AccessDeniedException"},
		"no right to look":  {throttle, func(a *standAWS, _ *Lambda) { a.deny = "GET /schedules" }, "status 403 AccessDeniedException"},
		"an alias":          {hide, func(_ *standAWS, d *Lambda) { d.Qualifier = "live" }, "a published version or an alias is called, whose environment cannot be changed"},
		"throttled already": {throttle, func(a *standAWS, _ *Lambda) { a.reserved = intp(0) }, "the concurrency of the function generate is 0 already"},
		"no such variable":  {Step{Fault: "access", By: ByLambda, Change: &Change{Variable: "NONE"}}, func(*standAWS, *Lambda) {}, "the function generate has no variable NONE"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAWS(t)
			d := standLambda(a.url)
			tc.change(a, d)
			before := a.state()
			if _, err := d.Check(context.Background(), []Step{tc.step}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if after := a.state(); after != before {
				t.Errorf("the check changed something: %s", after)
			}
		})
	}
}
