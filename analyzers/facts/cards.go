package facts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// Errors of cards and the instances on them
//
// Which instances an error of a GPU hit is told, from what is surest to what is least: by the process that the driver names, where the instance told its own; by the pod that an
// exporter names beside the card; by the machine, where the cluster tells where its pods run and the log which machine it is of. The machine alone names all that ran on it:
// then an exit is the error's only where it is the only one at that time, or where the error brings the whole machine down.

// How an error was found to have hit an instance: Sighting.By.
const (
	ByPID   = "by the process that the driver names"
	ByLabel = "by what an exporter saw on the card"
	ByNode  = "by its machine"
)

// dying is how long after an error of its GPU an engine may take to end.
const dying = 10 * second

// A tenant is an instance that an exporter saw on a card.
type tenant struct {
	host, pci, uuid, instance string
	times                     []int64
}

// on reports whether a tenant was on a card at t, or shortly before: an exporter that loses a card no longer shows it.
func (x *tenant) on(card string, t, every int64) bool {
	host, name := "", card
	if i := strings.LastIndexByte(card, ' '); i >= 0 {
		host, name = card[:i], card[i+1:]
	}
	if host != "" && x.host != "" && host != x.host || name != x.pci && shortUUID(name) != shortUUID(x.uuid) {
		return false
	}
	i, _ := slices.BinarySearch(x.times, t-errorWindow-every)
	return i < len(x.times) && x.times[i] <= t+every
}

// tenants returns which instances exporters saw on which cards, and how far apart their looks may be.
func tenants(ctx context.Context, f *assay.Facts) (out []tenant, every int64) {
	begin, end, step := MetricsSpan(f)
	every = max(step, held)
	if f.Metrics == nil || end <= begin {
		return nil, every
	}
	for _, kind := range profile.GPUs {
		p := profile.For(kind)
		pod := slices.Clone(p.Label("pod"))
		if len(pod) == 0 {
			continue
		}
		slices.SortStableFunc(pod, func(a, b string) int { return cmp.Compare(exported(a), exported(b)) })
		for _, q := range []profile.Quantity{profile.GPUXIDLast, profile.GPUMemUsed, profile.GPUBusy, profile.GPUPower} {
			spec, _ := p.Spec(q)
			for _, n := range spec.Names {
				series, err := f.Metrics.Range(ctx, fmt.Sprintf("last_over_time(%s[%dms])", n.Metric, every/1e6), begin, end, step)
				if err != nil {
					continue
				}
				for i := range series {
					s := &series[i]
					t := tenant{host: labelOf(s.Labels, p.Label("host")...), uuid: labelOf(s.Labels, p.Label("uuid")...), instance: labelOf(s.Labels, pod...), times: s.Times}
					if pci := labelOf(s.Labels, p.Label("pci")...); pci != "" {
						t.pci = shortPCI(pci)
					}
					if t.instance != "" && len(t.times) > 0 && len(out) < mostIdle {
						out = append(out, t)
					}
				}
			}
			if len(out) > 0 {
				placed(ctx, f, out, begin, end, step)
				return out, every
			}
		}
	}
	return nil, every
}

// cardInfo is the series of nvidia-smi, and of NVML, that tells of a card both its UUID and its PCI address.
const cardInfo = "nvidia_smi_gpu_info"

// placed fills in where the cards of tenants sit, where their exporter does not say and nvidia-smi does.
func placed(ctx context.Context, f *assay.Facts, of []tenant, begin, end, step int64) {
	if !slices.ContainsFunc(of, func(x tenant) bool { return x.pci == "" && x.uuid != "" }) {
		return
	}
	series, err := f.Metrics.Range(ctx, fmt.Sprintf("last_over_time(%s[%dms])", cardInfo, (end-begin)/1e6+1000), end, end, step)
	if err != nil {
		return
	}
	p := profile.For("nvidia-smi")
	at := map[string]string{} // PCI addresses by UUID
	for i := range series {
		if pci := labelOf(series[i].Labels, p.Label("pci")...); pci != "" {
			at[shortUUID(labelOf(series[i].Labels, p.Label("uuid")...))] = shortPCI(pci)
		}
	}
	for i := range of {
		if of[i].pci == "" {
			of[i].pci = at[shortUUID(of[i].uuid)]
		}
	}
}

// shortUUID is a card's UUID without what some write before it.
func shortUUID(id string) string { return strings.TrimPrefix(strings.ToLower(id), "gpu-") }

// processes adds the instances whose process nvidia-smi saw on a card.
func processes(ctx context.Context, f *assay.Facts, pids map[string][]*assay.Event, out []tenant) []tenant {
	if len(pids) == 0 || f.Metrics == nil {
		return out
	}
	begin, end, step := MetricsSpan(f)
	if end <= begin {
		return out
	}
	p := profile.For("nvidia-smi")
	spec, _ := p.Spec(profile.GPUProcessMem)
	for _, n := range spec.Names {
		series, err := f.Metrics.Range(ctx, fmt.Sprintf("last_over_time(%s[%dms])", n.Metric, max(step, held)/1e6), begin, end, step)
		if err != nil {
			continue
		}
		var found []tenant
		for i := range series {
			s := &series[i]
			if of := pids[labelOf(s.Labels, p.Label("pid")...)]; len(of) > 0 && len(s.Times) > 0 && len(found) < mostIdle {
				found = append(found, tenant{uuid: labelOf(s.Labels, p.Label("uuid")...), instance: of[len(of)-1].Instance, times: s.Times})
			}
		}
		placed(ctx, f, found, begin, end, step)
		out = append(out, found...)
	}
	return out
}

// exported is 0 for a label that Prometheus renamed since the target has one of that name itself: what it says is of the card, and the other of the exporter.
func exported(label string) int {
	if strings.HasPrefix(label, "exported_") {
		return 0
	}
	return 1
}

// hits fills in which instances errors hit.
func hits(ctx context.Context, f *assay.Facts, all []Sighting) {
	if len(all) == 0 {
		return
	}
	pids := map[string][]*assay.Event{} // starts that tell their process
	for i := range f.Events {
		if e := &f.Events[i]; e.Kind == assay.EventInstanceStarted && e.Attrs["pid"] != "" {
			pids[e.Attrs["pid"]] = append(pids[e.Attrs["pid"]], e)
		}
	}
	nodes := map[string][]*assay.Life{}
	for i := range f.Lives {
		if l := &f.Lives[i]; l.Node != "" {
			nodes[l.Node] = append(nodes[l.Node], l)
		}
	}
	on, every := tenants(ctx, f)
	on = processes(ctx, f, pids, on)
	for i := range all {
		s := &all[i]
		if s.Made {
			continue
		}
		for _, e := range pids[s.PID] {
			if e.Time <= s.At+second && (len(s.Hit) == 0 || e.Instance != s.Hit[0]) {
				s.Hit, s.By = []string{e.Instance}, ByPID // the latest: numbers of processes come again
			}
		}
		if len(s.Hit) > 0 {
			continue
		}
		for j := range on {
			if x := &on[j]; x.on(s.Card, s.At, every) && !slices.Contains(s.Hit, x.instance) {
				s.Hit, s.By = append(s.Hit, x.instance), ByLabel
			}
		}
		if len(s.Hit) > 0 {
			continue
		}
		host, _, _ := strings.Cut(s.Card, " ")
		for _, l := range nodes[host] {
			if first := cmp.Or(l.Created, firstOf(l)); first <= s.At+second && (l.Exited == 0 || l.Exited >= s.At-s.Resolution-second) && !slices.Contains(s.Hit, l.Instance) {
				s.Hit, s.By = append(s.Hit, l.Instance), ByNode
			}
		}
	}
}

// blame gives the failures of instances that an error of their GPU came before that error as their cause.
func blame(es []assay.Episode, all []Sighting) {
	for i := range all {
		s := &all[i]
		if len(s.Hit) == 0 || !s.XID.Class.Failure() && s.XID.Class != gpu.ClassApp {
			continue
		}
		var of []*assay.Episode
		for j := range es {
			e := &es[j]
			if e.Subject == assay.InstanceOf && e.Ledger == assay.Natural && slices.Contains(s.Hit, e.Instance) && e.Begin+second >= s.At-s.Resolution && e.BeginLo-second <= s.At+dying {
				of = append(of, e)
			}
		}
		sure := s.By != ByNode || s.XID.Class == gpu.ClassNode || len(of) == 1
		for _, e := range of {
			text := fmt.Sprintf("XID %d, %s, on %s %s, %s", s.XID.Code, s.XID.Meaning, s.Card, before(e.Begin-s.At, e.Begin-e.BeginLo), s.By)
			if len(s.Hit) > 1 && s.By == ByNode {
				text += fmt.Sprintf(", where %d ran", len(s.Hit))
			}
			e.Evidence = append(e.Evidence, text)
			if !sure || !blameless(e.Cause) {
				continue
			}
			e.Cause = fmt.Sprintf("xid %d", s.XID.Code)
			if e.Confidence == assay.ConfidenceLow {
				e.Confidence = assay.ConfidenceMedium
			}
			if s.By != ByNode {
				e.Confidence = assay.ConfidenceHigh
			}
		}
	}
}

// before says how long before a failure an error was, as well as its instant is known.
func before(gap, vague int64) string {
	if vague > second || gap < second {
		return "at the same time as far as that is known"
	}
	return length(gap) + " before"
}

// blameless reports whether a cause says no more than that an instance ended, or was down.
func blameless(cause string) bool {
	return slices.Contains(vague, strings.TrimPrefix(cause, "start failed: ")) || cause == "crash" || strings.HasPrefix(cause, "start failed: crash")
}
