package stat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestOracles holds every published example of reliability, quantiles, comparisons, queues and budgets that this package must reproduce, by the
// name under which it was published, to all digits that were printed. A reviewer can tick them off with -v.
func TestOracles(t *testing.T) {
	ages := []float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478}
	between := []float64{5, 35, 3, 132, 214, 323, 35, 48, 504, 179}
	var lives []Life
	for _, v := range []float64{54, 187, 216, 240, 244, 335, 361, 373, 375, 386} {
		lives = append(lives, Life{Time: v})
	}
	for range 10 {
		lives = append(lives, Life{Time: 500, Censored: true})
	}
	type check struct {
		what string
		got  float64
		want string // as printed
	}
	in := func(what string, i Interval, lo, hi string) []check {
		return []check{{what + ", lower", i.Lo, lo}, {what + ", upper", i.Hi, hi}}
	}
	for _, o := range []struct {
		name   string
		checks []check
	}{
		{"1.1a NIST/SEMATECH 8.4.5.1: 2 failures in 800 h, 90 %", append(in("MTBF", MTBF(800, 2, .9), "127.07", "2251.23"), check{"no failure, 95 % lower", MTBF(800, 0, .95).Lo, "267.05"})},
		{"1.1 MIL-HDBK-781: sequential, 10 % and 10 % at a ratio of 2", []check{{"accepted without a failure after", Sequential{2, 1, .1, .1}.Accept(0), "4.394"}}},
		{"1.1 one hour without a failure, and 720 h at 95 %", []check{{"MTBF at least", MTBF(1, 0, .95).Lo, "0.334"}, {"hours without a failure", 720 * PlanningFactor(0, .95), "2156.9"}, {"with one", 720 * PlanningFactor(1, .95), "3415.6"}}},
		{"1.2 NIST/SEMATECH 8.2.3.4: trend of 10 failures in 1500 h", func() []check {
			r, of, more, _ := Arrangements(between)
			tr := TrendOf(ages, 1500)
			return []check{{"reverse arrangements", float64(r), "33"}, {"of", float64(of), "45"}, {"exact p of at least as many", more, ".03628"}, {"MIL-HDBK chi-square", tr.MilHdbk, "37.2281"}, {"upper p", tr.MilHdbkTail, ".01099"}, {"Laplace z", tr.Laplace, "-1.32695"}, {"p", tr.LaplaceP / 2, ".0923"}}
		}()},
		{"1.3a NIST/SEMATECH 8.4.5.2: Crow-AMSAA, 80 %", func() []check {
			g, _ := GrowthOf(ages, 1500, false, .8)
			return append(in("MTBF(1500)", g.In, "157.7138", "548.5566"), check{"slope", g.Slope, ".516494"}, check{"beta freed of its bias", g.BetaU, ".4835060"}, check{"MTBF(1500)", g.MTBF, "310.234"},
				check{"beta", g.Beta, ".5372289"}, check{"MTBF by it", 1500 / (10 * g.Beta), "279.2106"}, check{"lambda", g.Lambda, ".1966582"})
		}()},
		{"1.3d NIST/SEMATECH 8.4.1.3: Weibull and lognormal, ten censored", func() []check {
			w, err := FitWeibull(lives, .95)
			l, err2 := FitLognormal(lives, .95)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			return []check{{"k", w.Shape, "1.7208"}, {"eta at full precision", w.Scale, "606.52756"}, {"log-likelihood", w.LogL, "-75.135"}, {"AIC", w.AIC, "154.27"}, {"mean", w.Mean, "540.737"}, {"sd", w.SD, "323.806"},
				{"lognormal AIC", l.AIC, "154.39"}, {"mu", l.Mu, "6.22602"}, {"sigma", l.Sigma, ".908914"}}
		}()},
		{"1.3e NIST/SEMATECH 8.2.1.5: Kaplan-Meier", func() (out []check) {
			var units []Life
			for _, v := range []float64{10, 32, 56, 98, 122, 181} {
				units = append(units, Life{Time: v})
			}
			for _, v := range append([]float64{50, 100, 125, 150}, slices.Repeat([]float64{200}, 10)...) {
				units = append(units, Life{Time: v, Censored: true})
			}
			for i, s := range KaplanMeier(units, .95) {
				out = append(out, check{fmt.Sprintf("R(%g)", s.Time), s.Survival, []string{".95", ".90", ".847059", ".794118", ".737395", ".670359"}[i]})
			}
			return out
		}()},
		{"1.4a Olsson 2005: mean of a lognormal", func() []check {
			mean, t := LognormalMean(5.127, 1.010, 40, .95)
			return append(in("t", t, "187.92", "414.88"), check{"mean", mean, "279.22"})
		}()},
		{"1.6a Newcombe 1998, 95 %", slices.Concat(in("81/263 Wilson", Wilson(81, 263, .95), ".2553", ".3662"), in("81/263 exact", ClopperPearson(81, 263, .95), ".2527", ".3676"),
			in("15/148 Wilson", Wilson(15, 148, .95), ".0624", ".1605"), in("15/148 exact", ClopperPearson(15, 148, .95), ".0578", ".1617"),
			in("0/20 Wilson", Wilson(0, 20, .95), "0", ".1611"), in("0/20 exact", ClopperPearson(0, 20, .95), "0", ".1684"),
			in("1/29 Wilson", Wilson(1, 29, .95), ".0061", ".1718"), in("1/29 exact", ClopperPearson(1, 29, .95), ".0009", ".1776"))},
		{"1.6b NIST/SEMATECH 7.2.4.2 and reliability's documents: exact", slices.Concat(in("4/20, 90 %", ClopperPearson(4, 20, .9), ".071354", ".401028"), in("29/30, 95 %", ClopperPearson(29, 30, .95), ".8278305443666", ".9991564290734"))},
		{"1.6c trials at 95 % with 0 to 3 failures", func() (out []check) {
			for p, want := range map[float64]string{1e-2: "299 473 628 773", 1e-3: "2995 4742 6294 7752", 1e-4: "29956 47437 62956 77535"} {
				for r, w := range strings.Fields(want) {
					out = append(out, check{fmt.Sprintf("p %g, %d failures", p, r), float64(Trials(p, r, .95)), w})
				}
			}
			return out
		}()},
		{"1.6d alternating renewal, 10 episodes, 90 %", func() []check {
			f := RenewalF(1000, 20, 10, .9)
			return append(in("A", Interval{1 - f.Hi, 1 - f.Lo, .9}, ".959248", ".990672"), check{"A", 1000. / 1020, ".980392"}, check{"F", f.Hi / (1 - f.Hi) * 50, "2.12416"})
		}()},
		{"1.7 Powell et al.: stratified coverage (its Jeffreys bounds were drawn at random: ours are exact to 1e-6)", func() []check {
			c, err := CoverageOf([]Stratum{{.5, 40, 40}, {.3, 30, 29}, {.2, 10, 8}}, .95)
			if err != nil {
				t.Fatal(err)
			}
			return append(in("95 %", c.In, ".87130", ".97890"), check{"coverage", c.Value, ".95"}, check{"se", c.SE, ".027142"}, check{"pooled", c.Pooled, ".9625"}, check{"one-sided lower", c.Lower, ".88285"})
		}()},
		{"2.2 order statistics of a quantile", func() (out []check) {
			for _, c := range []struct {
				n      int
				p      float64
				lo, hi string
				conf   string
			}{{100, .5, "40", "61", ".9648"}, {1000, .95, "936", "964", ".9581"}, {1000, .99, "983", "997", ".9761"}, {10000, .99, "9880", "9920", ".9558"}, {10000, .999, "9983", "9997", ".9755"}} {
				lo, hi, _, _ := Ranks(c.n, c.p, .95)
				at := binomialCDF(hi-1, c.n, c.p) - binomialCDF(lo-1, c.n, c.p)
				name := fmt.Sprintf("n %d, p %g", c.n, c.p)
				if wl, _ := strconv.Atoi(c.lo); lo != wl { // as near to the confidence from above, on the other side
					wh, _ := strconv.Atoi(c.hi)
					theirs := binomialCDF(wh-1, c.n, c.p) - binomialCDF(wl-1, c.n, c.p)
					out = append(out, check{name + ", theirs attains", theirs, c.conf})
					if at < .95 || hi-lo > wh-wl {
						t.Errorf("%s: ranks %d and %d attain %g; theirs are %s and %s", name, lo, hi, at, c.lo, c.hi)
					}
					continue
				}
				out = append(out, check{name + ", lower", float64(lo), c.lo}, check{name + ", upper", float64(hi), c.hi}, check{name + ", attained", at, c.conf})
			}
			return out
		}()},
		{"2.2 least n for p95, p99, p99.9 at 95 %", []check{{"p95", float64(LeastN(.95, .95)), "59"}, {"p99", float64(LeastN(.99, .95)), "299"}, {"p99.9", float64(LeastN(.999, .95)), "2995"}}},
		{"2.2 MLPerf LoadGen: queries", []check{{"p90", float64(LoadGenQueries(.90)), "24576"}, {"p95", float64(LoadGenQueries(.95)), "57344"}, {"p97", float64(LoadGenQueries(.97)), "90112"}, {"p99", float64(LoadGenQueries(.99)), "270336"}}},
		{"2.2 MLPerf LoadGen: early stopping", func() (out []check) {
			for p, want := range map[float64]string{.99: "459 661 836 998", .90: "44 63 79 94"} {
				for over, w := range strings.Fields(want) {
					out = append(out, check{fmt.Sprintf("p%g, %d over", 100*p, over), float64(LoadGenEarly(p, over)), w})
				}
			}
			return out
		}()},
		{"2.2 NIST/SEMATECH 7.2.6.2: p90 of 12 gauge readings", func() []check {
			v := []float64{95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1772, 95.0925, 95.1990, 95.1682}
			slices.Sort(v)
			return []check{{"type 6", Quantile(v, .9, Type6), "95.19807"}, {"type 7", Quantile(v, .9, Type7), "95.19568"}}
		}()},
		{"2.3 R help(wilcox.test): permeability", func() []check {
			m := MannWhitney([]float64{.80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46}, []float64{1.15, .88, .90, .74, 1.21}, .95)
			return []check{{"U", m.U, "35"}, {"p, one-sided", m.PMore, ".1272061"}, {"p, two-sided", m.P, ".2544123"}, {"Hodges-Lehmann", m.Shift, ".305"}}
		}()},
		{"4.2 Erlang C and Allen-Cunneen", []check{{"C(2,1)", ErlangC(2, 1), ".333333"}, {"C(4,3)", ErlangC(4, 3), ".509434"}, {"C(5,4)", ErlangC(5, 4), ".554113"}, {"C(10,8)", ErlangC(10, 8), ".409180"}, {"M/G/c", Wait(4, 3, 1, 1, 2), ".764151"}}},
		{"4.2 R usl: specsdm91", func() []check {
			u, err := FitUSL(sdmN, sdmX, nil)
			if err != nil {
				t.Fatal(err)
			}
			n, x, _, _, _ := u.Peak(.95)
			out := []check{{"alpha", u.Sigma, ".0277285"}, {"its se", u.SE[1], ".0091217"}, {"beta", u.Kappa, ".0001044"}, {"its se", u.SE[2], ".0000199"}, {"gamma", u.Lambda, "89.9952"}, {"its se", u.SE[0], "14.2135"},
				{"N*", n, "96.52"}, {"Xmax", x, "1883.9"}, {"efficiency at 216", sdmX[6] / (216 * u.Lambda), ".0876"}}
			for i, w := range strings.Fields("-25.1 -81.7 111.1 3.1 -50.0 -46.6 56.0") {
				out = append(out, check{fmt.Sprintf("residual at %g", sdmN[i]), sdmX[i] - u.At(sdmN[i]), w})
			}
			return out
		}()},
		{"1.6 and 5 Google SRE Workbook: error budgets of 30 d and the first page of an outage", func() (out []check) {
			for a, w := range map[float64]string{.99: "432", .995: "216", .999: "43.2", .9995: "21.6", .9999: "4.32"} {
				out = append(out, check{fmt.Sprintf("minutes at %g", a), (1 - a) * 30 * 1440, w})
			}
			return append(out, check{"seconds until the hour burns 14.4 times, at 99.9 %", 14.4 * (1 - .999) * 3600, "52"})
		}()},
	} {
		t.Run(o.name, func(t *testing.T) {
			if len(o.checks) == 0 {
				t.Fatal("nothing was compared")
			}
			for _, c := range o.checks {
				printed(t, c.what, c.got, c.want)
			}
		})
	}
	for name, whole := range map[string]func(*testing.T){
		"1.1b NIST/SEMATECH 8.4.5.1: all entries of the factor tables": TestMTBFFactors,
		"1.1c NIST/SEMATECH 8.3.1.1: planning factors":                 TestPlanningFactor,
		"2.3 apache/otava: TigerBeetle, nine settings":                 TestChangePointsOnTigerBeetle,
		"2.3 apache/otava: a step":                                     TestChangePointsOfAStep,
	} {
		t.Run(name, whole)
	}
}
