package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/lambda"
)

func TestHeard(t *testing.T) {
	sent := func(err error) error { return fmt.Errorf("create x: %w", &url.Error{Op: "Post", Err: err}) }
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, true}, {errors.New("the plan is wrong"), true},
		{fmt.Errorf("create x: %w", &kube.Error{Status: 409}), true}, {&kube.Error{Status: 504}, false},
		{&lambda.Error{Status: 403}, true}, {&lambda.Error{Status: 500}, false},
		{sent(&net.OpError{Op: "dial", Err: errors.New("refused")}), true}, {sent(&net.OpError{Op: "read", Err: errors.New("reset")}), false},
		{sent(io.EOF), false}, {sent(context.DeadlineExceeded), false}, {context.Canceled, false}, {io.ErrUnexpectedEOF, false},
	} {
		if got := Heard(tt.err); got != tt.want {
			t.Errorf("%v: got %t, want %t", tt.err, got, tt.want)
		}
	}
}

// Heal does not take an object for clear that may be on its way: it looks until it has come, or can no longer.
func TestHealOfWhatMayBeUnderWay(t *testing.T) {
	const name = "pod-1: kill of a"
	for _, tc := range []struct {
		name    string
		comes   int // with which look at it; 0: never
		heard   bool
		hurried bool // nobody waits long enough
		want    HealReport
	}{
		{name: "comes", comes: 3, want: HealReport{Reverted: []string{name}}},
		{name: "never comes", want: HealReport{Clear: []string{name + ": nothing of it came within 500ms"}}},
		{name: "was heard", heard: true, want: HealReport{Clear: []string{name + ": no longer in force"}}},
		{name: "was heard and is there", heard: true, comes: 1, want: HealReport{Reverted: []string{name}}},
		{name: "nobody waits", hurried: true,
			want: HealReport{Remaining: []string{name + ": nothing of it is there, but it may still come until 500ms after it was sent: nobody heard the answer; by hand: kubectl delete"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			ctx, hurry := context.WithCancel(context.Background())
			defer hurry()
			o := &object{on: func(o *object, method string) {
				switch looks++; {
				case method == http.MethodDelete:
					o.json = ""
				case looks == tc.comes:
					o.json = `{"metadata":{"uid":"u"}}`
				case looks == 2 && tc.hurried:
					time.AfterFunc(50*time.Millisecond, hurry)
				}
			}}
			srv := httptest.NewServer(o)
			defer srv.Close()
			u := Undo{ID: "pod-1", Kind: UndoKube, Kubeconfig: kubeconfig(t, srv.URL), Method: "DELETE", Path: "/apis/g/v1/x/a", Want: Gone, Text: "kubectl delete", Flight: 500 * time.Millisecond}
			events := []assay.Event{{Kind: assay.EventFaultArmed, Fault: "pod-1", Attrs: map[string]string{attrKind: "kill", attrTarget: "a", attrUndo: asJSON(u)}}}
			if tc.heard {
				events = append(events, assay.Event{Kind: assay.EventFaultApplied, Fault: "pod-1", Attrs: map[string]string{attrHeard: "true"}})
			}
			var said []string
			rep, err := HealWith(ctx, t.TempDir(), events, HealOptions{Ended: true, Say: func(text string) { said = append(said, text) }})
			if diff := cmp.Diff(tc.want, rep); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if waits := len(said) == 1 && strings.HasSuffix(said[0], "was not heard: looking again for 500ms"); waits == tc.heard || len(said) > 1 {
				t.Errorf("said %q", said)
			}
		})
	}
}

// The run arms with what may be under way, and tells the guard once it was answered.
func TestFlightEndsWithTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		flight time.Duration // that the guard is left with
		heard  string
	}{
		{"answered", nil, 0, "true"},
		{"refused", &kube.Error{Status: 403}, 0, "true"},
		{"not heard", context.DeadlineExceeded, 50 * time.Millisecond, ""},
	} {
		o := &object{}
		srv := httptest.NewServer(o)
		u := Undo{Kind: UndoKube, Kubeconfig: kubeconfig(t, srv.URL), Method: "DELETE", Path: "/apis/g/v1/x/a", Want: Gone, Flight: 50 * time.Millisecond}
		var tr *trial
		left := time.Duration(-1)
		tr = newTrial(scripted{ids: []string{"a"}, act: func(v Victim) (*Action, error) {
			a := nothing(v)
			a.Undo = u
			a.Apply = func(_ context.Context, stamp func()) error { stamp(); return tc.err }
			return a, nil
		}}, Step{Fault: "kill", Instances: 1})
		tr.on = func(e *assay.Event) {
			if e.Kind == assay.EventFaultReverted {
				tr.guard.mu.Lock()
				left = tr.guard.armed["kill-1"].Flight
				tr.guard.mu.Unlock()
			}
		}
		tr.run(t, context.Background())
		srv.Close()
		if got := tr.event(t, "kill-1", assay.EventFaultApplied).Attrs[attrHeard]; left != tc.flight || got != tc.heard {
			t.Errorf("%s: the guard has %v, want %v; heard %q, want %q", tc.name, left, tc.flight, got, tc.heard)
		}
	}
}

// A run that is interrupted before it asks for a fault does not ask, and has nothing to wait for.
func TestNothingIsAskedForOnceInterrupted(t *testing.T) {
	o := &object{}
	srv := httptest.NewServer(o)
	defer srv.Close()
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	asked := false
	tr := newTrial(scripted{ids: []string{"a"}, act: func(v Victim) (*Action, error) {
		a := nothing(v)
		a.Undo = Undo{Kind: UndoKube, Kubeconfig: kubeconfig(t, srv.URL), Method: "DELETE", Path: "/apis/g/v1/x/a", Want: Gone, Flight: time.Hour}
		a.Apply = func(_ context.Context, stamp func()) error { asked = true; stamp(); return nil }
		return a, nil
	}}, Step{Fault: "kill", Instances: 1})
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultArmed {
			interrupt()
		}
	}
	tr.run(t, ctx)
	if diff := cmp.Diff([]string{assay.EventFaultArmed, assay.EventFaultVoid, assay.EventFaultClear}, tr.kinds("kill-1")); diff != "" || asked {
		t.Errorf("asked for: %t; events (-want +got):\n%s", asked, diff)
	}
}
