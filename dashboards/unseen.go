package dashboards

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// noFinding is the reason where a report does not speak of a quantile at all.
const noFinding = "no finding tells"

// plain reports whether the run saw requests only: no fault, no instance, no span. What speaks of these then has
// nothing to say, and is named once.
func plain(r *assay.Report) bool {
	return len(r.Faults) == 0 && len(r.Lives) == 0 && naturalFailures(r, assay.InstanceOf) == 0 && len(r.Starts) == 0 && len(r.Attribution) == 0 && len(r.Scaling) == 0
}

// unseen names what a plain run cannot show.
func unseen(r *assay.Report) string {
	if !plain(r) {
		return ""
	}
	what, because, apart := []string{"faults", "instances", "cold starts", "bottleneck", "scaling"}, "no fault, no span and no event of an instance", ""
	if coldKnown(r) {
		what[2] = "starts of instances"
	}
	if s := unjoined(r); s != "" {
		what, because, apart = slices.Delete(what, 3, 4), "no fault and no event of an instance", "; bottleneck: "+s
	}
	if r.Limit == nil {
		what = append([]string{"limit"}, what...)
	}
	return strings.Join(what, ", ") + ": not measured, because the run has " + because + apart
}

// coldKnown reports whether it is known of requests whether they were cold.
func coldKnown(r *assay.Report) bool {
	f := r.Find("cold/share", "of", "requests")
	return f != nil && f.Quantity.Known()
}

// unjoined says why the spans of a run tell nothing of its requests; "" where there are none or they do.
func unjoined(r *assay.Report) string {
	f := r.Find("bottleneck/unexplained")
	if f == nil || !strings.HasPrefix(f.Quantity.Reason, "not measured, because there are ") {
		return ""
	}
	return f.Quantity.Reason
}

// requestless reports whether a run holds no requests: it was made of what others recorded of instances, traces or metrics.
func requestless(r *assay.Report) bool {
	f := r.Find("mtbf/service")
	return f != nil && strings.HasPrefix(f.Quantity.Reason, withoutRequests) || serviceTold(r)
}

const withoutRequests = "not measured, because the run holds no requests"

// requestsCounted reports whether a run holds no requests, but counters that tell how they ended.
func requestsCounted(r *assay.Report) bool { return r.Find("requests/counted") != nil }

// serviceProbed reports whether a run holds no requests and no counters of them, but looks that tell whether the service was up.
func serviceProbed(r *assay.Report) bool { return r.Find("probes/looks") != nil }

// serviceTold reports whether a run holds no requests, but something else tells of the service.
func serviceTold(r *assay.Report) bool { return requestsCounted(r) || serviceProbed(r) }

// unrequested names what a run without requests cannot show.
func unrequested(r *assay.Report) string {
	if requestsCounted(r) {
		return "load, latency, goodput, limit, overload, bottleneck: " + withoutRequests + ", only counters of them"
	}
	if serviceProbed(r) {
		return "load, latency, goodput, availability by request, limit, overload, bottleneck: " + withoutRequests + ", only looks at the service"
	}
	return "load, latency, goodput, availability, MTBF of the service, limit, overload, bottleneck: " + reasonOf(r, "mtbf/service", withoutRequests)
}

// recording reports whether a run was made by nobody's plan: others recorded it.
func recording(r *assay.Report) bool { return r.PlanHash == "" && r.Seed == 0 }

// noFaults says why a run has no injected faults.
func noFaults(r *assay.Report) string {
	if recording(r) {
		return "none: a recording was made, and no fault injected"
	}
	return "not measured, because the plan injects no faults"
}
