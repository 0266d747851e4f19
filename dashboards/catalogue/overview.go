package catalogue

const (
	noFaults  = "a run without faults has no fault windows"
	noGoal    = "the plan may set no such goal"
	noProblem = "the series appears with the first problem"
)

// Overview is the first dashboard: one run while it goes on, and afterwards.
func Overview() *Dashboard {
	return &Dashboard{
		UID: "assay-run-overview", Title: "assay: run overview",
		Description: "One run of assay: what its users see, what the faults do, how the platform answers, and whether the measurement itself can be trusted. Figures with intervals and verdicts are in the run's report.",
		Variables: []Variable{
			{Name: "run", Label: "Run", Query: `label_values(assay_run_info, run)`},
			{Name: "phase", Label: "Phase", Query: `label_values(assay_requests_total{run="$run"}, phase)`, Multi: true},
		},
		Annotations: []Annotation{
			{Name: "Fault injected", Expr: `max by (fault, kind, state) (assay_fault_active{run="$run", state="injected"}) > 0`, Colour: "red",
				Title: "{{kind}} injected", Text: "fault {{fault}}", Tags: "state,kind,fault", Interval: "5s", EmptyOK: noFaults},
			{Name: "Recovering", Expr: `max by (fault, kind, state) (assay_fault_active{run="$run", state="recovering"}) > 0`, Colour: "orange",
				Title: "recovering from {{kind}}", Text: "fault {{fault}}", Tags: "state,kind,fault", Interval: "5s", EmptyOK: noFaults},
		},
		Rows: []Row{nowRow(), usersRow(), faultsRow(), platformRow(), trustRow()},
	}
}

func quantile(q, metric, selector string) string {
	return `histogram_quantile(` + q + `, sum by (le) (rate(` + metric + `_bucket{run="$run", phase=~"$phase"` + selector + `}[$__rate_interval])))`
}

func goal(metric, bound, legend string) Query {
	return Query{Expr: `max(assay_objective_goal{run="$run", metric="` + metric + `", bound="` + bound + `"})`, Legend: legend, EmptyOK: noGoal, Goal: true}
}

func failedShare() string {
	return `sum(rate(assay_requests_total{run="$run", phase=~"$phase", outcome=~"` + failed() + `"}[$__rate_interval])) / sum(rate(assay_requests_total{run="$run", phase=~"$phase", outcome=~"` + judged() + `"}[$__rate_interval]))`
}

func nowRow() Row {
	stat := func(id uint32, title, question, unit, expr string) Panel {
		return Panel{ID: id, Title: title, Question: question, Form: Stat, Unit: unit, Queries: []Query{{Expr: expr, Legend: title}}, Width: 4, Height: 4, NoValue: "no traffic"}
	}
	bad := stat(12, "Failed share", "Which share of the requests that were sent was not served? Zero outside fault windows when all is well; refusals by our own cap are not in it.", "percentunit", failedShare())
	bad.Warn = 0.01
	faults := stat(15, "Faults in force", "How many faults are in force at this moment? Zero before and after the chaos part of the plan.", "none",
		`sum(assay_fault_active{run="$run", state="injected"}) or vector(0)`)
	faults.Warn = 1
	return Row{ID: 1, Title: "Now", Panels: []Panel{
		stat(11, "Answered", "How many requests a second are answered completely? It follows the offered rate as long as the target keeps up.", "reqps",
			`sum(rate(assay_requests_total{run="$run", phase=~"$phase", outcome="ok"}[$__rate_interval]))`),
		bad,
		stat(13, "TTFT p95, warm", "How long do warm requests wait for their first token, at the 95th percentile of the last moments? Latency counts from when the request was due.", "s",
			quantile("0.95", "assay_request_ttft_seconds", `, cold="warm"`)),
		stat(14, "Instances ready", "How many instances can take requests? At least one under load.", "none", `sum(assay_instances{run="$run", state="ready"})`),
		faults,
		stat(16, "In flight", "How many requests are open? A figure that only grows is a target that does not keep up.", "none", `sum(assay_requests_in_flight{run="$run"})`),
	}}
}

func usersRow() Row {
	return Row{ID: 2, Title: "What users see", Panels: []Panel{
		{ID: 21, Title: "Requests by outcome", Question: "What became of the requests? All ok outside fault windows and overload.", Form: Stacked, Unit: "reqps", Width: 12, Height: 8,
			Queries: []Query{{Expr: `sum by (outcome) (rate(assay_requests_total{run="$run", phase=~"$phase"}[$__rate_interval]))`, Legend: "{{outcome}}"}}},
		{ID: 22, Title: "Failed share", Question: "When did requests fail, and how many of them? The line stays at zero outside fault windows. It trails the truth by the rate window: recovery times come from the report.", Form: TimeSeries, Unit: "percentunit", Width: 12, Height: 8,
			Queries: []Query{{Expr: failedShare(), Legend: "failed"}, goal("error_ratio", "max", "goal")}},
		{ID: 23, Title: "Time to first token", Question: "How long do users wait for the first token? Warm lines lie below the goal; cold ones carry the start of an instance.", Form: TimeSeries, Unit: "s", Width: 12, Height: 8,
			Queries: []Query{
				{Expr: quantile("0.5", "assay_request_ttft_seconds", `, cold="warm"`), Legend: "p50 warm"},
				{Expr: quantile("0.95", "assay_request_ttft_seconds", `, cold="warm"`), Legend: "p95 warm", Exemplar: true},
				{Expr: quantile("0.95", "assay_request_ttft_seconds", ``), Legend: "p95 all"},
				goal("ttft/p95", "max", "goal p95")}},
		{ID: 24, Title: "End to end", Question: "How long does a whole answer take? It follows the number of tokens asked for and the load.", Form: TimeSeries, Unit: "s", Width: 12, Height: 8,
			Queries: []Query{
				{Expr: quantile("0.5", "assay_request_e2e_seconds", ``), Legend: "p50"},
				{Expr: quantile("0.95", "assay_request_e2e_seconds", ``), Legend: "p95", Exemplar: true},
				goal("e2e/p95", "max", "goal p95")}},
		{ID: 25, Title: "Time between tokens", Question: "How smoothly do tokens arrive? It rises when batches fill or the accelerator is shared.", Form: TimeSeries, Unit: "s", Width: 12, Height: 8,
			Queries: []Query{
				{Expr: quantile("0.5", "assay_request_itl_seconds", ``), Legend: "p50"},
				{Expr: quantile("0.95", "assay_request_itl_seconds", ``), Legend: "p95"},
				goal("itl/p95", "max", "goal p95")}},
		{ID: 26, Title: "Time to first token, all requests", Question: "Is there more than one population? Two bands mean cold and warm starts, or two routes.", Form: Heatmap, Unit: "s", Width: 12, Height: 8,
			Queries: []Query{{Expr: `sum by (le) (increase(assay_request_ttft_seconds_bucket{run="$run", phase=~"$phase"}[$__rate_interval]))`, Legend: "{{le}}"}}},
	}}
}

func faultsRow() Row {
	return Row{ID: 3, Title: "Faults and goals", Panels: []Panel{
		{ID: 31, Title: "Fault windows", Question: "When was which fault in force, and how long did users take to recover from it? Injected and recovering are shown apart.", Form: StateTimeline, Unit: "none", Width: 16, Height: 6, NoValue: "no faults",
			Queries: []Query{{Expr: `max by (fault, kind) (assay_fault_active{run="$run", state="injected"} or 2 * assay_fault_active{run="$run", state="recovering"})`, Legend: "{{kind}} ({{fault}})", EmptyOK: noFaults}},
			States:  map[string]State{"0": {"none", "transparent"}, "1": {"injected", "red"}, "2": {"recovering", "orange"}}},
		{ID: 32, Title: "Goals", Question: "What does the plan ask for? Values are in base units: seconds, ratios. Verdicts with their intervals are in the report.", Form: Table, Unit: "none", Width: 8, Height: 6, NoValue: "the plan sets no goals",
			Queries: []Query{{Expr: `max by (metric, bound) (assay_objective_goal{run="$run"})`, Legend: "{{metric}} {{bound}}", EmptyOK: noGoal}}},
	}}
}

func platformRow() Row {
	return Row{ID: 4, Title: "The platform", Panels: []Panel{
		{ID: 41, Title: "Instances", Question: "Does the number of instances follow the load? Ready trails desired by the cold start; a lasting gap is a platform that cannot provide.", Form: TimeSeries, Unit: "none", Width: 8, Height: 8,
			Queries: []Query{{Expr: `sum by (state) (assay_instances{run="$run"})`, Legend: "{{state}}"}}},
		{ID: 42, Title: "Instance starts", Question: "How often and why were instances started since the run began? Replacements outside fault windows are failures.", Form: TimeSeries, Unit: "none", Width: 8, Height: 8,
			Queries: []Query{{Expr: `sum by (reason) (assay_instance_starts_total{run="$run"})`, Legend: "{{reason}}"}}},
		{ID: 43, Title: "Offered and answered", Question: "Does the target keep up with what is asked of it? The lines part where the limit is.", Form: TimeSeries, Unit: "reqps", Width: 8, Height: 8,
			Queries: []Query{
				{Expr: `max(assay_offered_rate{run="$run"})`, Legend: "offered"},
				{Expr: `sum(rate(assay_requests_total{run="$run", phase=~"$phase", outcome="ok"}[$__rate_interval]))`, Legend: "answered"},
			}},
	}}
}

func trustRow() Row {
	return Row{ID: 5, Title: "Can the measurement be trusted?", Panels: []Panel{
		{ID: 51, Title: "Load phase", Question: "Which part of the load plan runs?", Form: StateTimeline, Unit: "none", Width: 24, Height: 5, NoValue: "no load",
			Queries: []Query{{Expr: `max by (phase, role) (assay_phase{run="$run"})`, Legend: "{{phase}} ({{role}})"}},
			States:  map[string]State{"0": {"off", "transparent"}, "1": {"on", "green"}}},
		{ID: 52, Title: "Send lateness p99", Question: "Were requests sent when they were due? Above the larger of 1 ms and 1 % of the tightest latency goal the run is invalid.", Form: TimeSeries, Unit: "s", Width: 8, Height: 7,
			Queries: []Query{{Expr: `histogram_quantile(0.99, sum by (le) (rate(assay_send_lateness_seconds_bucket{run="$run"}[$__rate_interval])))`, Legend: "p99"}}},
		{ID: 53, Title: "Not sent: our own cap", Question: "How many requests did our own in-flight cap keep back? They are never the target's failures, but many make the run invalid.", Form: TimeSeries, Unit: "none", Width: 8, Height: 7,
			Queries: []Query{{Expr: `sum(assay_refused_by_cap_total{run="$run"})`, Legend: "refused by cap"}}},
		{ID: 54, Title: "Spans received", Question: "Do the target's traces arrive? No spans means no bottleneck analysis.", Form: TimeSeries, Unit: "ops", Width: 8, Height: 7,
			Queries: []Query{{Expr: `sum(rate(assay_spans_total{run="$run"}[$__rate_interval]))`, Legend: "spans"}}},
		{ID: 55, Title: "Scrape errors", Question: "Which targets could not be scraped? A victim of a fault may fail for a while; others may not.", Form: TimeSeries, Unit: "none", Width: 12, Height: 6, NoValue: "none",
			Queries: []Query{{Expr: `sum by (target) (assay_scrape_errors_total{run="$run"})`, Legend: "{{target}}", EmptyOK: noProblem}}},
		{ID: 56, Title: "Warnings", Question: "What did the run have to say about itself? Each is a line in its report.", Form: TimeSeries, Unit: "none", Width: 12, Height: 6,
			Queries: []Query{{Expr: `sum(assay_warnings_total{run="$run"})`, Legend: "warnings"}}},
	}}
}
