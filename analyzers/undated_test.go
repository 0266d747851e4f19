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
