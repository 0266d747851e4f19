package cloud

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// CountedRequests is the counter that the sums of a function's Invocations, Errors and Throttles become: requests since the first period, by label outcome (ok, error, throttled).
//
// A sum says how many there were in its period and is no counter; as one it is read as those of other servers are, and the period is what an instant is known by. An invocation that
// did not fail was ok. Errors stand at the instant their invocation began, as AWS has it. Throttled ones were not invoked: they are told apart and are neither. A period without invocations has no
// datapoint and adds nothing. What never reached the function, such as a gateway that was down, is in none of them.
const CountedRequests = "aws_lambda_requests_total"

// outcomes of requests, by the metric that counts them.
var outcomes = [...]string{"ok", "error", "throttled"}

const (
	invocations = iota
	failures
	throttles
)

// mostFilled bounds the samples for periods without a datapoint.
const mostFilled = 50_000

// A counting gathers sums by function until they are made counters.
type counting struct {
	period int64 // ns; 0: as the stamps tell
	by     map[string]*functionSums
}

// functionSums are the sums of one function, by the begin of their period.
type functionSums struct {
	labels []assay.Label
	sums   [3]map[int64]float64
	ids    [3]string // of the series that they are of
	mixed  bool      // several series have the same labels
	bare   bool      // their label does not tell the statistic

	begun bool
	last  int64 // where the last period ended
	total [3]float64
}

// take keeps a datapoint if it is one of those that are counted.
func (c *counting) take(name string, labels []assay.Label, at int64, v float64) {
	short, ok := strings.CutPrefix(name, "aws_lambda_")
	if !ok {
		return
	}
	base, sum := strings.CutSuffix(short, "_sum")
	which := slices.Index([]string{"invocations", "errors", "throttles"}, base)
	if which < 0 || v < 0 || v != math.Trunc(v) || v > 1e15 {
		return
	}
	id, key, own := "", "", make([]assay.Label, 0, len(labels))
	for _, l := range labels {
		if l.Name == "id" {
			id = l.Value
			continue
		}
		key += l.Name + "\x00" + l.Value + "\x00"
		own = append(own, l)
	}
	if !sum {
		key += "\x00"
	}
	f := c.by[key]
	if f == nil {
		if len(c.by) >= 1000 {
			return
		}
		f = &functionSums{labels: own, bare: !sum}
		if c.by == nil {
			c.by = map[string]*functionSums{}
		}
		c.by[key] = f
	}
	if f.sums[which] == nil {
		f.sums[which], f.ids[which] = map[int64]float64{}, id
	}
	if f.ids[which] != id {
		f.mixed = true
	}
	if f.mixed = f.mixed || len(f.sums[which]) >= maxPoints; !f.mixed {
		f.sums[which][at] = v
	}
}

// flush emits the counters of what was taken, and says in notes what cannot be one.
func (c *counting) flush(t *input.Tally, emit func(assay.Record) error) error {
	keys := c.counted()
	for _, key := range keys {
		f := c.by[key]
		switch {
		case f.mixed:
			t.Note("of %d functions it is not told which Invocations and Errors belong together: one a file, or dimensions, would tell", 1)
			continue
		case f.sums[invocations] == nil || f.sums[failures] == nil:
			if !f.begun {
				t.Note("of %d functions there are not both sums, of Invocations and of Errors: their requests are not counted by outcome", 1)
			}
			continue
		case f.bare && !f.sum():
			t.Note("of %d functions the label does not say that Invocations are sums, and no value is above 1: they may be averages, and are not counted", 1)
			continue
		}
		if err := f.emit(c.period, t, emit); err != nil {
			return err
		}
		f.sums = [3]map[int64]float64{}
	}
	return nil
}

// counted returns the functions whose sums do not hold those of others: AWS counts an invocation under its function, again under its alias or version, and under none.
func (c *counting) counted() []string {
	fewest := 0
	depth := func(f *functionSums) int {
		if slices.ContainsFunc(f.labels, func(l assay.Label) bool { return l.Name == "function_name" }) {
			return len(f.labels)
		}
		return 1000 + len(f.labels) // sums over functions, only where nothing names them
	}
	for _, f := range c.by {
		if d := depth(f); fewest == 0 || d < fewest {
			fewest = d
		}
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(c.by)) {
		f := c.by[key]
		if f.bare && slices.ContainsFunc(slices.Collect(maps.Values(c.by)), func(o *functionSums) bool { return !o.bare && slices.Equal(o.labels, f.labels) }) {
			continue // the same under a label that tells
		}
		if depth(f) == fewest {
			keys = append(keys, key)
		}
	}
	return keys
}

// sum reports whether the values can be sums: the average of Invocations is 1 at all times.
func (f *functionSums) sum() bool {
	for _, v := range f.sums[invocations] {
		if v > 1 {
			return true
		}
	}
	return false
}

// emit adds the periods that were taken to the counters.
func (f *functionSums) emit(period int64, t *input.Tally, emit func(assay.Record) error) error {
	stamps := slices.Sorted(maps.Keys(f.sums[invocations]))
	if period == 0 {
		for i := 1; i < len(stamps); i++ {
			period = divisor(period, stamps[i]-stamps[i-1])
		}
	}
	if period < 1e9 {
		t.Note("of %d functions there are too few datapoints to tell their period: their requests are not counted by outcome", 1)
		return nil
	}
	put := func(at int64) error {
		for k, o := range outcomes {
			labels := append(slices.Clone(f.labels), assay.Label{Name: "outcome", Value: o})
			sortLabels(labels)
			if err := emit(&assay.Sample{Name: CountedRequests, Labels: labels, Time: at, Value: f.total[k]}); err != nil {
				return err
			}
		}
		return nil
	}
	filled := 0
	for _, at := range stamps {
		bad, known := f.sums[failures][at]
		if !known {
			t.Note("of %d periods there are Invocations and no Errors: their requests are not counted by outcome", 1)
			continue
		}
		switch {
		case !f.begun:
			f.begun, f.last = true, at
			if err := put(at); err != nil {
				return err
			}
		case at < f.last:
			t.Note("%d periods came after a later one was counted, and are left out", 1)
			continue
		}
		for ; f.last < at && filled < mostFilled; filled++ { // nothing was invoked
			f.last += period
			if err := put(min(f.last, at)); err != nil {
				return err
			}
		}
		n := f.sums[invocations][at]
		f.total[0] += max(0, n-bad)
		f.total[1] += bad
		f.total[2] += f.sums[throttles][at]
		f.last = at + period
		if err := put(f.last); err != nil {
			return err
		}
	}
	return nil
}

// divisor returns the greatest common divisor of two lengths.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return cmp.Or(max(a, -a), 0)
}
