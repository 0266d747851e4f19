package collectors

import (
	"cmp"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// takeMetrics records the points of one request, as package flatten makes samples of them, and returns the encoded answer.
func (o *OTLP) takeMetrics(enc encoding, body []byte) ([]byte, error) {
	req, resp := pmetricotlp.NewExportRequest(), pmetricotlp.NewExportResponse()
	if err := decode(enc, body, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "decode metrics: %v", err)
	}
	t, samples := o.takePoints(req.Metrics())
	if t.refusal != nil && samples == 0 {
		o.count(func(c *Counts) { c.Requests++; c.PushedBack++ })
		return nil, status.Errorf(codes.Unavailable, "the run cannot take samples now: %v", t.refusal)
	}
	o.settle(&t)
	o.count(func(c *Counts) { c.Samples += samples })
	if n := t.lost(); n > 0 {
		resp.PartialSuccess().SetRejectedDataPoints(n)
		resp.PartialSuccess().SetErrorMessage(t.message("points"))
	}
	return answer(enc, resp.MarshalProto, resp.MarshalJSON)
}

// takePoints emits the samples of md until the run pushes back. A point whose time lies further away than a span's may is rejected.
func (o *OTLP) takePoints(md pmetric.Metrics) (t taking, samples int64) {
	b := o.flat.Convert(md)
	for reason, n := range b.Rejected {
		t.reject("points "+reason, n)
	}
	now, offset := o.Clock.Now(), int64(cmp.Or(o.MaxOffset, otlpMaxOffset))
	for i := range b.Samples {
		s := &b.Samples[i]
		if s.Time = o.Clock.FromUnix(s.Time); s.Time < now-offset || s.Time > now+offset {
			t.reject("points whose time lies too far from now", 1)
			continue
		}
		if err := o.emit(s); err != nil {
			t.refusal = err
			if samples > 0 {
				t.reject("points: back-pressure", int64(len(b.Samples)-i))
			}
			return t, samples
		}
		samples++
	}
	for i := range b.Events {
		e := &b.Events[i]
		if e.Time = o.Clock.FromUnix(e.Time); e.Time >= now-offset && e.Time <= now+offset {
			o.emit(e)
		}
	}
	return t, samples
}
