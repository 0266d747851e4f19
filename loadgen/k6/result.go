package k6

import (
	"math"

	"github.com/assay-dev/assay"
)

// times are the latencies of one request in milliseconds, k6's unit. What was not seen is NaN, which in a check is
// neither less nor more than anything.
type times struct {
	TTFT   float64 `js:"ttft"`   // from due to the first content
	ITL    float64 `js:"itl"`    // mean gap between content chunks
	TPOT   float64 `js:"tpot"`   // from the first to the last content chunk, per token after the first
	E2E    float64 `js:"e2e"`    // from due to the end
	MaxGap float64 `js:"maxGap"` // longest gap between content chunks
}

const perMilli = 1e6

func timesOf(r *assay.Request) times {
	nan := math.NaN()
	t := times{nan, nan, nan, nan, nan}
	if r.End != 0 {
		t.E2E = float64(r.End-r.Due) / perMilli
	}
	if r.FirstToken != 0 {
		t.TTFT = float64(r.FirstToken-r.Due) / perMilli
	}
	n := len(r.Arrivals)
	if n < 2 {
		return t
	}
	span := float64(r.Arrivals[n-1] - r.Arrivals[0])
	t.ITL = span / float64(n-1) / perMilli
	if r.TokensOut > 1 {
		t.TPOT = span / float64(r.TokensOut-1) / perMilli
	}
	longest := int64(0)
	for i := 1; i < n; i++ {
		longest = max(longest, r.Arrivals[i]-r.Arrivals[i-1])
	}
	t.MaxGap = float64(longest) / perMilli
	return t
}

// A result is what a script gets of a request.
type result struct {
	OK         bool    `js:"ok"`
	Outcome    string  `js:"outcome"` // a name of assay.Outcome
	Failed     bool    `js:"failed"`  // the outcome speaks against the target
	Status     int32   `js:"status"`
	Error      string  `js:"error"`
	TTFT       float64 `js:"ttft"`
	ITL        float64 `js:"itl"`
	TPOT       float64 `js:"tpot"`
	E2E        float64 `js:"e2e"`
	MaxGap     float64 `js:"maxGap"`
	Chunks     int     `js:"chunks"`
	TokensIn   int32   `js:"tokensIn"`
	TokensOut  int32   `js:"tokensOut"`
	BytesIn    int64   `js:"bytesIn"`
	BytesOut   int64   `js:"bytesOut"`
	RetryAfter float64 `js:"retryAfter"` // seconds
	TraceID    string  `js:"traceId"`
}

func resultOf(r *assay.Request, t *times) *result {
	return &result{OK: r.Outcome == assay.OK, Outcome: r.Outcome.String(), Failed: r.Outcome.Failed(), Status: r.Status, Error: r.Error,
		TTFT: t.TTFT, ITL: t.ITL, TPOT: t.TPOT, E2E: t.E2E, MaxGap: t.MaxGap, Chunks: len(r.Arrivals), TokensIn: r.TokensIn, TokensOut: r.TokensOut,
		BytesIn: r.BytesIn, BytesOut: r.BytesOut, RetryAfter: float64(r.RetryAfter) / 1e9, TraceID: r.TraceID.String()}
}
