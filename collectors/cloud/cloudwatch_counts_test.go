package cloud

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// Sums become counters: a sample of each outcome at the begin of the first period and at the end of each, and flat ones where nothing was invoked.
func TestCloudWatchCounts(t *testing.T) {
	series := func(id, label, stamps, values string) string {
		return fmt.Sprintf(`{"Id":%q,"Label":%q,"Timestamps":[%s],"Values":[%s],"StatusCode":"Complete"}`, id, label, stamps, values)
	}
	data := func(series ...string) string { return `{"MetricDataResults":[` + strings.Join(series, ",") + `]}` }
	point := func(metric, dimensions string, at, sum int) string {
		return fmt.Sprintf(`{"metric_stream_name":"s","namespace":"AWS/Lambda","metric_name":%q,"dimensions":%s,"timestamp":%d,"value":{"count":1,"sum":%d}}`+"\n", metric, dimensions, at*1000, sum)
	}
	const begin = 1767225600 // 2026-01-01
	var stream string
	for i := range 2 {
		for _, dim := range []string{`{}`, `{"FunctionName":"a"}`, `{"FunctionName":"a","Resource":"a:live"}`} {
			stream += point("Invocations", dim, begin+60*i, 9) + point("Errors", dim, begin+60*i, i)
		}
	}
	for _, tt := range []struct {
		name, text string
		options    map[string]string
		want       []string // s after the first minute of 2026: labels ok/error/throttled
		note       string
	}{
		{"newest first, with a gap", data(series("m0", "Invocations_Sum", "1767225840,1767225660,1767225600", "10,8,4"), series("m1", "Errors_Sum", "1767225840,1767225660,1767225600", "10,0,1"),
			series("m2", "Throttles_Sum", "1767225660", "3")), nil,
			[]string{"0 {} 0/0/0", "60 {} 3/1/0", "120 {} 11/1/3", "180 {} 11/1/3", "240 {} 11/1/3", "300 {} 11/11/3"}, ""},
		{"of a function that the user names", data(series("m0", "Invocations", "1767225600", "4"), series("m1", "Errors", "1767225600", "1")), map[string]string{"function": "fn", "period": "5m"},
			[]string{"0 {function_name=fn} 0/0/0", "300 {function_name=fn} 3/1/0"}, ""},
		{"one period of unknown length", data(series("m0", "Invocations_Sum", "1767225600", "4"), series("m1", "Errors_Sum", "1767225600", "1")), nil, nil, "too few datapoints to tell their period"},
		{"averages", data(series("m0", "Invocations", "1767225600,1767225660", "1,1"), series("m1", "Errors", "1767225600,1767225660", "0,1")), nil, nil, "they may be averages"},
		{"no errors", data(series("m0", "Invocations_Sum", "1767225600,1767225660", "4,4")), nil, nil, "there are not both sums"},
		{"two functions by their ids alone", data(series("m0", "Invocations_Sum", "1767225600,1767225660", "4,4"), series("m1", "Invocations_Sum", "1767225600,1767225660", "9,9"), series("m2", "Errors_Sum", "1767225600,1767225660", "1,1")),
			nil, nil, "it is not told which Invocations and Errors belong together"},
		{"a stream counts each under several dimensions", stream, nil, []string{"0 {function_name=a} 0/0/0", "60 {function_name=a} 9/0/0", "120 {function_name=a} 17/1/0"}, ""},
	} {
		var got []string
		values, first := map[string]float64{}, int64(0)
		sum, err := inputtest.Read(t, input.Spec{Kind: &cloudWatchKind, Path: inputtest.File(t, "cw.json", tt.text), Options: tt.options}, input.Settings{}, func(_ *input.Set, r assay.Record) {
			s, ok := r.(*assay.Sample)
			if !ok || s.Name != CountedRequests {
				return
			}
			if first == 0 {
				first = s.Time
			}
			var labels []string
			outcome := ""
			for _, l := range s.Labels {
				if l.Name == "outcome" {
					outcome = l.Value
					continue
				}
				labels = append(labels, l.Name+"="+l.Value)
			}
			if values[outcome] = s.Value; outcome == "throttled" {
				got = append(got, fmt.Sprintf("%d {%s} %g/%g/%g", (s.Time-first)/1e9, strings.Join(labels, ","), values["ok"], values["error"], values["throttled"]))
			}
		})
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
		if notes := strings.Join(sum.Notes, "; "); !strings.Contains(notes, tt.note) || tt.note == "" && strings.Contains(notes, "not counted") {
			t.Errorf("%s: notes %q, want %q", tt.name, notes, tt.note)
		}
	}
	_, err := inputtest.Read(t, input.Spec{Kind: &cloudWatchKind, Path: inputtest.File(t, "cw.json", "{}"), Options: map[string]string{"period": "90ms"}}, input.Settings{}, func(*input.Set, assay.Record) {})
	if err == nil || !strings.Contains(err.Error(), `period "90ms": want whole seconds`) {
		t.Errorf("a period of 90ms: %v", err)
	}
}
