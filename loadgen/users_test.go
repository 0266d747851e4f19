package loadgen

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/trace"
)

// asksOf counts the requests of each user.
func asksOf(calls []asked, phase string) map[string]int {
	n := map[string]int{}
	for _, c := range calls {
		if c.Phase == phase {
			n[c.User]++
		}
	}
	return n
}

// TestUsersOfSessions: a session is a user, a slot is one, and those of different phases are different; a load with neither has none.
func TestUsersOfSessions(t *testing.T) {
	chat := Phase{Name: "chat", Arrivals: Even{Profile{Rate: 1}}, For: 4 * time.Second, Session: &Session{Turns: Fixed(3)}}
	again := chat
	again.Name = "again"
	loop := Phase{Name: "loop", Closed: &Closed{N: 2}, For: time.Second}
	talks := Phase{Name: "talks", Closed: &Closed{N: 2}, For: time.Second, Session: &Session{Turns: Fixed(2)}}
	calls := record(t, 1, 100*time.Millisecond, chat, again, loop, talks, even("open", 5, time.Second))
	of := map[string]string{} // user to phase
	for phase, want := range map[string][2]int{"chat": {4, 3}, "again": {4, 3}, "loop": {2, 10}, "talks": {2, 10}, "open": {1, 5}} {
		asks := asksOf(calls, phase)
		if len(asks) != want[0] {
			t.Errorf("%s: %d users, want %d", phase, len(asks), want[0])
		}
		for user, n := range asks {
			if n != want[1] {
				t.Errorf("%s: user %s asked %d times, want %d", phase, user, n, want[1])
			}
			if other, taken := of[user]; taken {
				t.Errorf("%s and %s have user %s", phase, other, user)
			}
			if of[user] = phase; (phase == "open") != (user == "") || user != "" && len(user) != assay.PseudonymLen {
				t.Errorf("%s: user %q", phase, user)
			}
		}
	}
}

// TestUsersOfPopulation: requests and sessions are spread over the users as the law says, the same in all phases, and each seed gives others.
func TestUsersOfPopulation(t *testing.T) {
	p := even("open", 1000, 20*time.Second)
	p.Users = &Users{N: 50}
	counts := func(seed uint64, p Phase) map[uint64]int {
		n := map[uint64]int{}
		for _, r := range mustSchedule(t, seed, p).plan(0) {
			n[r.user]++
		}
		return n
	}
	alike := counts(1, p)
	chi := 0.0
	for _, n := range alike {
		chi += (float64(n) - 400) * (float64(n) - 400) / 400
	}
	if len(alike) != 50 || chi > 49+5*math.Sqrt(98) {
		t.Errorf("%d users, chi-square %.0f on 49 degrees", len(alike), chi)
	}
	p.Users = &Users{N: 50, Skew: 1.5}
	zipf, sum := counts(1, p), 0.0
	for k := 1; k <= 50; k++ {
		sum += math.Pow(float64(k), -1.5)
	}
	for k := uint64(1); k <= 3; k++ {
		want := 20_000 * math.Pow(float64(k), -1.5) / sum
		if n := float64(zipf[userOf("", k)]); math.Abs(n-want) > 5*math.Sqrt(want) {
			t.Errorf("user %d asked %.0f times, want about %.0f", k, n, want)
		}
	}
	one := mustSchedule(t, 1, p)
	if d := cmp.Diff(zipf, counts(1, p)); d != "" {
		t.Errorf("the same seed (-want +got):\n%s", d)
	}
	p.Users = nil
	if mustSchedule(t, 1, p).Hash() == one.Hash() {
		t.Error("without users, same hash")
	}
	if got, want := (&Phase{Arrivals: p.Arrivals, Prompt: Fixed(3), Output: Fixed(5), Users: &Users{N: 50, Skew: 1.5}}).work(), "prompts of 3 tokens; answers of 5 tokens; from 50 users, by Zipf's law with exponent 1.5"; got != want {
		t.Errorf("told as %q, want %q", got, want)
	}
	// Each session is one user's, and a phase that follows has the same users.
	chat := Phase{Name: "chat", Arrivals: Even{Profile{Rate: 2}}, For: 30 * time.Second, Session: &Session{Turns: Fixed(2)}, Users: &Users{N: 3}}
	after := even("after", 10, 10*time.Second)
	after.Users = &Users{N: 3}
	calls := record(t, 1, 100*time.Millisecond, chat, after)
	first := asksOf(calls, "chat")
	for user, n := range first {
		if n%2 != 0 {
			t.Errorf("user %s asked %d times in sessions of two turns", user, n)
		}
	}
	for user := range asksOf(calls, "after") {
		if first[user] == 0 {
			t.Errorf("user %s came in the second phase only", user)
		}
	}
	for want, p := range map[string]Phase{"users: 0 of them": {Users: &Users{}}, "users: skew 1": {Users: &Users{N: 1, Skew: 1}}} {
		p.Name, p.Arrivals, p.For = "p", Even{Profile{Rate: 1}}, time.Second
		if _, err := NewSchedule([]Phase{p}, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := NewSchedule([]Phase{{Name: "p", Closed: &Closed{N: 1}, For: time.Second, Users: &Users{N: 1}}}, 1); err == nil {
		t.Error("a closed loop took a population")
	}
}

// TestUsersOfTrace: a replayed trace has the users that an import of it has.
func TestUsersOfTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(path, []byte("at,in,who\n0,1,ann@example.org\n1,1,bob\n2,1,ann@example.org\n3,1,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	calls := record(t, 1, time.Millisecond, Phase{Name: "p", Arrivals: Replay{trace.Settings{Kind: "csv", Paths: []string{path}, Columns: trace.Columns{Time: "at", In: "in", Session: "who"}}}})
	var got []string
	for _, c := range calls {
		got = append(got, c.User)
	}
	ann, bob := assay.Pseudonym("ann@example.org"), assay.Pseudonym("bob")
	if d := cmp.Diff([]string{ann, bob, ann, ""}, got); d != "" {
		t.Errorf("users (-want +got):\n%s", d)
	}
}

// TestUserIsTold: a target learns the user of a request where that is asked for, and not otherwise.
func TestUserIsTold(t *testing.T) {
	var header, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		header, body = r.Header.Get("X-User"), string(b)
	}))
	defer s.Close()
	for _, c := range []struct {
		header      string
		field       bool
		user        string
		inHeader    string
		inBody      bool
		description string
	}{
		{"X-User", true, "00ff", "00ff", true, "asked for"},
		{"", false, "00ff", "", false, "not asked for"},
		{"X-User", true, "", "", false, "a request of nobody"},
	} {
		client, err := NewOpenAI(Endpoint{URL: s.URL, Clock: clock.New(), User: c.header, Class: "X-Class"})
		if err != nil {
			t.Fatal(err)
		}
		client.UserField = c.field
		client.Do(context.Background(), &assay.Call{Prompt: "a"}, &assay.Request{User: c.user, Class: "gold"})
		client.Close()
		if header != c.inHeader || strings.Contains(body, `"user":"00ff"`) != c.inBody {
			t.Errorf("%s: header %q, body %s", c.description, header, body)
		}
	}
}
