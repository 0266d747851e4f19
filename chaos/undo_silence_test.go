package chaos

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/alertmanager/standin"
)

const silencingRun = "0123456789abcdef"

// makeSilence makes a silence by someone with a comment.
func makeSilence(t *testing.T, url, by, comment string) string {
	t.Helper()
	now := time.Now()
	id, err := (&alertmanager.Client{URL: url}).Silence(context.Background(), alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "A", IsEqual: true}},
		StartsAt: now, EndsAt: now.Add(time.Hour), CreatedBy: by, Comment: comment})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// active lists the silences that have not ended.
func active(s *standin.Server) (ids []string) {
	for _, x := range s.Silences() {
		if !x.Over() {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// The undo ends all silences of its run and nobody else's, any number of times.
func TestUndoSilence(t *testing.T) {
	s := &standin.Server{}
	srv := httptest.NewServer(s)
	defer srv.Close()
	ctx := context.Background()
	u := Undo{ID: "silence-1", Kind: UndoSilence, URL: srv.URL, Mark: silencingRun}
	makeSilence(t, srv.URL, "assay", SilenceComment("other", "fedcba9876543210"))
	makeSilence(t, srv.URL, "someone", SilenceComment("drill", silencingRun))
	for round := range 2 {
		if round == 0 {
			makeSilence(t, srv.URL, SilencedBy, SilenceComment("drill", silencingRun))
			makeSilence(t, srv.URL, SilencedBy, SilenceComment("drill", silencingRun)) // its answer was lost, and it was made again
			if err := u.away(ctx); err == nil || !strings.Contains(err.Error(), "silence silence-3 lasts until ") {
				t.Errorf("before the undo: %v", err)
			}
		}
		if err := u.Do(ctx); err != nil {
			t.Error(err)
		}
		if err := u.Verify(ctx); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff([]string{"silence-1", "silence-2"}, active(s)); d != "" {
			t.Errorf("round %d: active (-want +got):\n%s", round, d)
		}
	}
}

func TestUndoSilenceToken(t *testing.T) {
	s := &standin.Server{Token: "secret"}
	srv := httptest.NewServer(s)
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ASSAY_TEST_TOKEN", "secret")
	for _, tt := range []struct {
		u    Undo
		want string
	}{
		{Undo{TokenFile: file}, ""}, {Undo{TokenEnv: "ASSAY_TEST_TOKEN"}, ""}, {Undo{}, "status 401"}, {Undo{TokenEnv: "ASSAY_TEST_NONE"}, "the environment has no ASSAY_TEST_NONE"},
		{Undo{TokenFile: file + "x"}, "no such file"},
	} {
		u := tt.u
		u.Kind, u.URL, u.Mark = UndoSilence, srv.URL, silencingRun
		if err := u.Do(context.Background()); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.u, err, tt.want)
		}
	}
	for _, bad := range []Undo{{URL: "x", Mark: silencingRun}, {URL: srv.URL}, {URL: srv.URL, Mark: "run .*"}} {
		bad.Kind = UndoSilence
		if err := bad.check(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// A silence is armed as a fault is: the guardian ends it when the run dies, and Heal when both have died.
func TestSilenceOfADeadRun(t *testing.T) {
	lookOnly(t)
	s := &standin.Server{}
	srv := httptest.NewServer(s)
	defer srv.Close()
	u := Undo{ID: "silence-1", Kind: UndoSilence, URL: srv.URL, Mark: silencingRun}
	dir := t.TempDir()
	g, err := StartGuardian(context.Background(), os.Args[0], dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Arm(context.Background(), u); err != nil {
		t.Fatal(err)
	}
	makeSilence(t, srv.URL, SilencedBy, SilenceComment("drill", silencingRun))
	g.pipe.Close() // as the death of the run does
	<-g.Lost()
	if left := active(s); len(left) > 0 {
		t.Errorf("the guardian left %v", left)
	}

	makeSilence(t, srv.URL, SilencedBy, SilenceComment("drill", silencingRun))
	events := []assay.Event{{Kind: assay.EventUndoArmed, Fault: "silence-2", Attrs: map[string]string{attrKind: "silence", attrTarget: "alerts", attrUndo: asJSON(u), attrBoot: "another"}}}
	dir = t.TempDir() // the run that the guardian has noted is this process, which lives
	rep, err := Heal(context.Background(), dir, events)
	if want := (HealReport{Reverted: []string{"silence-2: silence of alerts"}}); err != nil || !cmp.Equal(rep, want) {
		t.Errorf("got %+v, %v; want %+v", rep, err, want)
	}
	if left := active(s); len(left) > 0 {
		t.Errorf("heal left %v", left)
	}
	if rep, err := Heal(context.Background(), dir, append(events, assay.Event{Kind: assay.EventUndoClear, Fault: "silence-2"})); err != nil || !cmp.Equal(rep, HealReport{}) {
		t.Errorf("heal had something to do: %+v, %v", rep, err)
	}
}
