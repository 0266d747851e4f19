package analyzers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// GPU reports how often GPUs fail of themselves, what else their driver told, and for which share of time their clocks were held down.
//
// The exposure is the natural time of all cards that were seen, as far as errors would have been told in it: by a kernel's log, by the driver,
// or by an exporter that shows its last error. What nvidia-smi answers tells of no error.
type GPU struct{}

// Describe returns the metrics.
func (GPU) Describe() []assay.Desc {
	return append([]assay.Desc{
		{Metric: "mtbf/gpu", Unit: assay.Seconds, Better: "higher", Help: "Time of cards watched for errors, in the natural ledger, per failure of a card, its links, its platform or its node; label class for one of these, or for app: errors of applications, which are no failures of cards; chi-square interval, one-sided bound without a failure."},
		{Metric: "failure_rate/gpu", Unit: assay.PerHour, Better: "lower", Help: "Failures of cards per hour of a card watched for errors in the natural ledger; label class for one class."},
		{Metric: "gpu/errors", Unit: assay.Count, Better: "lower", Help: "Errors that the GPUs' driver told (XIDs) outside of what was injected, by label severity: failure, application, warning, information, unclassified."},
		{Metric: "gpu/asks", Unit: assay.Count, Better: "lower", Help: "Cards that asked for a reset, a reboot or their replacement in natural time, by what for."},
		{Metric: "gpu/throttled", Unit: assay.Ratio, Better: "lower", Help: "Share of the cards' natural time in which clocks were held down, by label class: fault, capacity, environment, configuration, warning."},
		{Metric: "gpu/ecc/<kind>", Unit: assay.Count, Better: "lower", Help: "Memory errors of GPUs counted in natural time: corrected or uncorrected."},
		{Metric: "gpu/link/<kind>", Unit: assay.Count, Better: "lower", Help: "Errors of GPUs' links counted in natural time: pcie_replay, nvlink_crc_flit, nvlink_crc_data, nvlink_replay, nvlink_recovery."},
	}, gpuUseDescs()...)
}

// Begin starts a pass.
func (GPU) Begin(f *assay.Facts) assay.Pass { return gpuPass{f} }

type gpuPass struct{ f *assay.Facts }

func (gpuPass) Requests([]assay.Request) {}

// A cardWatch is the time of one card, as points that stand for a step each.
type cardWatch struct {
	times []int64
	step  int64
}

func (p gpuPass) Finish(r *assay.Report) error {
	ctx := context.Background()
	f := p.f
	cards, by := cardsSeen(ctx, f)
	spans, named, bare := facts.GPUWatches(f)
	sightings := facts.Sightings(ctx, f)
	if len(cards) == 0 && len(spans) == 0 && len(sightings) == 0 {
		return nil // there are no GPUs that we know of
	}
	p.failures(ctx, r, cards, by, spans, named, bare)
	p.errors(r, sightings, len(spans) > 0)
	p.throttled(ctx, r)
	p.counters(ctx, r)
	p.wants(ctx, r)
	p.use(ctx, r)
	return nil
}

// cardsSeen returns the time of each card, by the exporter that tells of most of it.
func cardsSeen(ctx context.Context, f *assay.Facts) (best []cardWatch, by string) {
	if f.Metrics == nil {
		return nil, ""
	}
	begin, end, step := facts.MetricsSpan(f)
	most := 0
	for _, kind := range profile.GPUs {
		p := profile.For(kind)
		var dimensions []string
		for _, d := range []string{"uuid", "pci", "host", "gpu"} {
			dimensions = append(dimensions, p.Label(d)...)
		}
		for _, q := range []profile.Quantity{profile.GPUMemUsed, profile.GPUTemp, profile.GPUPower, profile.GPUBusy} {
			for _, n := range namesOf(p, q) {
				series := held(ctx, f, "count by ("+strings.Join(dimensions, ", ")+") ("+n.Metric+")", n.Metric, begin, end, step)
				var cards []cardWatch
				points := 0
				for i := range series {
					cards = append(cards, cardWatch{series[i].Times, step})
					points += len(series[i].Times)
				}
				if points > most {
					best, by, most = cards, kind, points
				}
			}
		}
	}
	return best, by
}

func namesOf(p *profile.Profile, q profile.Quantity) []profile.Name {
	s, _ := p.Spec(q)
	return s.Names
}

// holdFor is how long the last sample of a series is taken for the present: as long as exporters of GPUs are asked for at most.
const holdFor = 5 * 60 * int64(1e9)

// held asks for an expression over a metric, each sample held until the next one.
func held(ctx context.Context, f *assay.Facts, expr, metric string, begin, end, step int64) []assay.Series {
	if f.Metrics == nil || end <= begin {
		return nil
	}
	last := fmt.Sprintf("last_over_time(%s[%dms])", metric, max(holdFor, step)/1e6)
	series, err := f.Metrics.Range(ctx, strings.Replace(expr, metric, last, 1), begin, end, step)
	if err != nil {
		return nil
	}
	return series
}

// failures reports failures of cards over the time in which they would have been told.
func (p gpuPass) failures(ctx context.Context, r *assay.Report, cards []cardWatch, by string, spans []assay.Interval, named []string, bare bool) {
	f := p.f
	begin, end, step := facts.MetricsSpan(f)
	sticky := map[int64]bool{} // instants at which an exporter shows the last error
	for _, n := range namesOf(profile.For("dcgm"), profile.GPUXIDLast) {
		for _, s := range held(ctx, f, "count("+n.Metric+")", n.Metric, begin, end, step) {
			for _, at := range s.Times {
				sticky[at] = true
			}
		}
	}
	natural := func(at int64) bool { l, _ := f.At(at); return l == assay.Natural }
	inLog := func(at int64) bool {
		return slices.ContainsFunc(spans, func(s assay.Interval) bool { return s.Begin <= at && at <= s.End })
	}
	var exposure, logged int64
	var evidence, warnings []string
	for _, c := range cards {
		for _, at := range c.times {
			if !natural(at) {
				continue
			}
			switch {
			case inLog(at), bare && len(spans) == 0:
				exposure, logged = exposure+c.step, logged+c.step
			case sticky[at]:
				exposure += c.step
			}
		}
	}
	seen := len(cards)
	if seen == 0 && len(spans) > 0 {
		seen = len(named)
		for at := begin; at < end; at += step {
			if inLog(at) && natural(at) {
				exposure += step * int64(seen)
			}
		}
		logged = exposure
		by = "the log"
		warnings = append(warnings, "the cards are those that the log names: there may be more, so that the rate is no more than a bound from above")
	}
	bare = bare && len(spans) == 0
	if bare && exposure > 0 {
		warnings = append(warnings, "the log of errors holds lines of GPUs alone, which does not show that it covers all of the time: that it does was taken for granted")
	}
	switch {
	case bare && exposure == 0:
		for _, m := range []struct {
			metric string
			unit   assay.Unit
		}{{"mtbf/gpu", assay.Seconds}, {"failure_rate/gpu", assay.PerHour}} {
			r.Findings = append(r.Findings, assay.Finding{Metric: m.metric, Ledger: assay.Natural, Evidence: []string{things(len(named), "card") + " by the log"},
				Quantity: assay.NotEstimable(m.unit, len(cardFailures(f)), "failures", "the log holds lines of GPUs alone, which tells nothing of how long they were watched: want the whole log, or metrics of the cards beside it")})
		}
		return
	case len(spans) == 0 && len(sticky) == 0 && !bare:
		for _, m := range []struct {
			metric string
			unit   assay.Unit
		}{{"mtbf/gpu", assay.Seconds}, {"failure_rate/gpu", assay.PerHour}} {
			r.Findings = append(r.Findings, assay.Finding{Metric: m.metric, Ledger: assay.Natural, Evidence: []string{things(seen, "card") + " seen by " + by},
				Quantity: assay.NotMeasured(m.unit, "nothing told of errors of GPUs: a kernel log does, or the last error of dcgm-exporter (DCGM_FI_DEV_XID_ERRORS), or NVML")})
		}
		return
	case len(sticky) > 0 && logged == 0:
		warnings = append(warnings, "errors are known by the exporter's last one alone: the same error again does not show")
	}
	how := ", " + duration(seconds(logged)) + " of it by a log or the driver"
	switch {
	case exposure == 0:
		how = ""
	case logged == 0:
		how = " by an exporter's last one"
	case logged == exposure:
		how = " by a log or the driver"
	}
	evidence = append(evidence, fmt.Sprintf("%s by %s; %s of card time, natural and watched for errors%s", things(seen, "card"), by, duration(seconds(exposure)), how))
	byClass := map[string][]*assay.Episode{}
	all := cardFailures(f)
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.GPU && e.Ledger == assay.Natural {
			byClass[e.Class] = append(byClass[e.Class], e)
		}
	}
	for _, e := range all {
		evidence = append(evidence, fmt.Sprintf("%s on %s, counted as a failure of the %s", e.Cause, e.Instance, classWord(e.Class)))
		if len(evidence) > 10 {
			evidence = append(evidence, fmt.Sprintf("and %d more", len(all)-10))
			break
		}
	}
	r.Findings = append(r.Findings, cardRates(f, all, exposure, evidence, warnings, "")...)
	addExposure(r, assay.Exposure{Subject: assay.GPU, Time: exposure, In: naturalIn(f, []assay.Stretch{{Begin: begin, End: end}})})
	for _, class := range []gpu.Class{gpu.ClassApp, gpu.ClassPlatform, gpu.ClassLink, gpu.ClassGPU, gpu.ClassNode} {
		if es := byClass[string(class)]; len(es) > 0 && (len(byClass) > 1 || class == gpu.ClassApp) {
			r.Findings = append(r.Findings, cardRates(f, es, exposure, evidence[:1:1], warnings, string(class))...)
		}
	}
}

// cardRates returns MTBF and failure rate of cards, of one class of failures or of all.
func cardRates(f *assay.Facts, es []*assay.Episode, exposure int64, evidence, warnings []string, class string) []assay.Finding {
	x := failing{subject: "gpu", n: len(es), exposure: seconds(exposure), evidence: evidence, warnings: warnings}
	whole := facts.Within(f, assay.Natural, f.Begin, f.End)
	for _, e := range es {
		if age := facts.Within(f, assay.Natural, f.Begin, e.Begin); age > 0 {
			x.ages = append(x.ages, x.exposure*float64(age)/float64(whole)) // as if all cards were watched all the time
		}
	}
	out := x.findings()
	for i := range out {
		if class != "" {
			out[i].Labels = map[string]string{"class": class}
		}
	}
	return out
}

// cardFailures returns the natural failures of cards. That an application died of an error of its own is none.
func cardFailures(f *assay.Facts) (out []*assay.Episode) {
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.GPU && e.Ledger == assay.Natural && gpu.Class(e.Class) != gpu.ClassApp {
			out = append(out, e)
		}
	}
	return out
}

func classWord(class string) string {
	switch gpu.Class(class) {
	case gpu.ClassGPU:
		return "card"
	}
	return class
}

func things(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// errors counts what the driver told, by severity, what was made up apart.
func (p gpuPass) errors(r *assay.Report, sightings []facts.Sighting, watched bool) {
	type row struct {
		xid   gpu.XID
		cards map[string]bool
		n     int
		ended []string // instances that failed with it
	}
	bySeverity := map[string]map[int]*row{}
	total := map[string]int{}
	for _, s := range sightings {
		if l, _ := p.f.At(s.At); s.Made || l == assay.Injected {
			continue
		}
		sev := s.XID.Class.Severity()
		if s.XID.Class == gpu.ClassApp {
			sev = "application"
		}
		if bySeverity[sev] == nil {
			bySeverity[sev] = map[int]*row{}
		}
		w := bySeverity[sev][s.XID.Code]
		if w == nil {
			w = &row{xid: s.XID, cards: map[string]bool{}}
			bySeverity[sev][s.XID.Code] = w
		}
		w.n++
		if t := p.ended(&s); t != "" && len(w.ended) < 3 && s.XID.Class.Failure() {
			w.ended = append(w.ended, t)
		}
		w.cards[s.Card] = true
		total[sev]++
	}
	for _, sev := range []string{"failure", "application", "warning", "information", "unclassified"} {
		if total[sev] == 0 && (sev != "failure" || !watched) {
			continue
		}
		f := assay.Finding{Metric: "gpu/errors", Labels: map[string]string{"severity": sev}, Ledger: assay.Natural, Quantity: counted(float64(total[sev]), assay.Count, total[sev], "errors", "count of XIDs outside of faults")}
		rows := bySeverity[sev]
		codes := make([]int, 0, len(rows))
		for c := range rows {
			codes = append(codes, c)
		}
		slices.SortFunc(codes, func(a, b int) int { return cmp.Or(cmp.Compare(rows[b].n, rows[a].n), cmp.Compare(a, b)) })
		for _, c := range codes {
			w := rows[c]
			s := fmt.Sprintf("XID %d ×%d on %s (%s; cause: %s; to do: %s)", c, w.n, things(len(w.cards), "card"), w.xid.Meaning, w.xid.Cause, w.xid.Action)
			f.Evidence = append(f.Evidence, strings.Join(append([]string{s}, w.ended...), "; "))
			if len(f.Evidence) == 10 {
				break
			}
		}
		if sev == "failure" && total[sev] > 0 {
			f.Warnings = append(f.Warnings, "a code alone does not prove its cause")
		}
		r.Findings = append(r.Findings, f)
	}
}

// endedWithin is how long after an error of a GPU its application ends.
const endedWithin = 60 * int64(1e9)

// ended tells which instances an error hit and what became of them, or, where that is not told, which failed shortly after; "" where none did.
func (p gpuPass) ended(s *facts.Sighting) string {
	var out []string
	sooner := false // it had failed already
	for i := range p.f.Episodes {
		e := &p.f.Episodes[i]
		if e.Subject == assay.InstanceOf && slices.Contains(s.Hit, e.Instance) && e.Begin < s.At && e.Begin >= s.At-endedWithin {
			sooner = true
		}
		if e.Subject == assay.InstanceOf && (len(s.Hit) == 0 || slices.Contains(s.Hit, e.Instance)) && e.Begin >= s.At-s.Resolution-int64(1e9) && e.BeginLo <= s.At+endedWithin {
			out = append(out, fmt.Sprintf("%s failed %s after it (%s)", e.Instance, duration(max(0, seconds(e.Begin-s.At))), e.Cause))
		}
	}
	switch {
	case len(s.Hit) == 0 && out != nil:
		return out[0] + ", though nothing tells which instance it hit"
	case len(s.Hit) == 0, out == nil && (sooner || s.By == facts.ByNode): // all that ran there went on
		return ""
	case out == nil:
		out = []string{"hit " + strings.Join(s.Hit[:min(len(s.Hit), 3)], ", ") + ", without a failure within " + duration(seconds(endedWithin))}
	}
	return strings.Join(out[:min(len(out), 3)], ", ") + ", " + s.By
}

// counters reports errors that exporters count.
func (p gpuPass) counters(ctx context.Context, r *assay.Report) {
	for _, m := range []struct {
		metric string
		q      profile.Quantity
	}{
		{"gpu/ecc/corrected", profile.GPUECCCorrected}, {"gpu/ecc/uncorrected", profile.GPUECCUncorrected}, {"gpu/link/pcie_replay", profile.GPUPCIeReplays},
		{"gpu/link/nvlink_crc_flit", profile.GPULinkCRCFlit}, {"gpu/link/nvlink_crc_data", profile.GPULinkCRCData},
		{"gpu/link/nvlink_replay", profile.GPULinkReplay}, {"gpu/link/nvlink_recovery", profile.GPULinkRecovery},
	} {
		for _, kind := range profile.GPUs {
			n, cards := 0.0, 0
			for _, name := range namesOf(profile.For(kind), m.q) {
				g := p.growth(ctx, name)
				n, cards = n+g.sum, max(cards, g.series)
			}
			if cards > 0 {
				r.Findings = append(r.Findings, assay.Finding{Metric: m.metric, Ledger: assay.Natural, Quantity: counted(n, assay.Count, cards, "cards", "growth of the exporter's counter in natural time"),
					Evidence: []string{"by " + profile.For(kind).Title}})
				break
			}
		}
	}
}
