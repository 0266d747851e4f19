package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// calculate runs a calculator in this process.
func calculate(stdin string, args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	code = run(context.Background(), strings.NewReader(stdin), &o, &e, append([]string{"stat"}, args...))
	return o.String(), e.String(), code
}

const nistAges = "5h 40h 43h 175h 389h 712h 747h 795h 1299h 1478h"

// TestCalculators: the published example of each, through the command line. A key is a path in the JSON.
func TestCalculators(t *testing.T) {
	for _, c := range []struct {
		args, stdin string
		want        map[string][2]float64 // value, and half of the last digit
	}{
		{"mtbf --time 800h --failures 2 --confidence 0.90", "", map[string][2]float64{"value": {1440000, 0}, "lo": {127.07 * 3600, 18}, "hi": {2251.23 * 3600, 18}, "n": {2, 0}, "confidence": {.9, 0}, "rate_per_hour": {1.0 / 400, 1e-12}}},
		{"mtbf --time 800h --confidence 0.95", "", map[string][2]float64{"lo": {267.05 * 3600, 18}, "rate_per_hour_hi": {1 / 267.05, 1e-7}}},
		{"mtbf --time 800 --failures 2 --terminated failure", "", map[string][2]float64{"value": {400, 0}, "rate": {1.0 / 400, 1e-12}}},
		{"trend --end 1500h " + nistAges, "", map[string][2]float64{"mil_hdbk/chi2": {37.2281, 5e-5}, "mil_hdbk/dof": {20, 0}, "mil_hdbk/p_upper": {.01099, 5e-6}, "laplace/z": {-1.32695, 5e-6}, "laplace/p_lower": {.0923, 5e-5}, "reverse_arrangements/r": {33, 0}, "reverse_arrangements/of": {45, 0}, "reverse_arrangements/p_at_least": {.03628, 5e-6}}},
		{"growth --end 1500h --confidence 0.80 " + nistAges, "", map[string][2]float64{"value": {310.234 * 3600, 2}, "lo": {157.7138 * 3600, .2}, "hi": {548.5566 * 3600, .2}, "slope": {.516494, 5e-7}, "beta": {.4835060, 5e-8}}},
		{"growth --end 1500 --confidence 0.80", strings.ReplaceAll(nistAges, "h", "") + "\n# the handbook's", map[string][2]float64{"lambda": {.1966582, 5e-8}, "mtbf_mle": {279.2106, 5e-5}}},
		{"weibull --censored 500:10 54 187 216 240 244 335 361 373 375 386", "", map[string][2]float64{"shape": {1.7208, 5e-5}, "value": {606.5280, 5e-4}, "log_likelihood": {-75.135, 5e-4}, "aic": {154.27, 5e-3}, "mean": {540.737, 5e-4}, "sd": {323.806, 5e-4}, "n": {10, 0}, "censored": {10, 0}}},
		{"lognormal --censored 500:10 54 187 216 240 244 335 361 373 375 386", "", map[string][2]float64{"mu": {6.22602, 5e-6}, "sigma": {.908914, 5e-7}, "aic": {154.39, 5e-3}}},
		{"lognormal --n 40 --log-mean 5.127 --log-variance 1.010", "", map[string][2]float64{"value": {279.22, 5e-3}, "lo": {187.92, 5e-3}, "hi": {414.88, 5e-3}, "cox_z/lo": {190.24, 5e-3}, "cox_z/hi": {409.82, 5e-3}, "n": {40, 0}}},
		{"survival --censored 50,100,125,150,200:10 10 32 56 98 122 181", "", map[string][2]float64{"steps/0/survival": {.95, 1e-9}, "steps/2/survival": {.847059, 5e-7}, "steps/5/survival": {.670359, 5e-7}}},
		{"availability --up 1000h --down 20h --episodes 10 --confidence 0.9", "", map[string][2]float64{"value": {.980392, 5e-7}, "exponential_f/lo": {.959248, 5e-7}, "exponential_f/hi": {.990672, 5e-7}}},
		{"proportion --successes 4 --n 20 --confidence 0.90 --method clopper-pearson", "", map[string][2]float64{"value": {.2, 0}, "lo": {.071354, 5e-7}, "hi": {.401028, 5e-7}}},
		{"proportion --successes 29 --n 30", "", map[string][2]float64{"lo": {.8278305443665873, 1e-12}, "hi": {.9991564290733695, 1e-12}}},
		{"proportion --successes 4 --n 20 --method jeffreys", "", map[string][2]float64{"lo": {.0715, 5e-5}, "hi": {.4082, 5e-5}}},
		{"proportion --successes 81 --n 263 --method wilson", "", map[string][2]float64{"lo": {.2553, 5e-5}, "hi": {.3662, 5e-5}}},
		{"quantile --p 0.9 --type 6 --confidence 0.5", "95.1772 95.1567 95.1937 95.1959 95.1442 95.0610 95.1591 95.1195 95.1772 95.0925 95.1990 95.1682", map[string][2]float64{"value": {95.19807, 5e-6}}},
		{"quantile --p 0.9 --confidence 0.5 95.1772 95.1567 95.1937 95.1959 95.1442 95.0610 95.1591 95.1195 95.1772 95.0925 95.1990 95.1682", "", map[string][2]float64{"value": {95.19568, 5e-6}, "n": {12, 0}}},
		{"quantile --p 0.9 --type 6", "95.1772 95.1567 95.1937 95.1959 95.1442 95.0610 95.1591 95.1195 95.1772 95.0925 95.1990 95.1682", map[string][2]float64{"value": {95.19807, 5e-6}, "confidence": {.95, 0}}},
		{"mannwhitney .80,.83,1.89,1.04,1.45,1.38,1.91,1.64,.73,1.46 1.15,.88,.90,.74,1.21", "", map[string][2]float64{"value": {.305, 5e-7}, "u": {35, 0}, "p": {.2544123, 5e-8}, "p_greater": {.1272061, 5e-8}}},
		{"usl", "1 64.9\n18 995.9\n36 1652.4\n72 1853.2\n108 1828.9\n144 1775.0\n216 1702.2\n", map[string][2]float64{"value": {96.52, 5e-3}, "alpha/value": {.0277285, 5e-8}, "beta/value": {.0001044, 5e-8}, "gamma/value": {89.9952, 5e-5}, "gamma/se": {14.2135, 5e-5}, "alpha/se": {.0091217, 5e-8}, "beta/se": {.0000199, 5e-8}, "points/0/efficiency": {.7212, 6e-5}, "points/6/efficiency": {.0876, 5e-5}, "points/0/residual": {-25.1, .05}, "points/1/residual": {-81.7, .05}, "points/2/residual": {111.1, .05}, "points/3/residual": {3.1, .05}, "points/4/residual": {-50, .05}, "points/5/residual": {-46.6, .05}, "points/6/residual": {56, .05}, "peak/value": {1883.9, .05}}},
		{"erlang --servers 4 --arrivals 3 --service 1 --cs2 2", "", map[string][2]float64{"value": {.764151, 5e-7}, "waiting": {.509434, 5e-7}}},
		{"erlang --servers 4 --arrivals 180/min --service 1000ms --cs2 2", "", map[string][2]float64{"value": {.764151, 5e-7}}},
		{"erlang --servers 4 --arrivals 3/h --service 1/h", "", map[string][2]float64{"value": {.509434 * 3600, 2e-3}}},
		{"erlang --limit 100ms --arrivals 3 --service 1", "", map[string][2]float64{"servers": {6, 0}}},
		{"burn --ratio 0.0144", "", map[string][2]float64{"value": {14.4, 1e-12}, "budget": {43.2 * 60, 1e-6}, "rules/0/budget_share": {.02, 1e-12}, "rules/0/fires_after": {3600, 1e-6}, "rules/1/budget_share": {.05, 1e-12}, "rules/2/budget_share": {.1, 1e-12}, "rules/3/budget_share": {.1, 1e-12}}},
		{"burn --bad 1 --total 100", "", map[string][2]float64{"value": {10, 1e-9}, "exhausted_after": {3 * 86400, 1e-6}, "exhausted_after_lo": {30 * 86400 / 54.4594, 1}, "exhausted_after_hi": {30 * 86400 / .253146, 50}}},
		{"burn --bad 0 --total 10", "", map[string][2]float64{"value": {0, 0}, "exhausted_after_lo": {30 * 86400 / 308.497, 1}}},
		{"mtbf --time 48000min --failures 2 --confidence 0.90", "", map[string][2]float64{"value": {1440000, 0}, "lo": {127.07 * 3600, 18}}},
		{"burn --ratio 1", "", map[string][2]float64{"value": {1000, 1e-9}, "rules/0/fires_after": {51.84, 1e-9}}},
		// SRE workbook, chapter 5: budgets of 30 d, and what a rate spends of one within its window.
		{"burn --ratio 0 --objective 0.99", "", map[string][2]float64{"budget": {432 * 60, 1e-6}}},
		{"burn --ratio 0 --objective 0.995", "", map[string][2]float64{"budget": {216 * 60, 1e-6}}},
		{"burn --ratio 0 --objective 0.9999", "", map[string][2]float64{"budget": {4.32 * 60, 1e-6}}},
		{"burn --ratio 0.006 --window 6h", "", map[string][2]float64{"spent": {.05, 1e-9}}},
		{"burn --ratio 0.001 --window 3d", "", map[string][2]float64{"spent": {.1, 1e-9}, "exhausted_after": {30 * 86400, 1e-6}}},
		{"burn --bad 1000 --total 1000 --objective 0.9995", "", map[string][2]float64{"budget": {21.6 * 60, 1e-6}, "value": {2000, 1e-6}}},
		{"coverage .5:40:40 .3:30:29 .2:10:8", "", map[string][2]float64{"value": {.95, 5e-4}, "se": {.027142, 5e-7}, "lo": {.8713, 5e-5}, "hi": {.9789, 5e-5}, "lower": {.8828, 5e-5}, "pooled": {.9625, 5e-5}}},
		{"plan --goal 720h", "", map[string][2]float64{"value": {2156.9 * 3600, 180}, "time_1": {3415.6 * 3600, 180}}},
		{"plan --goal 2 --bad 1", "", map[string][2]float64{"value": {4.394, 5e-4}, "expected_if_good": {11.45683, 5e-6}, "expected_if_bad": {9.10073, 5e-6}, "fixed_time": {20.128, 5e-4}, "fixed_failures": {14, 0}, "boundaries/5/reject_before": {2.53702, 5e-6}}},
		{"plan --proportion 0.001", "", map[string][2]float64{"value": {2995, 0}, "trials_3": {7752, 0}}},
		{"plan --quantile 0.99", "", map[string][2]float64{"value": {299, 0}, "loadgen_queries": {270336, 0}, "loadgen_early_0": {459, 0}}},
		{"changepoints --window 30 --p 0.01 --magnitude 0.05", "10 10.1 9.9 10 10.1 12 12.1 11.9 12 12.1", map[string][2]float64{"value": {1, 0}, "change_points/0/index": {5, 0}, "n": {10, 0}}},
	} {
		out, errs, code := calculate(c.stdin, append(strings.Fields(c.args), "--output", "json")...)
		var got any
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Errorf("%s: exit %d, %v\n%s%s", c.args, code, err, out, errs)
			continue
		}
		if m := got.(map[string]any); m["source"] == "" || m["unit"] == nil {
			t.Errorf("%s: no source or unit: %s", c.args, out)
		}
		figuresAlone(t, c.args, []byte(out))
		for path, want := range c.want {
			v, ok := at(got, path).(float64)
			if !ok || !(math.Abs(v-want[0]) <= want[1]+1e-15) {
				t.Errorf("%s: %s is %v, want %v ± %v", c.args, path, at(got, path), want[0], want[1])
			}
		}
		if text, _, code := calculate(c.stdin, strings.Fields(c.args)...); code != 0 || !strings.Contains(text, "\nsource") {
			t.Errorf("%s: exit %d as text:\n%s", c.args, code, text)
		}
	}
}

// at returns what stands at a path of decoded JSON.
func at(v any, path string) any {
	for _, key := range strings.Split(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			if i := int(key[0] - '0'); i < len(x) {
				v = x[i]
			} else {
				return nil
			}
		}
	}
	return v
}

// TestCalculatorsRefuse: what is wrong is named, and what would be right.
func TestCalculatorsRefuse(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.txt")
	if err := os.WriteFile(bad, []byte("1 2\n3 x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, stdin, want string }{
		{"mtbf", "", "--time is needed"},
		{"mtbf --time 0h", "", "above 0"},
		{"mtbf --time x", "", `"x" is neither a number nor a duration`},
		{"mtbf --time 1h --failures -1", "", "--failures -1 is out of range"},
		{"mtbf --time 1h --confidence 1", "", "--confidence 1 is out of range"},
		{"mtbf --time 1h --failures 1 --terminated never", "", `--terminated "never" is unknown`},
		{"mtbf --time 1h --terminated failure", "", "has seen one"},
		{"mtbf --time 1h --output xml", "", `--output "xml" is unknown`},
		{"trend 5h 6h", "", "--end is needed"},
		{"trend --end 4h 5h 6h", "", "a failure at 6 h lies after the end, --end 4 h"},
		{"mtbf --time -5h", "", "--time -5h0m0s is out of range"},
		{"erlang --servers 99999999999 --arrivals 1 --service 1", "", "--servers 99999999999 is out of range"},
		{"weibull --censored 5:99999999999 1 2 3", "", "no more than 10000000 lives in all"},
		{"trend --end 4 1h 2h", "", "the same unit"},
		{"trend --end 4h 1 2h", "", "2h has a unit and 1 has none"},
		{"trend --end 4h", "1h\n-2h\n", "want ages above 0"},
		{"weibull " + bad, "", "bad.txt:2: \"x\" is neither"},
		{"weibull nothing.txt", "", `"nothing.txt" is neither a number, nor a duration such as 5h, nor a file`},
		{"weibull --censored 5:0 1 2", "", `--censored "5:0": want a time, or time:count`},
		{"weibull --censored 5h 1 2", "", "the same unit"},
		{"weibull --censored 5", "", "no failures were given"},
		{"weibull 0", "", "lifetime 0: want more than 0"},
		{"availability --up 1h --down 2h", "", "at least one episode"},
		{"availability --up 1h --down 2 --episodes 1", "", "the same unit"},
		{"proportion --successes 3 --n 2", "", "want 0 <= successes <= n"},
		{"proportion --successes 1 --n 2 --method guess", "", `--method "guess" is unknown`},
		{"quantile --p 1 1 2", "", "--p 1 is out of range"},
		{"quantile --type 5 1 2", "", "--type 5 is unknown"},
		{"quantile", "NaN", `standard input:1: "NaN" is not a finite number`},
		{"mannwhitney 1,2 3h,4h", "", "the same unit"},
		{"usl", "n,x\n1,2\n3\n", `standard input:3: "3": want concurrency and throughput`},
		{"erlang --servers 1 --arrivals 1", "", "both above 0"},
		{"erlang --servers 1 --arrivals 1 --service 1 --limit 1s", "", "exactly one of"},
		{"erlang --servers 1 --arrivals 3/s --service 1", "", "a unit both"},
		{"erlang --servers 1 --arrivals 3/y --service 1", "", `"3/y" is no rate`},
		{"erlang --servers 1 --arrivals soon --service 1", "", `"soon" is no rate`},
		{"burn --objective 1 --ratio 0", "", "--objective 1 is out of range"},
		{"burn --bad 0.5 --total 1.5", "", "--bad 0.5 --total 1.5: want whole requests; a share is --ratio"},
		{"erlang --servers 2 --arrivals 1 --service 1 --ca2 NaN", "", "--ca2 NaN --cs2 1: want 0 or more, and finite"},
		{"erlang --servers 2 --arrivals 1 --service 1 --cs2 +Inf", "", "want 0 or more, and finite"},
		{"burn", "", "--bad and --total are needed"},
		{"coverage .5:1", "", "want weight:injected:recovered"},
		{"coverage .5:1:1", "", "add up to 0.5; want 1"},
		{"plan", "", "exactly one of --goal"},
		{"plan --goal 1h --bad 2h", "", "want 0 < bad < good"},
		{"plan --proportion 2", "", "out of range"},
		{"lognormal --n 1 --log-mean 2 --log-variance 3", "", "want n 2 at least"},
		{"lognormal --n 9 --log-mean 2 --log-variance 3 4 5", "", "not both"},
		{"usl", "1,2\nInf,3\n", "standard input:2: \"Inf,3\": want finite numbers"},
		{"quantile", "1 2\n" + strings.Repeat("9", 1<<20+1), "standard input:2: bufio.Scanner: token too long"},
		{"changepoints --window 1 1 2", "", "--window 1 is out of range; 2 to"},
	} {
		if out, errs, code := calculate(c.stdin, strings.Fields(c.args)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, %q%s; want %q", c.args, code, errs, out, c.want)
		}
	}
}

// TestCalculatorsAbstain: with too little data there is a reason in place of a number, and what would be enough.
func TestCalculatorsAbstain(t *testing.T) {
	for args, want := range map[string]string{
		"trend --end 9h 1h 2h":      "a trend needs at least 4 failures and there are 2",
		"growth --end 9h 1h 2h":     "growth needs at least 3 failures",
		"weibull 5":                 "at least two different failures",
		"weibull 3":                 "1 failures",
		"weibull 3 3":               "2 failures",
		"lognormal 3 3":             "2 failures",
		"lognormal 5 5 5":           "at least two different failures",
		"survival --censored 9:5 1": "more than half outlived the watch",
		"availability --up 9h":      "nothing bounds how long an episode would last",
		"quantile --p 0.99 1 2 3":   "needs at least 299 values and there are 3",
		"usl -":                     "at least 5 distinct loads",
		"erlang --servers 1 --arrivals 2 --service 1": "the queue grows without end; at least 3 are needed",
		"changepoints 1":                               "it needs 4 values in a window of 4; there are 1",
		"changepoints --window 2 1 1 1 2 2 2":          "needs 4 values in a window of 4; there are 6, in a window of 2",
		"changepoints --window 4 --p .05 1 2 3 1":      "with 2 values a side a change is found where it is some 4.3 times the spread within either", // Student's t of 2 degrees of freedom at 97.5 %: 4.303
		"growth --end 1e308 1e-308 1 2 3":              "not estimable, because growth needs at least 3 failures",
		"weibull 1e-308 1e308 5 3":                     "lies beyond all numbers",
		"mtbf --time 800h --confidence 0.9":            "which tables of factors print, is 267.047 h", // NIST 8.4.5.1: 0.3338 of the time
		"mannwhitney 1 2":                              "-1  interval not estimable, because 1 and 1 values bound no shift at 95 %; 4 and 4 would",
		"mannwhitney --confidence .99 1,2,3,4 5,6,7,8": "4 and 4 values bound no shift at 99 %; 5 and 5 would",
		"mannwhitney 1,1,1,1,1 1,1,1,1,1":              "their order does not tell how far the samples lie apart",
		"burn --bad 1 --total 100":                     "not decided: the interval of the burn rate holds it",
	} {
		out, errs, code := calculate("1 2", strings.Fields(args)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, want %q:\n%s%s", args, code, want, out, errs)
		}
		out, _, _ = calculate("1 2", append(strings.Fields(args), "--output", "json")...)
		figuresAlone(t, args, []byte(out))
	}
}

func FuzzCalculatorNumbers(f *testing.F) {
	for _, s := range []string{"1 2,3", "5h;6h # x", "1e999", "-", "1d", "\x00", "1 2h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &statFlags{in: strings.NewReader(text)}
		d, err := s.read(nil)
		if err != nil {
			return
		}
		for _, v := range d.v {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%q gave %v", text, v)
			}
		}
	})
}

func FuzzCalculatorPairs(f *testing.F) {
	for _, s := range []string{"1,2", "n,x\n1 2\n3;4 # five", "1\n", "NaN,1", "1e999 1", "x,y\nx,y", "\x00,\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &statFlags{in: strings.NewReader(text)}
		n, x, err := s.pairs(nil)
		if err != nil {
			return
		}
		if len(n) != len(x) {
			t.Fatalf("%q gave %d and %d numbers", text, len(n), len(x))
		}
		for i := range n {
			if v := n[i] + x[i]; math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%q gave %v and %v", text, n[i], x[i])
			}
		}
	})
}

// TestBurnRulesBetween: a rule fires, or does not, only where the whole interval says so.
func TestBurnRulesBetween(t *testing.T) {
	for args, want := range map[string][]any{
		"burn --bad 1 --total 100":     {nil, nil, nil, nil}, // 10 [0.25, 54]
		"burn --bad 100 --total 10000": {false, true, true, true},
		"burn --ratio 0.0144":          {true, true, true, true},
		"burn --ratio 0":               {false, false, false, false},
	} {
		out, errs, _ := calculate("", append(strings.Fields(args), "--output", "json")...)
		var got any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v: %s%s", args, err, out, errs)
		}
		for i, w := range want {
			if g := at(got, fmt.Sprintf("rules/%d/fires", i)); g != w {
				t.Errorf("%s: rule %d fires %v, want %v", args, i, g, w)
			}
		}
	}
}

// TestUSLWithoutPeak: a straight line has no best concurrency, and one with noise has none that is known.
func TestUSLWithoutPeak(t *testing.T) {
	for pairs, want := range map[string]string{
		"1,10\n2,20\n3,30\n4,40\n5,50\n6,60\n":             "rises without a maximum: coherence is 0",
		"1,10.1\n2,19.8\n4,40.3\n8,79.1\n16,161\n32,318\n": "the interval of coherence, [0, 0.000165",
	} {
		out, errs, code := calculate(pairs, "usl")
		if code != 0 || !strings.Contains(out, want) || strings.Contains(out, "highest throughput") {
			t.Errorf("exit %d, want %q:\n%s%s", code, want, out, errs)
		}
	}
	if out, _, _ := calculate("1,10.1\n2,19.8\n4,40.3\n8,79.1\n16,161\n32,318\n", "usl"); !strings.Contains(out, "one would lie above 7") {
		t.Errorf("no lower bound:\n%s", out)
	}
}
