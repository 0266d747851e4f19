package analyzers

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
)

// ofUser makes requests of one user.
func ofUser(user string, failed func(at int64) bool, ats ...int64) (out []assay.Request) {
	for _, at := range ats {
		r := assay.Request{Class: user, Due: at * sec, Outcome: assay.OK}
		if failed(at) {
			r.Outcome = assay.ServerError
		}
		out = append(out, r)
	}
	return out
}

func naturalFacts(end int64) *assay.Facts {
	return &assay.Facts{Manifest: &assay.Manifest{}, Begin: 0, End: end * sec, Segments: []assay.Segment{{Ledger: assay.Natural, Begin: 0, End: end * sec}}}
}

// A user who asks a hundred times as often as another counts for as much time, and one who gave up is down for no longer than the cut-off.
func TestUserUptime(t *testing.T) {
	u := uptime{f: naturalFacts(200)}
	down := func(at int64) bool { return at >= 100 && at < 110 }
	for at := range int64(200) {
		for _, r := range ofUser("busy", down, at) {
			u.add(&r)
		}
		if at%10 == 0 {
			for _, r := range ofUser("calm", down, at) {
				u.add(&r)
			}
		}
	}
	for _, r := range ofUser("gone", func(int64) bool { return true }, 195) { // once: nothing is known of what came after
		u.add(&r)
	}
	f := u.findings()[0]
	q := f.Quantity
	if want := 1 - 20./(199+190); math.Abs(q.Value-want) > 1e-9 || q.N != 1 || !(q.Lo < q.Value && q.Value < q.Hi) {
		t.Errorf("got %s, want %g", q, want)
	}
	if f.Evidence[0] != "3 users by the class of their requests, 369 s there and up, 20 s down" {
		t.Errorf("evidence %q", f.Evidence)
	}
	away := uptime{f: naturalFacts(10000)}
	for _, r := range ofUser("a", func(at int64) bool { return at == 10 }, 0, 5, 10, 9000, 9001) {
		away.add(&r)
	}
	if q := away.findings()[0].Quantity; q.Known() || q.Reason != "not estimable, because "+because {
		t.Errorf("a user who was away for hours: %s", q)
	}
	var none uptime
	if q := none.findings()[0].Quantity; q.Reason != "not measured, because no request of the natural ledger tells its user, or a class that could stand for one" {
		t.Errorf("without a class: %s", q)
	}
}

// Two services are down for as long: one at a stretch, one in pieces. The windows tell them apart, and are the better the longer they are.
func TestWindowedUptime(t *testing.T) {
	least := func(failed func(int64) bool) (out []float64) {
		u := uptime{f: naturalFacts(1000)}
		for at := range int64(1000) {
			for _, r := range ofUser("a", failed, at) {
				u.add(&r)
			}
		}
		for _, f := range u.findings()[1:] {
			out = append(out, f.Quantity.Value)
		}
		return out
	}
	long := least(func(at int64) bool { return at >= 500 && at < 530 })
	flaps := least(func(at int64) bool { return at%33 == 0 && at < 990 })
	if len(long) != 3 || len(flaps) != 3 || long[0] != 0 || math.Abs(long[1]-.5) > 1e-9 || !(flaps[0] > .89) || !(flaps[1] > .96) {
		t.Errorf("one outage %v, flaps %v", long, flaps)
	}
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 8))
		last := 0.0
		for _, v := range least(func(int64) bool { return rng.IntN(20) == 0 }) {
			if v < last { // each length divides the next
				t.Errorf("seed %d: %g after %g", seed, v, last)
			}
			last = v
		}
	}
}

// The interval of availability by user covers the truth where users share their outages, which is what makes users no sample.
func TestUserUptimeCovers(t *testing.T) {
	n := 150
	if full() {
		n = 1000
	}
	const mtbf, mttr = 60., 6.
	hit, told := 0, 0
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 31))
		u := uptime{f: naturalFacts(900)}
		bad, until := false, 0.0
		for at := 0.0; at < 900; at += 0.25 + rng.Float64() {
			for at > until {
				if bad = !bad; bad {
					until += mttr * rng.ExpFloat64()
				} else {
					until += mtbf * rng.ExpFloat64()
				}
			}
			r := assay.Request{Class: string(rune('a' + rng.IntN(5))), Due: int64(at * 1e9), Outcome: assay.OK}
			if bad {
				r.Outcome = assay.Unavailable
			}
			u.add(&r)
		}
		if q := u.findings()[0].Quantity; q.Known() {
			told++
			if want := mtbf / (mtbf + mttr); q.Lo <= want && want <= q.Hi {
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
