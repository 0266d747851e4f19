package stream

import (
	"encoding/hex"
	"fmt"

	"github.com/assay-dev/assay"
)

// A Line is one line of a stream: one of its members is set, and Monotonic with a manifest.
type Line struct {
	Manifest  *assay.Manifest `json:"manifest,omitempty"`
	Monotonic int64           `json:"monotonic_ns,omitempty"` // the machine's monotonic clock at the manifest's epoch; 0: not known
	Request   *Request        `json:"request,omitempty"`
	Event     *assay.Event    `json:"event,omitempty"` // its time_ns is Unix time
	End       *assay.Ending   `json:"end,omitempty"`   // its at_ns is Unix time
}

// A Request is an assay.Request as a stream carries it. Instants that were not seen are 0.
type Request struct {
	ID          uint64        `json:"id"`
	Attempt     int32         `json:"attempt,omitempty"`
	Phase       string        `json:"phase,omitempty"`
	Class       string        `json:"class,omitempty"`
	User        string        `json:"user,omitempty"`
	Outcome     assay.Outcome `json:"outcome"`
	Status      int32         `json:"status,omitempty"`
	Cold        assay.Cold    `json:"cold"`
	Instance    string        `json:"instance,omitempty"`
	TraceID     string        `json:"trace_id,omitempty"`
	SpanID      string        `json:"span_id,omitempty"`
	Error       string        `json:"error,omitempty"`
	Due         int64         `json:"due_unix_ns"`
	Sent        int64         `json:"sent_unix_ns,omitempty"`
	FirstByte   int64         `json:"first_byte_unix_ns,omitempty"`
	FirstToken  int64         `json:"first_token_unix_ns,omitempty"`
	End         int64         `json:"end_unix_ns,omitempty"`
	Arrivals    []int64       `json:"arrivals_unix_ns,omitempty"`
	Counts      []int32       `json:"counts,omitempty"`
	TokensIn    int32         `json:"tokens_in,omitempty"`
	TokensOut   int32         `json:"tokens_out,omitempty"`
	TokensAsked int32         `json:"tokens_asked,omitempty"`
	BytesOut    int64         `json:"bytes_out,omitempty"`
	BytesIn     int64         `json:"bytes_in,omitempty"`
	RetryAfter  int64         `json:"retry_after_ns,omitempty"`
	NoSchedule  bool          `json:"no_schedule,omitempty"`
	Forced      bool          `json:"forced,omitempty"`
	Canary      bool          `json:"canary,omitempty"`
}

// Of returns r for a stream; shift is added to each of its instants that was seen.
func Of(r *assay.Request, shift int64) *Request {
	s := &Request{ID: r.ID, Attempt: r.Attempt, Phase: r.Phase, Class: r.Class, User: r.User, Outcome: r.Outcome, Status: r.Status, Cold: r.Cold, Instance: r.Instance, Error: r.Error,
		Due: moved(r.Due, shift), Sent: moved(r.Sent, shift), FirstByte: moved(r.FirstByte, shift), FirstToken: moved(r.FirstToken, shift), End: moved(r.End, shift),
		Counts: r.Counts, TokensIn: r.TokensIn, TokensOut: r.TokensOut, TokensAsked: r.TokensAsked, BytesOut: r.BytesOut, BytesIn: r.BytesIn, RetryAfter: r.RetryAfter,
		NoSchedule: r.NoSchedule, Forced: r.Forced, Canary: r.Canary}
	if !r.TraceID.IsZero() {
		s.TraceID, s.SpanID = r.TraceID.String(), r.SpanID.String()
	}
	for _, t := range r.Arrivals {
		s.Arrivals = append(s.Arrivals, moved(t, shift))
	}
	return s
}

// Record returns the record again, its instants moved by shift.
func (s *Request) Record(shift int64) (*assay.Request, error) {
	r := &assay.Request{ID: s.ID, Attempt: s.Attempt, Phase: s.Phase, Class: s.Class, User: s.User, Outcome: s.Outcome, Status: s.Status, Cold: s.Cold, Instance: s.Instance, Error: s.Error,
		Due: moved(s.Due, shift), Sent: moved(s.Sent, shift), FirstByte: moved(s.FirstByte, shift), FirstToken: moved(s.FirstToken, shift), End: moved(s.End, shift),
		Counts: s.Counts, TokensIn: s.TokensIn, TokensOut: s.TokensOut, TokensAsked: s.TokensAsked, BytesOut: s.BytesOut, BytesIn: s.BytesIn, RetryAfter: s.RetryAfter,
		NoSchedule: s.NoSchedule, Forced: s.Forced, Canary: s.Canary}
	for _, id := range []struct {
		name, text string
		to         []byte
	}{{"trace_id", s.TraceID, r.TraceID[:]}, {"span_id", s.SpanID, r.SpanID[:]}} {
		if id.text == "" {
			continue
		}
		if b, err := hex.DecodeString(id.text); err != nil || len(b) != len(id.to) {
			return nil, fmt.Errorf("%s %q: want %d hex digits", id.name, id.text, 2*len(id.to))
		} else {
			copy(id.to, b)
		}
	}
	for _, t := range s.Arrivals {
		r.Arrivals = append(r.Arrivals, moved(t, shift))
	}
	return r, nil
}

// moved moves an instant; 0 means not seen and stays.
func moved(t, shift int64) int64 {
	if t == 0 {
		return 0
	}
	if t += shift; t == 0 {
		return 1
	}
	return t
}
