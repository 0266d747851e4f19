// Package series reads what others measured over time: expositions that were recorded, the answers of any API that speaks Prometheus' HTTP,
// and INFO of Redis. Series keep the names that their exporters gave them; package internal/profile says when they are read
// what they mean.
//
//   - [Metrics] is Prometheus text or OpenMetrics, one exposition or many, one after another.
//   - [Prometheus] is JSON of query_range, query and series, and fetches it: of all names that a profile knows, or of those that match.
//   - [RedisInfo] is what the command INFO of Redis prints.
//
// # Times
//
// A sample has the time that stands beside it. An exposition that has none is stamped with the option at, else with the file's own time, and the
// summary says so. The same series once more, without a time, begins the next look: the option every says how far apart looks were.
package series
