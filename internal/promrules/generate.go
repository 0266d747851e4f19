package promrules

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Labels that Sloth puts on everything that it makes.
const (
	labelID       = "sloth_id"
	labelService  = "sloth_service"
	labelSLO      = "sloth_slo"
	labelWindow   = "sloth_window"
	labelSeverity = "sloth_severity"
)

// ErrorRecording is the name of the recording of the share of bad events over a window.
func ErrorRecording(window time.Duration) string {
	return "slo:sli_error:ratio_rate" + Span(window)
}

// ID returns the label sloth_id of a promise.
func ID(s *assay.SLO) string { return service(s) + "-" + s.Name }

// AlertGroup is the name of the group of a promise's alerts.
func AlertGroup(s *assay.SLO) string { return "sloth-slo-alerts-" + ID(s) }

func service(s *assay.SLO) string {
	if s.Service == "" {
		return "service"
	}
	return s.Service
}

// Generate returns the rules of promises, three groups each, and what is to be known of them. A promise that has no expression has no rules, and a note.
func Generate(slos []assay.SLO) (groups []rulefmt.RuleGroup, notes []string) {
	for i := range slos {
		s := &slos[i]
		if s.Unmapped != "" {
			notes = append(notes, s.Name+": no rules, because "+s.Unmapped)
			continue
		}
		g := generator{s: s, labels: map[string]string{labelID: ID(s), labelService: service(s), labelSLO: s.Name}, more: map[string]string{}}
		for k, v := range s.Labels {
			if model.LegacyValidation.IsValidLabelName(k) && k != model.MetricNameLabel && g.labels[k] == "" {
				g.more[k] = v
			}
		}
		_, said := errorRatio(s, "5m")
		for _, n := range said {
			notes = append(notes, s.Name+": "+n)
		}
		if s.Method != assay.Occurrences {
			notes = append(notes, s.Name+": rules count events, not slices of time: they burn the budget of its target all the same")
		}
		if s.Calendar {
			notes = append(notes, s.Name+": rules know no calendar: its window rolls in them")
		}
		groups = append(groups, g.recordings(), g.meta(), g.alerts())
	}
	return groups, notes
}

// Write returns groups as a file of rules, the notes above it as comments.
func Write(groups []rulefmt.RuleGroup, notes []string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Made by assay in the form of Sloth (github.com/slok/sloth).\n")
	for _, n := range notes {
		fmt.Fprintf(&b, "# %s\n", strings.Map(func(c rune) rune {
			if unicode.IsControl(c) {
				return ' '
			}
			return c
		}, n))
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(rulefmt.RuleGroups{Groups: groups}); err != nil {
		return nil, fmt.Errorf("write rules: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// A generator makes the rules of one promise.
type generator struct {
	s            *assay.SLO
	labels, more map[string]string
}

func (g *generator) with(pairs ...string) map[string]string {
	out := maps.Clone(g.labels)
	maps.Copy(out, g.more)
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// selector names the promise's own series.
func (g *generator) selector() string {
	return fmt.Sprintf("{%s=%s, %s=%s, %s=%s}", labelID, strconv.Quote(g.labels[labelID]), labelService, strconv.Quote(g.labels[labelService]), labelSLO, strconv.Quote(g.labels[labelSLO]))
}

func (g *generator) window() time.Duration { return time.Duration(g.s.Window) }

// windows returns those that alerts look at, shortest first.
func (g *generator) windows() (out []time.Duration) {
	out = Windows(g.window())
	for _, a := range g.s.Alerts {
		out = append(out, time.Duration(a.Over))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g *generator) recordings() rulefmt.RuleGroup {
	out := rulefmt.RuleGroup{Name: "sloth-slo-sli-recordings-" + g.labels[labelID]}
	for _, w := range g.windows() {
		expr, _ := errorRatio(g.s, Span(w))
		out.Rules = append(out.Rules, rulefmt.Rule{Record: ErrorRecording(w), Expr: expr + "\n", Labels: g.with(labelWindow, Span(w))})
	}
	period, first := Span(g.window()), ErrorRecording(Pairs(g.window())[0].Short)+g.selector()
	out.Rules = append(out.Rules, rulefmt.Rule{Record: ErrorRecording(g.window()), Labels: g.with(labelWindow, period),
		Expr: fmt.Sprintf("sum_over_time(%s[%s])\n/ ignoring (sloth_window)\ncount_over_time(%s[%s])\n", first, period, first, period)})
	return out
}

func (g *generator) meta() rulefmt.RuleGroup {
	out := rulefmt.RuleGroup{Name: "sloth-slo-meta-recordings-" + g.labels[labelID]}
	add := func(name, expr string, pairs ...string) {
		out.Rules = append(out.Rules, rulefmt.Rule{Record: name, Expr: expr, Labels: g.with(pairs...)})
	}
	target := formatFloat(g.s.Target)
	by := "\n/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio" + g.selector() + "\n"
	add("slo:objective:ratio", "vector("+target+")")
	add("slo:error_budget:ratio", "vector(1-"+target+")")
	add("slo:time_period:days", "vector("+formatFloat(g.window().Hours()/24)+")")
	add("slo:current_burn_rate:ratio", ErrorRecording(Pairs(g.window())[0].Short)+g.selector()+by)
	add("slo:period_burn_rate:ratio", ErrorRecording(g.window())+g.selector()+by)
	add("slo:period_error_budget_remaining:ratio", "1 - slo:period_burn_rate:ratio"+g.selector())
	add("sloth_slo_info", "vector(1)", "sloth_mode", "assay", "sloth_spec", g.spec(), "sloth_objective", formatFloat(round(g.s.Target*100)))
	return out
}

func (g *generator) spec() string {
	if strings.HasPrefix(g.s.From, "objectives[") {
		return "assay/v1"
	}
	return "openslo"
}

func (g *generator) alerts() rulefmt.RuleGroup {
	out := rulefmt.RuleGroup{Name: AlertGroup(g.s)}
	budget := formatFloat(stat.Budget(g.s.Target))
	over := func(w time.Duration, factor float64) string {
		return fmt.Sprintf("(%s%s > (%s * %s))", ErrorRecording(w), g.selector(), formatFloat(factor), budget)
	}
	pairs := Pairs(g.window())
	for _, severity := range []string{"page", "ticket"} {
		var expr string
		for _, p := range pairs {
			if p.Severity != severity {
				continue
			}
			if expr != "" {
				expr += "or ignoring (sloth_window)\n"
			}
			expr += fmt.Sprintf("(\n    %s\n    and ignoring (sloth_window)\n    %s\n)\n", over(p.Short, p.Factor), over(p.Long, p.Factor))
		}
		out.Rules = append(out.Rules, rulefmt.Rule{Alert: alertName(g.s.Name), Expr: expr, Labels: map[string]string{labelSeverity: severity},
			Annotations: map[string]string{
				"title":   "(" + severity + ") {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is too fast.",
				"summary": "{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is over expected.",
			}})
	}
	for _, a := range g.s.Alerts {
		out.Rules = append(out.Rules, rulefmt.Rule{Alert: alertName(a.Name), Expr: over(time.Duration(a.Over), a.Rate), For: model.Duration(a.After), Labels: map[string]string{labelSeverity: a.Severity},
			Annotations: map[string]string{"title": "(" + a.Severity + ") {{$labels.sloth_service}} {{$labels.sloth_slo}} " + a.Name}})
	}
	return out
}

// alertName writes a name as alerts are named: my-service.fast as MyServiceFastSLO.
func alertName(name string) string {
	var b strings.Builder
	up := true
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = true
		case up:
			b.WriteRune(unicode.ToUpper(c))
			up = false
		default:
			b.WriteRune(c)
		}
	}
	return b.String() + "SLO"
}
