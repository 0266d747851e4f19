package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// A pod that was restarted seven times and tells of its last exit alone, as of a dump after an hour, beside one that went well.
func TestRestartsWithoutInstantCount(t *testing.T) {
	on := func(at int64, kind, instance string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * sec, Resolution: sec, Kind: kind, Source: "kubernetes", Instance: instance, Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	hidden := func(count string, more ...string) assay.Event {
		e := on(1801, assay.EventInstanceRestarted, "a", append([]string{"count", count}, more...)...)
		e.Resolution, e.Text = 1800*sec, "a pod tells of its last exit alone"
		return e
	}
	rest := []assay.Event{
		on(1, assay.EventInstanceCreated, "a"), on(1, assay.EventInstanceCreated, "b"), on(101, assay.EventInstanceReady, "b"),
		on(1801, assay.EventInstanceStarted, "a"), on(1901, assay.EventInstanceReady, "a"),
		on(3001, assay.EventInstanceExited, "a", "reason", "oom", "code", "137", "signal", "9"),
		on(3001, assay.EventAnnotation, "a", "reason", "CrashLoopBackOff"),
		on(3601, assay.EventAnnotation, "", "reason", "seen"),
	}
	// b was in routing for 3500 s and a for 1100 s of which it is known, and for 0 to 1800 s before.
	for _, c := range []struct {
		name   string
		events []assay.Event
		n      int
		value  float64 // s; NaN: withheld
		text   string  // in the evidence, or the reason
	}{
		{"none", nil, 1, 4600, "4600 s in routing"},
		{"seven", []assay.Event{hidden("7")}, 8, 6400. / 8, "of 1800 s more it is not known"},
		{"seven, of which a log dates two", []assay.Event{hidden("7"), on(500, assay.EventInstanceExited, "a", "reason", "crash"), on(520, assay.EventInstanceReady, "a"),
			on(900, assay.EventInstanceExited, "a", "reason", "crash")}, 8, 6400. / 8, "of 1420 s more"},
		{"seven at no known time", []assay.Event{hidden("7", "open", "true")}, 1, math.NaN(), "7 restarts more are known by their count alone"},
		{"more than are kept", []assay.Event{hidden("1500")}, 1001, math.NaN(), "500 restarts more"},
		{"a count that is none", []assay.Event{hidden("many")}, 1, 4600, "4600 s in routing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 3601 * sec}}}
			run.E = append(append([]assay.Event{}, rest...), c.events...)
			r := assess(t, run, "episodes", "mtbf")
			q := r.Find("mtbf/instance").Quantity
			said := q.Reason + strings.Join(r.Find("mtbf/instance").Evidence, "; ")
			if q.N != c.n || q.Known() == math.IsNaN(c.value) || !strings.Contains(said, c.text) {
				t.Fatalf("got %s, %q; want %d failures and …%s…", q, said, c.n, c.text)
			}
			if q.Known() && math.Abs(q.Value-c.value) > 0.5 {
				t.Errorf("got %g s, want %g", q.Value, c.value)
			}
			last := r.Episodes[len(r.Episodes)-1]
			if d := cmp.Diff([]string{"ended by signal 9", "unclean exit: oom", "seen last in CrashLoopBackOff"}, last.Evidence); d != "" || !last.RightCensored {
				t.Errorf("the last failure %+v (-want +got):\n%s", last, d)
			}
		})
	}
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 3601 * sec}}, E: append(rest[:len(rest):len(rest)], hidden("7"))}
	r := assess(t, run, "episodes", "mtbf")
	if lo := r.Find("mtbf/instance").Quantity.Lo; math.Abs(lo-9200/31.526) > 0.1 { // chi-square: 2*4600/chi2(0.975, 18)
		t.Errorf("lower bound %g s, want that of the known time alone", lo)
	}
	if e := r.Episodes[0]; e.BeginLo != 1*sec || e.Begin != 1801*sec || e.Confidence != assay.ConfidenceLow {
		t.Errorf("an episode without an instant %+v", e)
	}
}

// A run of a container whose end nobody saw ends when the next begins, and is one of those that were counted.
func TestUnseenExitIsOneOfTheCounted(t *testing.T) {
	on := func(at int64, kind string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * sec, Resolution: sec, Kind: kind, Source: "kubernetes", Instance: "a", Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	counted := on(1810, assay.EventInstanceRestarted, "count", "2")
	counted.Resolution, counted.Text = 1080*sec, "a pod tells of its last exit alone"
	ready := on(1810, assay.EventInstanceReady, "inferred", "true")
	oom := func(at int64) assay.Event { return on(at, assay.EventInstanceExited, "reason", "oom", "signal", "9") }
	b := func(at int64, kind string) assay.Event {
		e := on(at, kind)
		e.Instance = "b"
		return e
	}
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 3601 * sec}}, E: []assay.Event{
		on(1, assay.EventInstanceCreated), on(10, assay.EventInstanceStarted), on(20, assay.EventInstanceReady),
		oom(720), on(720, assay.EventInstanceCreated, "reason", "restart"), on(725, assay.EventInstanceStarted), on(730, assay.EventInstanceReady),
		on(1810, assay.EventInstanceStarted), ready, counted,
		oom(2400), on(2400, assay.EventInstanceCreated, "reason", "restart"), on(2405, assay.EventInstanceStarted), on(2410, assay.EventInstanceReady),
		b(3500, assay.EventInstanceCreated), b(3540, assay.EventInstanceReady), on(3601, assay.EventAnnotation, "reason", "seen")}}
	r := assess(t, run, "episodes", "mtbf", "recovery")
	type failed struct {
		Cause      string
		Lo, At, Up int64
		Undated    bool
	}
	var got []failed
	for _, e := range r.Episodes {
		got = append(got, failed{e.Cause, e.BeginLo / sec, e.Begin / sec, e.EndHi / sec, e.Undated})
	}
	want := []failed{{"oom", 720, 720, 730, false}, {"restart", 730, 1810, 1810, true}, {"restart", 730, 1810, 1810, true}, {"oom", 2400, 2400, 2410, false}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	x := r.Find("mttr/instance/median")
	if q := x.Quantity; q.Known() || q.N != 2 || !strings.Contains(strings.Join(x.Evidence, "; "), "2 failures without an instant left out") {
		t.Errorf("time to repair %s, %q: want none of the two whose beginning is not known", q, x.Evidence)
	}
}

// A pod that had ended when it was looked at first was ready since some instant after its start.
func TestReadyAtNoKnownInstant(t *testing.T) {
	on := func(at int64, kind, instance string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * sec, Resolution: sec, Kind: kind, Source: "kubernetes", Instance: instance, Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	ready := on(601, assay.EventInstanceReady, "a", "inferred", "true")
	ready.Resolution = 591 * sec
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 1201 * sec}}, E: []assay.Event{
		on(1, assay.EventInstanceCreated, "a"), on(10, assay.EventInstanceStarted, "a"), ready, on(601, assay.EventInstanceExited, "a", "reason", "crash", "code", "1"),
		on(1, assay.EventInstanceCreated, "b"), on(11, assay.EventInstanceReady, "b"), on(1201, assay.EventAnnotation, "", "reason", "seen")}}
	x := assess(t, run, "episodes", "mtbf").Find("mtbf/instance")
	if q := x.Quantity; q.N != 1 || math.Abs(q.Value-1190-591) > 1 || math.Abs(q.Lo-1190/5.572) > 2 || !strings.Contains(strings.Join(x.Evidence, "; "), "of 591 s more it is not known") {
		t.Errorf("MTBF %s, %q; want 1781 s, bounded by 1190 s alone", q, x.Evidence)
	}
}

// A process that runs since an hour after its pod was created, with restarts in between that nobody saw, took no hour to start.
func TestStartAfterUnseenRestarts(t *testing.T) {
	on := func(at, resolution int64, kind string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * sec, Resolution: resolution * sec, Kind: kind, Source: "kubernetes", Instance: "a", Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 4000 * sec}}, E: []assay.Event{
		on(1, 1, assay.EventInstanceCreated), on(3, 1, assay.EventInstancePhase, "phase", "schedule", "start_ns", "1000000000", "end_ns", "3000000000"),
		on(3610, 1, assay.EventInstanceStarted), on(3610, 3609, assay.EventInstanceRestarted, "count", "3"), on(3660, 1, assay.EventInstanceReady),
		on(4000, 1, assay.EventAnnotation, "reason", "seen")}}
	q := assess(t, run, "episodes", "mtbf", "cold").Find("cold/start/worst").Quantity
	if q.N != 1 || q.Value != 50 {
		t.Errorf("worst start %s of %d, want 50 s", q, q.N)
	}
}
