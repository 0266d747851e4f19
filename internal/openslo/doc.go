// Package openslo reads OpenSLO files, versions openslo/v1 and openslo/v1alpha, and says what of them a run can judge.
//
// [Read] takes the files together, since a reference may lead from one to another, and decodes them strictly: an unknown key, a second value
// of one key, a missing setting or a reference to nothing is refused with file and line. Labels, annotations, the connection details of a
// data source and the free part of a metric source are the writer's own and may hold anything.
//
// # What a run can judge
//
// Each objective of an SLO becomes one [assay.SLO]. Its indicator is one of:
//
//   - the run's own requests, where the metric source has the type assay and its spec names a metric: availability for a ratioMetric, or
//     ttft, e2e or tpot for a thresholdMetric, whose op and value then hold every request. An annotation assay.dev/metric of the SLI or SLO says
//     the same of an indicator that production measures elsewhere.
//   - PromQL over the metrics that the run recorded, where the type is Prometheus: good or bad and total, raw, or a threshold.
//
// Anything else is kept with the reason why no run can judge it. Nothing is dropped: of what has no use in a run, [File].Notes tells.
//
// Of times, a month is 30 days, a quarter 90 and a year 365, in rolling and calendar windows alike; that a window is of the calendar is kept.
package openslo
