package dashboards

import (
	"fmt"
	"math"
	"testing"

	"github.com/assay-dev/assay"
)

func TestNumbers(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		got, want string
	}{
		{Number(0), "0"}, {Number(6.91), "6.91"}, {Number(6.9), "6.9"}, {Number(412.4), "412"}, {Number(0.015349), "0.0153"}, {Number(1234), "1230"},
		{Number(74102), "74 100"}, {Number(-3.5), "−3.5"}, {Number(99.96), "100"}, {Number(999.6), "1000"}, {Number(1e-15), "1e-15"}, {Number(3e15), "3e+15"}, {Number(nan), "?"}, {Number(inf), "∞"}, {Number(-inf), "−∞"},
		{Integer(7), "7"}, {Integer(9999), "9999"}, {Integer(74102), "74 102"}, {Integer(-12345678), "−12 345 678"},
		{Duration(0), "0 s"}, {Duration(3e-9), "3 ns"}, {Duration(85e-6), "85 µs"}, {Duration(0.0002), "200 µs"}, {Duration(0.412), "412 ms"}, {Duration(0.99949), "999 ms"}, {Duration(0.9996), "1 s"},
		{Duration(6.9), "6.9 s"}, {Duration(71), "71 s"}, {Duration(99.96), "1m40s"}, {Duration(114), "1m54s"}, {Duration(3599.7), "1h00m"}, {Duration(11100), "3h05m"}, {Duration(48 * 3600), "48 h"},
		{Duration(720 * 3600), "720 h"}, {Duration(-0.25), "−250 ms"}, {Duration(nan), "? s"}, {Duration(inf), "∞ s"},
		{Percent(0), "0 %"}, {Percent(1), "100 %"}, {Percent(0.88), "88 %"}, {Percent(0.0126), "1.26 %"}, {Percent(0.99714), "99.71 %"}, {Percent(0.999953), "99.9953 %"},
		{Percent(0.9999999999), "99.9999999 %"}, {Percent(1.5), "150 %"}, {Percent(0.995), "99.5 %"},
		{Nines(0.9971), "2.5 nines"}, {Nines(1), "no loss seen"}, {Nines(nan), "?"}, {Nines(0), "0.0 nines"},
		{Bytes(0), "0 B"}, {Bytes(999), "999 B"}, {Bytes(18e6), "18 MB"}, {Bytes(1.5e9), "1.5 GB"}, {Bytes(999999), "1 MB"},
		{In(11, assay.PerSecond), "11/s"}, {In(152, assay.PerHour), "152/h"}, {In(41, assay.Count), "41"}, {In(1.5, assay.Count), "1.5"}, {In(64, assay.Tokens), "64 tokens"}, {In(60e6, assay.BytesPerHour), "60 MB/h"}, {In(2.5e9, assay.Bandwidth), "2.5 GB/s"}, {In(3, "W"), "3 W"},
		{Things(1, "faults"), "1 fault"}, {Things(2, "faults"), "2 faults"}, {Things(1, "process"), "1 process"}, {Things(3, ""), "3"},
	} {
		if want := nb(c.want); c.got != want {
			t.Errorf("got %q, want %q", c.got, want)
		}
	}
}

// nb puts the no-break space of grouped digits where the table above has a plain one.
func nb(s string) string {
	out := []rune(s)
	for i := 1; i+1 < len(out); i++ {
		if out[i] == ' ' && digit(out[i-1]) && digit(out[i+1]) {
			out[i] = '\u00a0'
		}
	}
	return string(out)
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

func TestQuantities(t *testing.T) {
	nan := math.NaN()
	bound := func(lo, hi float64, u assay.Unit) assay.Quantity {
		return assay.Quantity{Value: nan, Lo: lo, Hi: hi, Confidence: 0.95, Unit: u}
	}
	ninety := est(assay.Seconds, 1, 0.5, 2, 9, "requests", "")
	ninety.Confidence = 0.9
	for _, c := range []struct {
		q                               assay.Quantity
		value, interval, bracket, whole string
	}{
		{est(assay.Seconds, 0.412, 0.371, 0.498, 236, "requests", ""), "412 ms", "371..498 ms", "[371, 498]", "412 ms [371, 498]"},
		{est(assay.Seconds, 1.3, 0.45, 2.11, 4, "starts", ""), "1.3 s", "450 ms..2.11 s", "[450 ms..2.11 s]", "1.3 s [450 ms..2.11 s]"},
		{meas(assay.Seconds, 6.91, 0.1, 4, "starts", ""), "6.91 s", "±0.1 s", "[6.81, 7.01]", "6.91 s [6.81, 7.01]"},
		{meas(assay.Seconds, 0.3, 0.05, 4, "starts", ""), "300 ms", "±50 ms", "[250, 350]", "300 ms [250, 350]"},
		{exact(assay.Count, 41, 41, "requests"), "41", "exact", "", "41"},
		{est(assay.Bytes, -363e3, -3.36e6, 5.03e6, 240, "readings", ""), "−363 kB", "−3.36..5.03 MB", "[−3.36 MB, 5.03 MB]", "−363 kB [−3.36 MB, 5.03 MB]"},
		{est(assay.Bytes, 0, -3.36e6, 5.03e6, 240, "readings", ""), "0 B", "−3.36..5.03 MB", "[−3.36 MB, 5.03 MB]", "0 B [−3.36 MB, 5.03 MB]"},
		{est(assay.Bytes, 169e6, 166e6, 173e6, 20, "readings", ""), "169 MB", "166..173 MB", "[166, 173]", "169 MB [166, 173]"},
		{est(assay.BytesPerHour, 60e6, 59e6, 61e6, 20, "readings", ""), "60 MB/h", "59..61 MB/h", "[59, 61]", "60 MB/h [59, 61]"},
		{est(assay.BytesPerHour, -3e3, -1e6, 2e6, 20, "readings", ""), "−3 kB/h", "−1..2 MB/h", "[−1 MB/h, 2 MB/h]", "−3 kB/h [−1 MB/h, 2 MB/h]"},
		{est(assay.Bandwidth, 3e3, 1e3, 2e6, 20, "readings", ""), "3 kB/s", "1 kB/s..2 MB/s", "[1 kB/s..2 MB/s]", "3 kB/s [1 kB/s..2 MB/s]"},
		{est(assay.Seconds, 0.9, -1.5, 3.3, 4, "starts", ""), "900 ms", "−1.5..3.3 s", "[−1.5 s, 3.3 s]", "900 ms [−1.5 s, 3.3 s]"},
		{est(assay.Seconds, 0, -0.0015, 0.0033, 4, "starts", ""), "0 s", "−1.5..3.3 ms", "[−1.5 ms, 3.3 ms]", "0 s [−1.5 ms, 3.3 ms]"},
		{est(assay.Seconds, 40, 200, 400, 4, "starts", ""), "40 s", "3m20s..6m40s", "[3m20s, 6m40s]", "40 s [3m20s, 6m40s]"},
		{est(assay.Tokens, 5, 4, 6, 4, "answers", ""), "5 tokens", "4..6 tokens", "[4, 6]", "5 tokens [4, 6]"},
		{est(assay.PerHour, 5, 4, 6, 4, "failures", ""), "5/h", "4..6/h", "[4, 6]", "5/h [4, 6]"},
		{est(assay.Ratio, 0.001, -0.02, 0.03, 4, "requests", ""), "0.1 %", "−2..3 %", "[−2, 3 %]", "0.1 % [−2, 3 %]"},
		{bound(23, inf, assay.Seconds), "≥23 s", "≥23 s", "[≥23 s]", "≥23 s"},
		{bound(-inf, 152, assay.PerHour), "≤152/h", "≤152/h", "[≤152/h]", "≤152/h"},
		{bound(0, 152, assay.PerHour), "≤152/h", "≤152/h", "[0, 152]", "≤152/h"},
		{est(assay.Ratio, 1, 0.158, 1, 2, "faults", ""), "100 %", "15.8..100 %", "[15.8, 100 %]", "100 % [15.8, 100 %]"},
		{ninety, "1 s", "500 ms..2 s (90 %)", "[500 ms..2 s] (90 %)", "1 s [500 ms..2 s] (90 %)"},
		{assay.NotEstimable(assay.Ratio, 0, "episodes", "no failure was seen"), "not estimable", "none", "", "not estimable, because no failure was seen"},
		{assay.NotMeasured(assay.Ratio, "nobody looked"), "not measured", "none", "", "not measured, because nobody looked"},
		{assay.Quantity{Reason: "lost"}, "not known", "none", "", "lost"},
		{assay.Quantity{Value: nan, Lo: -inf, Hi: inf}, "no value", "none", "", "no value"},
		{assay.Quantity{Value: 3, Lo: -inf, Hi: inf, Unit: assay.Seconds}, "3 s", "none", "", "3 s"},
	} {
		got := [4]string{Value(c.q), Interval(c.q), Bracket(c.q), Measure(c.q)}
		if want := [4]string{c.value, c.interval, c.bracket, c.whole}; got != want {
			t.Errorf("%v:\n got %q\nwant %q", c.q, got, want)
		}
	}
}

func TestGoal(t *testing.T) {
	for _, c := range []struct {
		o    assay.Objective
		want string
	}{
		{assay.Objective{Max: maxOf(0.8), Unit: assay.Seconds}, "≤800 ms"}, {assay.Objective{Min: maxOf(0.995), Unit: assay.Ratio}, "≥99.5 %"},
		{assay.Objective{Min: maxOf(1), Max: maxOf(4)}, "1..4"}, {assay.Objective{}, "none"},
	} {
		if got := Goal(c.o, assay.Count); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func ExampleDuration() {
	for _, s := range []float64{0.000085, 0.412, 6.9, 114, 11100, 2592000} {
		fmt.Println(Duration(s))
	}
	// Output:
	// 85 µs
	// 412 ms
	// 6.9 s
	// 1m54s
	// 3h05m
	// 720 h
}

// FuzzFormat makes sure that no number breaks a view: it never panics and never gives an empty text.
func FuzzFormat(f *testing.F) {
	for _, v := range []float64{0, 1, -1, 1e300, 1e-300, 0.99999, 100, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1)} {
		f.Add(v, v*2)
	}
	f.Fuzz(func(t *testing.T, a, b float64) {
		for _, u := range []assay.Unit{assay.Seconds, assay.Ratio, assay.Bytes, assay.Count, assay.PerSecond, assay.PerHour, "odd"} {
			q := assay.Quantity{Value: a, Lo: math.Min(a, b), Hi: math.Max(a, b), Confidence: 0.95, Unit: u, N: 1}
			for _, s := range []string{In(a, u), Value(q), Interval(q), Measure(q)} {
				if s == "" || len(s) > 120 {
					t.Errorf("%g, %g %s gives %q", a, b, u, s)
				}
			}
		}
		ticks(0, math.Abs(a), 4)
		timeTicks(0, math.Abs(b), 4)
		px(a)
	})
}

// A share close to one has no more digits than its interval tells.
func TestShareCloseToOne(t *testing.T) {
	for _, c := range []struct {
		v, lo float64
		want  string
	}{{0.99999962, 0.99986, "99.9999 %"}, {0.9971, 0.989, "99.71 %"}, {0.999999, 0.99999, "99.9999 %"}, {0.99999962, 0.999999, "99.999962 %"}, {0.99999962, 0.5, "99.9999 %"}} {
		q := assay.Quantity{Value: c.v, Lo: c.lo, Hi: 1, Confidence: 0.95, Unit: assay.Ratio, N: 9, Of: "requests", Basis: assay.Estimated}
		if got := Value(q); got != c.want {
			t.Errorf("%v from %v: got %q, want %q", c.v, c.lo, got, c.want)
		}
	}
}
