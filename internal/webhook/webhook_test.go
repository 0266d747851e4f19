package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// to is a transport that answers by a func.
type to func(r *http.Request) (int, error)

func (f to) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
}

func TestHook(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tt := range []struct {
		name    string
		answers []any // status or error, by request; the last stands for all after it
		posts   int
		took    time.Duration
		failed  []string
	}{
		{"well", []any{204}, 2, 0, nil},
		{"again", []any{503, refused, 200}, 4, 1500 * time.Millisecond, nil},
		{"wrong token", []any{401}, 2, 0, []string{"https://hook: notice of run.begin was not delivered: status 401", "https://hook: 1 more notices were not delivered"}},
		{"redirect", []any{302}, 2, 0, []string{"https://hook: notice of run.begin was not delivered: status 302", "https://hook: 1 more notices were not delivered"}},
		{"never", []any{429}, 6, 3 * time.Second, []string{"https://hook: notice of run.begin was not delivered: status 429", "https://hook: 1 more notices were not delivered"}},
		{"once", []any{refused, refused, refused, 200}, 4, 1500 * time.Millisecond, []string{"https://hook: notice of run.begin was not delivered: connection refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []Notice
				posts := 0
				h := &Hook{URL: "https://hook/secret?x=y", Run: "id", Token: func(context.Context) (string, error) { return "tok", nil }}
				h.HTTP = &http.Client{CheckRedirect: plain.CheckRedirect, Transport: to(func(r *http.Request) (int, error) {
					var n Notice
					if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
						t.Error(err)
					}
					if r.Header.Get("X-Assay-Run") != "id" || r.Header.Get("Authorization") != "Bearer tok" || r.Header.Get("Content-Type") != "application/json" {
						t.Errorf("headers %v", r.Header)
					}
					a := tt.answers[min(posts, len(tt.answers)-1)]
					posts++
					if err, ok := a.(error); ok {
						return 0, err
					}
					if a.(int)/100 == 2 {
						got = append(got, n)
					}
					return a.(int), nil
				})}
				var failed []string
				h.Failed = func(why string) { failed = append(failed, why) }
				h.Start()
				begin := time.Now()
				h.Tell(Notice{Kind: "run.begin"})
				h.Tell(Notice{Kind: "run.end"})
				h.Close(context.Background())
				h.Tell(Notice{Kind: "late"})
				h.Close(context.Background())
				if d := cmp.Diff(tt.failed, failed); d != "" {
					t.Errorf("failed (-want +got):\n%s", d)
				}
				if posts != tt.posts || time.Since(begin) != tt.took {
					t.Errorf("%d posts in %v, want %d in %v", posts, time.Since(begin), tt.posts, tt.took)
				}
			})
		})
	}
}

// A hook that hangs holds up nobody: telling returns at once, and closing when its time is up.
func TestHookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hook{URL: "https://hook", HTTP: &http.Client{Transport: to(func(r *http.Request) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		})}}
		var failed []string
		h.Failed = func(why string) { failed = append(failed, why) }
		h.Start()
		begin := time.Now()
		for range 100 {
			h.Tell(Notice{Kind: "fault.applied"})
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("telling took %v", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		h.Close(ctx)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("closing took %v, want 3s", took)
		}
		if len(failed) != 2 || failed[0] != "https://hook: notice of fault.applied was not delivered: 64 notices wait already" || failed[1] != "https://hook: 99 more notices were not delivered" {
			t.Errorf("failed %q", failed)
		}
	})
}

func TestHookWithoutToken(t *testing.T) {
	var failed string
	h := &Hook{URL: "https://hook", Failed: func(why string) { failed = why }, Token: func(context.Context) (string, error) { return "", io.ErrUnexpectedEOF }}
	h.Start()
	h.Tell(Notice{Kind: "run.begin"})
	h.Close(context.Background())
	if want := "https://hook: notice of run.begin was not delivered: unexpected EOF"; failed != want {
		t.Errorf("failed %q, want %q", failed, want)
	}
}
