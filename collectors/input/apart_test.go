package input

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInputsWithoutAnInstantInCommon(t *testing.T) {
	at := func(text string) int64 {
		v, err := time.Parse(time.DateTime, "2026-11-20 "+text)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixNano()
	}
	of := func(kind, path, begin, end string) Summary {
		return Summary{Kind: kind, Path: "/var/x/" + path, Begin: at(begin), End: at(end)}
	}
	none := Summary{Kind: "logs", Path: "none.log"}
	log := of("logs", "serve.log", "10:00:00", "10:01:00")
	for _, c := range []struct {
		name string
		in   []Summary
		want []string
	}{
		{"a start that was logged before the load", []Summary{of("requests", "r.csv", "10:05:00", "10:15:00"), none, log}, nil},
		{"bridged by a third", []Summary{log, of("requests", "r.csv", "12:00:00", "12:10:00"), of("prometheus", "p.json", "09:00:00", "12:05:00")}, nil},
		{"hours apart", []Summary{of("requests", "r.csv", "12:00:00", "12:10:00"), log, of("samples", "s.csv", "12:05:00", "12:20:00")}, []string{
			"serve.log ends 1h59m0s before r.csv begins, and nothing was recorded in between: 2026-11-20 10:00:00..2026-11-20 10:01:00 (logs), and 2026-11-20 12:00:00..2026-11-20 12:10:00 (requests); want recordings of the same time, or shift= and zone= where a clock is off"}},
	} {
		if d := cmp.Diff(c.want, apart(c.in)); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, d)
		}
	}
}
