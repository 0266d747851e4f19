package dashboards

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template and style sheet
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
)

//go:embed report.css
var styleSheet string

//go:embed report.html.tmpl
var pageTemplate string

// HTML writes one self-contained page: no script, no network, no file beside it. Its policy allows
// exactly the style sheet it carries.
func HTML(w io.Writer, r *assay.Report) error {
	t, err := template.New("report").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newView(r)); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	_, err = w.Write(bytes.Map(visible, b.Bytes()))
	return err
}

// visible replaces what a reader cannot see: control characters, and marks that reverse the direction of
// the text after them. The template and the style sheet hold none, so only strings of the report change.
func visible(c rune) rune {
	if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
		return unicode.ReplacementChar
	}
	return c
}

// A view is the report in the words and drawings of the page. The template only places them.
type view struct {
	Style  template.CSS
	Policy string

	Title, Target, Decision, Class, Score, Why, Next, Length string
	Facts                                                    []pair
	Simulated                                                string
	Exit                                                     int
	Objectives                                               []objectiveRow
	Tiles                                                    []tile
	Loads                                                    []pair
	Latencies                                                []latencyCells
	LatencyNotes                                             []string
	Unseen                                                   string
	Timeline                                                 template.HTML
	TimelineMissing                                          string
	Episodes                                                 []episodeRow
	NaturalLine                                              string
	Faults                                                   []faultRow
	FaultBars                                                template.HTML
	SharedNotes                                              []faultNote
	Rates, RunScore, Suite                                   string
	SuiteSteps                                               []suiteRow
	Notes                                                    []pair
	Hypothesis                                               []string
	SLOs                                                     []sloBox
	ReplayHead                                               string
	Replays                                                  []replayRow
	ReplayDoubts                                             []string
	Burn                                                     template.HTML
	Overload, Alerts, Canary, Retries, Goodput, Budget       string
	GoodputPhases                                            []pair
	Knee                                                     string
	SearchPath                                               []string // what each step of the searches showed
	USL                                                      template.HTML
	Cold                                                     string
	ColdGantt                                                template.HTML
	ColdLeft                                                 string
	ColdTimelines                                            []coldTimeline
	ColdDoubts                                               []string
	ColdPhases                                               []costRow
	ECDF                                                     template.HTML
	Bottleneck                                               template.HTML
	Causes                                                   []costRow
	BottleneckNone, Limit                                    string
	Scaling                                                  []scaleRow
	ScalingBars                                              template.HTML
	ScalingNone, ScalingMore                                 string
	Slowest                                                  []slowRow
	Errors                                                   []errorRow
	Trust                                                    trustBox
	Findings                                                 []findingRow
	FindingCount                                             string
}

type suiteRow struct{ Name, Title, Weight, Verdict, Why string }

type pair struct{ Name, Value string }

type tile struct{ Name, Value, Sub, More string }

type objectiveRow struct {
	Title, Metric, Goal, Value, Interval, N, Verdict, Sign, Because string
	Plot                                                            template.HTML
}

type episodeRow struct{ Subject, Cause, Begin, End, Lost, Notes string }

type faultRow struct {
	Told                                              string // what its effect is known by, if that was not measured
	Name, Target, At, State, Verdict, Sign, Lost, How string

	Score, Detect, Isolate, Restore, User, Capacity, Degraded pair // value and interval

	Notes []string
	Bad   bool
}

type costRow struct {
	Name, Share, Interval, N, Time string
	Evidence                       []string
}

type scaleRow struct{ At, Change, Decide, Provision, Serve, Total string }

type slowRow struct {
	Request, At, E2E, TTFT, Outcome, Cold, Fault, Trace string
	Bar                                                 template.HTML
	Bad                                                 bool
}

type errorRow struct {
	Ledger, Outcome, Count, Example string
	Bad                             bool
}

type trustBox struct {
	Valid                      bool
	Problems, Doubts, Warnings []string
	Clocks                     string
	Machine                    string
	Lateness                   template.HTML
	Rows                       []trustRow
}

type trustRow struct {
	Name, Value, Interval, N, Limit, Answer string
}

type findingRow struct {
	Metric, Labels, Ledger, Value, Interval, N, Method, Basis string
	Notes                                                     []string
	Simulated                                                 bool
}

func newView(r *assay.Report) *view {
	sum := sha256.Sum256([]byte(styleSheet))
	v := &view{
		Style:  template.CSS(styleSheet),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'",
		Title:  orElse(r.Name, "run"), Target: orElse(r.Target, "target not named"), Decision: string(r.Decision), Class: decisionClass(r.Decision),
		Score: scoreLine(r), Why: r.Why, Next: r.Next, Length: length(r), Exit: r.Exit, Simulated: strings.Join(r.Simulated, ", "),
		Overload: overloadLine(r), Goodput: goodputLine(r), Knee: kneeLine(r), USL: uslChart("usl", r), Alerts: alertsLine(r), Canary: canaryLine(r), Retries: retriesLine(r), Budget: budgetLine(r), Cold: coldLine(r), Limit: limitLine(r),
	}
	if strings.Contains(v.Score, v.Why) { // as where all is well
		v.Why = ""
	}
	v.Facts = []pair{{"seed", fmt.Sprint(r.Seed)}}
	for _, p := range []pair{{"plan", r.PlanHash}, {"schedule", r.Schedule}} {
		if p.Value != "" {
			p.Value = short(p.Value)
			v.Facts = append(v.Facts, p)
		}
	}
	if r.Attempt > 0 {
		v.Facts = append(v.Facts, pair{"attempt", fmt.Sprintf("%d of this plan on this release", r.Attempt)})
	}
	for _, f := range goodputPhases(r) {
		v.GoodputPhases = append(v.GoodputPhases, pair{f.Labels["phase"], goodputText(f)})
	}
	for _, f := range goodputFaults(r) {
		v.GoodputPhases = append(v.GoodputPhases, pair{"under " + f.Labels["fault"], goodputText(f)})
	}
	v.GoodputPhases = append(v.GoodputPhases, classLines(r)...)
	if r.Limit != nil {
		v.SearchPath = r.Limit.Path
	}
	v.Suite = suiteLine(r)
	if r.Suite != nil {
		for _, s := range r.Suite.Steps {
			v.SuiteSteps = append(v.SuiteSteps, suiteRow{s.Name, s.Title, fmt.Sprintf("%g", s.Weight), stepVerdict(r, s), s.Why})
		}
	}
	for _, n := range r.Notes {
		v.Notes = append(v.Notes, pair{noteName(n, r.Begin), n.Text})
	}
	v.objectives(r)
	v.slos(r)
	v.replays(r)
	v.load(r)
	v.tiles(r)
	var missing []string
	v.Timeline, missing = timeline("timeline", r)
	v.TimelineMissing = strings.Join(missing, ", ")
	v.natural(r)
	v.faults(r)
	v.costs(r)
	v.scaling(r)
	v.requests(r)
	v.trust(r)
	v.findings(r)
	return v
}

// short keeps what tells two hashes apart; result.json has the whole.
func short(hash string) string {
	if len(hash) > 16 {
		return strings.ToValidUTF8(hash[:16], "")
	}
	return hash
}

func decisionClass(d assay.Decision) string {
	switch d {
	case assay.Go:
		return "pass"
	case assay.NoGo, assay.FaultMayRemain, assay.Failed:
		return "fail"
	case assay.InvalidRun:
		return "invalid"
	}
	return "inconclusive"
}
