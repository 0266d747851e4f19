package facts

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// Two pods that start alike, told by their cluster and by vLLM's log. One was restarted later, so that of its first start the cluster does not know when it was ready, nor tells
// of the start of its runtime.
func TestStartToldByPlatformAndEngine(t *testing.T) {
	const ms = second / 1000
	ev := func(source string, resolution, at int64, kind string, attrs ...string) assay.Event {
		e := assay.Event{Time: at, Resolution: resolution, Kind: kind, Source: source, Instance: "a", Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	phase := func(source string, resolution int64, name string, begin, end int64) assay.Event {
		return ev(source, resolution, end, assay.EventInstancePhase, "phase", name, "start_ns", strconv.FormatInt(begin, 10), "end_ns", strconv.FormatInt(end, 10), "source", source)
	}
	cluster := func(at int64, kind string, attrs ...string) assay.Event {
		return ev("kubernetes", second, at, kind, attrs...)
	}
	log := []assay.Event{
		ev("log", ms, 45250*ms, assay.EventInstanceStarted), phase("log", ms, "weights_load", 52040*ms, 67250*ms), phase("log", ms, "compile", 69250*ms, 80250*ms),
		phase("log", ms, "graph_capture", 83250*ms, 95250*ms), phase("log", ms, "server_start", 97250*ms, 97250*ms), ev("log", ms, 97250*ms, assay.EventInstanceReady),
	}
	readiness := phase("kubernetes", second, "readiness", 35*second, 100*second)
	ready := cluster(100*second, assay.EventInstanceReady)
	inferred := cluster(98*second, assay.EventInstanceReady, "inferred", "true")
	inferred.Resolution = 64 * second
	created, started := cluster(second, assay.EventInstanceCreated), cluster(35*second, assay.EventInstanceStarted)
	runtime := phase("kubernetes", second, "runtime_start", 34*second, 35*second)
	for _, c := range []struct {
		name      string
		events    []assay.Event
		probe     int64
		ready     int64 // ms
		coarse    int64 // ms
		runtime   string
		readiness string
		unready   int
	}{
		{"both", append([]assay.Event{created, runtime, started}, append(log, readiness, ready)...), 0, 100_000, 1000, "34000..45250 kubernetes, log", "97250..100000 kubernetes", 0},
		{"ready only inferred", append([]assay.Event{created, started}, append(log, inferred)...), 0, 97_250, 10_750, "35000..45250 kubernetes, log", "", 0},
		{"ready only inferred, with a known probe", append([]assay.Event{created, started}, append(log, inferred)...), 2 * second, 97_250, 2750, "35000..45250 kubernetes, log", "", 0},
		{"the cluster alone", []assay.Event{created, runtime, started, readiness, ready}, 0, 100_000, 1000, "34000..35000 kubernetes", "35000..100000 kubernetes", 0},
		{"the log alone", log, 0, 97_250, 1, "", "", 0},
		{"the log, and the cluster much later", append([]assay.Event{created, started}, append(log, cluster(500*second, assay.EventInstanceReady))...), 0, 97_250, 1000, "35000..45250 kubernetes, log", "", 0},
		{"ready again after it was not", append([]assay.Event{created, started}, append(log, cluster(110*second, assay.EventInstanceUnready), cluster(120*second, assay.EventInstanceReady))...), 0, 97_250, 1000,
			"35000..45250 kubernetes, log", "", 1},
	} {
		all := lives(&assay.Manifest{Probe: c.probe}, c.events, nil)
		if len(all) != 1 {
			t.Errorf("%s: %d lives", c.name, len(all))
			continue
		}
		l := all[0]
		said := map[string]string{}
		for _, p := range l.Phases {
			said[p.Name] += fmt.Sprintf("%d..%d %s", p.Begin/ms, p.End/ms, p.Source)
		}
		got := []any{l.Ready / ms, l.Coarse / ms, said["runtime_start"], said["readiness"], len(l.Unready)}
		if d := cmp.Diff([]any{c.ready, c.coarse, c.runtime, c.readiness, c.unready}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
