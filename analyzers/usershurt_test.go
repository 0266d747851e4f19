package analyzers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// find returns the finding of a metric with a label, or none.
func findIn(fs []assay.Finding, metric, over string) assay.Finding {
	for _, f := range fs {
		if f.Metric == metric && f.Labels["over"] == over {
			return f
		}
	}
	return assay.Finding{}
}

// TestUsersHurt: users are counted where requests tell them, whatever their class, and each by the share of its own requests.
func TestUsersHurt(t *testing.T) {
	u := uptime{f: naturalFacts(100)}
	for at := range int64(100) {
		for i := range 10 {
			r := assay.Request{ID: uint64(at*10 + int64(i)), Class: "all", User: fmt.Sprint("u", i), Due: at * sec, Outcome: assay.OK}
			switch {
			case i == 0 && at >= 20 && at < 80, i == 1 && at >= 20 && at < 40, i == 2 && at == 30:
				r.Outcome = assay.ServerError
			}
			u.add(&r)
		}
		u.add(&assay.Request{Class: "all", Due: at * sec, Outcome: assay.Timeout}) // of nobody
	}
	by := u.findings()[0]
	if want := 1 - 81./990; math.Abs(by.Quantity.Value-want) > 1e-9 {
		t.Errorf("uptime %s, want %g", by.Quantity, want)
	}
	if d := cmp.Diff([]string{"10 users, 15 min there and up, 81 s down", "100 judged requests tell no user and are not in it"}, by.Evidence); d != "" {
		t.Errorf("evidence (-want +got):\n%s", d)
	}
	got := u.hurt()
	for over, want := range map[string]float64{"": .3, "1%": .2, "10%": .2, "50%": .1} {
		if q := findIn(got, "users/hurt", over).Quantity; math.Abs(q.Value-want) > 1e-9 || q.N != 10 || !(q.Lo < want && want < q.Hi) {
			t.Errorf("hurt over %q: %s, want %g of 10", over, q, want)
		}
	}
	if d := cmp.Diff([]string{"lost most: u0 60 of 100, u1 20 of 100, u2 1 of 100"}, findIn(got, "users/hurt", "").Evidence); d != "" {
		t.Errorf("worst (-want +got):\n%s", d)
	}
	if q := findIn(got, "users/error_ratio", "").Quantity; math.Abs(q.Value-.081) > 1e-9 || !(q.Lo < .081-.03 && q.Hi > .081+.03) {
		t.Errorf("error ratio %s: want an interval as wide as users differ", q)
	}
	if q := findIn(got, "users/lost_time", "").Quantity; q.Value != 81 || q.N != 10 {
		t.Errorf("lost %s, want 81 s", q)
	}
	var classes uptime
	classes.f = naturalFacts(100)
	for _, r := range ofUser("a", func(int64) bool { return false }, 0, 1, 2) {
		classes.add(&r)
	}
	classes.findings()
	for _, f := range classes.hurt() {
		if f.Quantity.Reason != "not measured, because no request tells its user" {
			t.Errorf("%s by class: %s", f.Metric, f.Quantity)
		}
	}
}

// TestUsersComeLate: the first request that tells a user ends the classes that stood for users, and what came before is nobody's.
func TestUsersComeLate(t *testing.T) {
	u := uptime{f: naturalFacts(100)}
	for at := range int64(10) {
		u.add(&assay.Request{Class: "c", Due: at * sec, Outcome: assay.Timeout})
	}
	for at := int64(10); at < 20; at++ {
		u.add(&assay.Request{Class: "c", User: "u", Due: at * sec, Outcome: assay.OK})
	}
	u.findings()
	seen := findIn(u.hurt(), "users/seen", "")
	if d := cmp.Diff([]string{"10 judged requests tell no user and are not in the figures of users"}, seen.Warnings); d != "" || seen.Quantity.Value != 1 {
		t.Errorf("%s, warnings (-want +got):\n%s", seen.Quantity, d)
	}
}

// TestManyUsers: of more users than are followed a part is, of which no more is hurt than of all, and memory is bounded.
func TestManyUsers(t *testing.T) {
	u := uptime{f: naturalFacts(1000), limit: 1000, stayLimit: 3000}
	rng := rand.New(rand.NewPCG(1, 1))
	const users = 20_000
	for i := range 4 * users {
		n := i % users
		r := assay.Request{User: assay.Pseudonym(fmt.Sprint(n)), Due: int64(i) * 1e7, Outcome: assay.OK}
		if n%4 == 0 && rng.IntN(2) == 0 {
			r.Outcome = assay.Unavailable
		}
		u.add(&r)
		if len(u.users) > 1000 || len(u.stays) > 3000 {
			t.Fatalf("%d users, %d stays", len(u.users), len(u.stays))
		}
	}
	u.findings()
	got := u.hurt()
	q := findIn(got, "users/hurt", "").Quantity
	if want := .25 * 15 / 16; q.Lo > want || q.Hi < want || q.N < 400 { // of four requests of one of four users, one or more failed
		t.Errorf("hurt %s, want about %g", q, want)
	}
	if seen := findIn(got, "users/seen", ""); len(seen.Warnings) != 1 || u.halvings < 4 {
		t.Errorf("%d halvings, warnings %q", u.halvings, seen.Warnings)
	}
}

// TestUsersIntervalCovers: the error ratio's interval over users holds where users differ, and one over requests would not.
func TestUsersIntervalCovers(t *testing.T) {
	n := 200
	if full() {
		n = 2000
	}
	hit, told := 0, 0
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 77))
		u := uptime{f: naturalFacts(1000)}
		id := uint64(0)
		var p [60]float64 // a fifth of the users fails for half of its requests, the others for a hundredth
		for i := range p {
			if p[i] = .01; rng.IntN(5) == 0 {
				p[i] = .5
			}
		}
		for at := range int64(50) {
			for i := range p {
				id++
				r := assay.Request{ID: id, User: fmt.Sprint(i), Due: at * sec, Outcome: assay.OK}
				if rng.Float64() < p[i] {
					r.Outcome = assay.ServerError
				}
				u.add(&r)
			}
		}
		u.findings()
		if q := findIn(u.hurt(), "users/error_ratio", "").Quantity; q.Known() {
			told++
			if want := .2*.5 + .8*.01; q.Lo <= want && want <= q.Hi {
				hit++
			}
		}
	}
	got := float64(hit) / float64(told)
	t.Logf("covered in %.3f of %d", got, told)
	if least := .95 - 3.72*math.Sqrt(.95*.05/float64(told)); got < least || told < n*9/10 {
		t.Errorf("covered in %.3f of %d, want at least %.3f", got, told, least)
	}
}

// BenchmarkUptime adds requests of a thousand users.
func BenchmarkUptime(b *testing.B) {
	u := uptime{f: naturalFacts(1 << 30)}
	names := make([]string, 1000)
	for i := range names {
		names[i] = assay.Pseudonym(fmt.Sprint(i))
	}
	r := assay.Request{Outcome: assay.OK}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.User, r.Due = names[i%1000], int64(i)*1e6
		u.add(&r)
	}
}
