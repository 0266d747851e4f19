package cloud

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/tail"
)

// CloudWatch reads metrics of Amazon CloudWatch while they come: each datapoint once, when its period has been over for Wait, since AWS goes on with it until
// then. Last reads the rest after the run. The period in which the run begins is read whole.
type CloudWatch struct {
	Endpoint   string            // of the service; "": that of the region
	Region     string            // "": as the endpoint's name, the environment or the profile tells
	Namespace  string            // "": AWS/Lambda
	Dimensions map[string]string // of the metrics, such as FunctionName
	Metrics    []string          // NAME/STATISTIC; nil: LambdaMetrics
	Period     time.Duration     // of a datapoint, whole seconds; 0: 1 min
	Wait       time.Duration     // 0: 2 min
	RunID      string            // sent with each request
	Clock      collectors.Clock

	by     http.RoundTripper // nil for the default one
	caller *awsCaller
	done   int64 // Unix ns: what is before was read
	read   int64 // datapoints
	tally  input.Tally
	counts counting
	ill    error // of the latest look
}

var _ assay.Source = (*CloudWatch)(nil)

// LambdaMetrics are those that are read of a function where nobody names others.
var LambdaMetrics = []string{"Invocations/Sum", "Errors/Sum", "Throttles/Sum", "Duration/Average", "Duration/Maximum", "ConcurrentExecutions/Maximum", "ProvisionedConcurrencySpilloverInvocations/Sum"}

// maxPoints bounds the datapoints of one look.
const maxPoints = 100_000

// Run looks each period until ctx is done. A service that cannot be asked is told of once and asked again.
func (c *CloudWatch) Run(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	c.done = time.Now().Truncate(c.period()).UnixNano()
	tick := time.NewTicker(min(c.period(), 30*time.Second))
	defer tick.Stop()
	for told := false; ; {
		if err := c.look(ctx, time.Now(), emit); err != nil {
			return err
		}
		if c.ill != nil && ctx.Err() == nil && !told {
			told = true
			if err := c.warn(emit, "%v; it is asked again", c.ill); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Last waits until the period in which it is called is over and complete, reads the rest, and tells what was not to be had. It is called once, after Run has returned.
func (c *CloudWatch) Last(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	if c.done == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return c.warn(emit, "the last datapoints were not waited for")
	case <-time.After(time.Until(time.Now().Truncate(c.period()).Add(c.period() + c.wait()))):
	}
	if err := c.look(ctx, time.Now(), emit); err != nil {
		return err
	}
	switch {
	case c.ill != nil:
		return c.warn(emit, "the last datapoints were not read: %v", c.ill)
	case c.read == 0:
		return c.warn(emit, "it had no datapoint of the run: a function that nobody calls has none")
	}
	return nil
}

func (c *CloudWatch) warn(emit func(assay.Record) error, format string, args ...any) error {
	return emit(&assay.Event{Time: cmp.Or(c.Clock.Now(), 1), Kind: assay.EventWarning, Source: "cloudwatch", Text: "cloudwatch: " + fmt.Sprintf(format, args...)})
}

func (c *CloudWatch) period() time.Duration { return cmp.Or(c.Period, time.Minute) }
func (c *CloudWatch) wait() time.Duration   { return cmp.Or(c.Wait, 2*time.Minute) }

// look reads the periods that are complete by now. Its error is the record's taker's.
func (c *CloudWatch) look(ctx context.Context, now time.Time, emit func(assay.Record) error) error {
	to := now.Add(-c.wait()).Truncate(c.period()).UnixNano()
	if to <= c.done {
		return nil
	}
	answers, n, err := c.ask(ctx, c.done, to)
	if c.ill = err; err != nil {
		return nil // nothing of it was taken
	}
	c.counts.period = int64(c.period())
	into := func(r assay.Record) error {
		if s, ok := r.(*assay.Sample); ok {
			s.Time = c.Clock.FromUnix(s.Time)
		}
		return emit(r)
	}
	for _, raw := range answers {
		d := &datapoints{namespace: c.Namespace, labels: labelsOf(c.Dimensions, nil), tally: &c.tally, emit: into, counts: &c.counts}
		if err := d.read(input.NewFile("the answer of CloudWatch", bytes.NewReader(raw), nil)); err != nil {
			return err
		}
	}
	c.done, c.read = to, c.read+n
	return c.counts.flush(&c.tally, into)
}

// ask gets all datapoints of [from, to), in Unix ns, page after page.
func (c *CloudWatch) ask(ctx context.Context, from, to int64) (answers [][]byte, points int64, err error) {
	if err := c.connect(ctx); err != nil {
		return nil, 0, err
	}
	query := map[string]any{"StartTime": from / 1e9, "EndTime": to / 1e9, "ScanBy": "TimestampAscending", "MetricDataQueries": c.queries()}
	for range maxPages {
		var page struct {
			Results []struct {
				ID     string          `json:"Id"`
				Label  string          `json:"Label"`
				Stamps json.RawMessage `json:"Timestamps"`
				Values []float64       `json:"Values"`
				Status string          `json:"StatusCode"`
			} `json:"MetricDataResults"`
			Next string `json:"NextToken"`
		}
		if err := c.caller.call(ctx, "GetMetricData", query, &page); err != nil {
			return nil, 0, err
		}
		for _, r := range page.Results {
			if r.Status == "InternalError" || r.Status == "Forbidden" {
				return nil, 0, fmt.Errorf("GetMetricData: %s: %s", r.Label, r.Status)
			}
			points += int64(len(r.Values))
		}
		if points > maxPoints {
			return nil, 0, fmt.Errorf("more than %d datapoints: want fewer metrics or a longer period", maxPoints)
		}
		raw, err := json.Marshal(map[string]any{"MetricDataResults": page.Results})
		if err != nil {
			return nil, 0, err
		}
		if answers = append(answers, raw); page.Next == "" {
			return answers, points, nil
		}
		query["NextToken"] = page.Next
	}
	return nil, 0, fmt.Errorf("more than %d pages of datapoints", maxPages)
}

// queries ask for each metric under a label that names it as the exporter does.
func (c *CloudWatch) queries() []any {
	var dimensions []any
	for _, k := range slices.Sorted(maps.Keys(c.Dimensions)) {
		dimensions = append(dimensions, map[string]any{"Name": k, "Value": c.Dimensions[k]})
	}
	metrics := c.Metrics
	if metrics == nil {
		metrics = LambdaMetrics
	}
	var out []any
	for i, m := range metrics {
		name, stat, _ := strings.Cut(m, "/")
		out = append(out, map[string]any{"Id": fmt.Sprintf("m%d", i), "Label": name + "_" + stat, "MetricStat": map[string]any{"Period": int(c.period().Seconds()), "Stat": stat,
			"Metric": map[string]any{"Namespace": cmp.Or(c.Namespace, "AWS/Lambda"), "MetricName": name, "Dimensions": dimensions}}})
	}
	return out
}

// connect finds the region, the endpoint and the keys.
func (c *CloudWatch) connect(ctx context.Context) (err error) {
	if c.caller != nil {
		return nil
	}
	region, endpoint := c.Region, c.Endpoint
	if endpoint == "" {
		if region == "" {
			if region, err = (credential.AWS{}).Where(ctx); err != nil {
				return err
			}
		}
		endpoint = "https://monitoring." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			endpoint += ".cn"
		}
	}
	var at *url.URL
	if at, err = ask.Parse(endpoint); err != nil {
		return err
	}
	caller, err := newCaller(ctx, at, region, "monitoring", "1.0", "GraniteServiceVersion20100801")
	if err != nil {
		return err
	}
	caller.run, caller.client.Transport = c.RunID, c.by
	c.caller = caller
	return nil
}

// Look asks for the datapoints of the last three hours, and says how many there are of how many metrics that were asked for.
func (c *CloudWatch) Look(ctx context.Context) (points int64, metrics int, err error) {
	to := time.Now().Truncate(c.period())
	_, points, err = c.ask(ctx, to.Add(-3*time.Hour).UnixNano(), to.UnixNano())
	return points, len(c.queries()), err
}
