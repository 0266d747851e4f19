package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// gpu writes what was seen of GPUs, if anything was.
func (p *page) gpu() {
	for i, s := range gpuLines(p.r) {
		if i == 0 {
			p.para("GPU", 11, s)
			continue
		}
		p.para("", 2, s)
	}
}

// severities are how the errors of a GPU are told of, in order.
var severities = []struct{ name, what string }{{"failure", "serious errors"}, {"application", "application errors"}, {"warning", "early warnings"}, {"information", "notices"}, {"unclassified", "unclassified errors"}}

// gpuCounts are errors that exporters count, worth a word where there are any.
var gpuCounts = []struct{ metric, what string }{{"gpu/ecc/uncorrected", "uncorrected ECC errors"}, {"gpu/ecc/corrected", "corrected ECC errors"}, {"gpu/link/pcie_replay", "PCIe replays"},
	{"gpu/link/nvlink_crc_flit", "NVLink CRC errors of flits"}, {"gpu/link/nvlink_crc_data", "NVLink CRC errors of data"}, {"gpu/link/nvlink_replay", "NVLink replays"}, {"gpu/link/nvlink_recovery", "NVLink recoveries"}}

func gpuLines(r *assay.Report) (lines []string) {
	if f := r.Find("mtbf/gpu"); f != nil {
		if len(f.Evidence) > 0 {
			lines = append(lines, f.Evidence[0])
		}
		s := "MTBF/gpu " + Whole(f.Quantity)
		if rate := r.Find("failure_rate/gpu"); rate != nil && rate.Quantity.Known() {
			s += "; rate " + Measure(rate.Quantity) + confidenceText(rate.Quantity)
		}
		if n := injectedGPU(r); n > 0 {
			s += "; not counted: " + Things(n, "failures") + " in faults"
		}
		lines = append(lines, s)
	}
	for _, sev := range severities {
		if f := r.Find("gpu/errors", "severity", sev.name); f != nil {
			s := Things(int(f.Quantity.Value), sev.what)
			if n := len(f.Evidence); n > 0 {
				s += ": " + strings.Join(f.Evidence[:min(3, n)], "; ")
			}
			lines = append(lines, s)
		}
	}
	if s := gpuUse(r); s != "" {
		lines = append(lines, s)
	}
	if f := r.Find("gpu/asks"); f != nil && f.Quantity.Value > 0 {
		lines = append(lines, strings.Join(f.Evidence, "; "))
	}
	var shares []string
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Metric == "gpu/throttled" {
			s := f.Labels["class"] + " " + Measure(f.Quantity)
			if f.Quantity.Value > 0 && len(f.Evidence) > 0 {
				s += " (" + strings.Join(f.Evidence, ", ") + ")"
			}
			shares = append(shares, s)
		}
	}
	if len(shares) > 0 {
		lines = append(lines, "clocks held down: "+strings.Join(shares, ", "))
	}
	var counts []string
	for _, m := range gpuCounts {
		if f := r.Find(m.metric); f != nil && f.Quantity.Value > 0 {
			counts = append(counts, Things(int(f.Quantity.Value), m.what))
		}
	}
	if len(counts) > 0 {
		lines = append(lines, strings.Join(counts, ", "))
	}
	if f := r.Find("mtbf/gpu"); f != nil && !f.Quantity.Known() && len(lines) <= 2 {
		return nil // that there are cards is all that was told
	}
	return lines
}

// gpuUse says how busy the cards were and how full their memory was; "" where nothing told.
func gpuUse(r *assay.Report) string {
	var parts []string
	if mean, most := r.Find("gpu/busy/mean"), r.Find("gpu/busy/max"); mean != nil && most != nil {
		parts = append(parts, "busy "+Measure(mean.Quantity)+" of the time, at most "+Measure(most.Quantity))
	}
	if f := r.Find("gpu/memory/max"); f != nil {
		parts = append(parts, "at most "+Measure(f.Quantity)+" of one card's memory used")
	}
	if len(parts) == 0 {
		return ""
	}
	f := r.Find("gpu/busy/mean")
	if f == nil {
		f = r.Find("gpu/memory/max")
	}
	return strings.Join(append(parts, f.Evidence...), ", ") + rests(f.Quantity)
}

// injectedGPU counts failures of cards that were injected, or made up.
func injectedGPU(r *assay.Report) int {
	n := 0
	for _, e := range r.Episodes {
		if e.Subject == assay.GPU && e.Ledger == assay.Injected {
			n++
		}
	}
	return n
}
