// Package promrules makes Prometheus rules of promises to users, and evaluates rules on what a run recorded.
//
// [Generate] gives the recordings, the meta recordings and the two alerts of each SLO under the names and labels that Sloth gives them, so that
// dashboards made for Sloth show them: slo:sli_error:ratio_rate5m and so on, slo:current_burn_rate:ratio, and an alert for a page and one for a
// ticket, each over two pairs of windows ([Pairs]). What a promise says of our own requests is asked of the live metrics that a run serves.
//
// [Replay] evaluates rules in order of time as Prometheus does: recordings become series that later rules see, an alert that holds is pending until
// its for is over, then fires, and stays firing for its keep_firing_for. Its engine is that of Prometheus. Two things differ: groups are evaluated one after
// another, and what a rule looks back over before the run began is empty, as it is for a Prometheus that has just started.
package promrules
