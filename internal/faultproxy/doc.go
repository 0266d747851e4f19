// Package faultproxy is a small HTTP/1.1 proxy that failures of requests and of token streams can be put on. One
// stands in front of an instance of the sandbox while a fault of that kind lies on it, or between
// the load and any target.
//
// A [Proxy] passes everything on until [Proxy.Set] lays [Conditions] on it. They say what happens and to which
// requests: the choice counts requests and draws from a seed, so that a run can be repeated. A
// request is judged once, when it arrives; one under way when the conditions change goes on as it began, save
// that whatever is held back is let go.
//
// # Streams
//
// An answer of type text/event-stream, or of JSON lines, is a stream. Its tokens are the events that carry
// text; an event with a role, a token count or [DONE] is none. An answer that is no stream is not touched by the
// modes for streams.
//
// # Ends
//
// A client tells the ends of a connection apart, so they are passed on as they are: an upstream that ends in the
// middle of an answer ends it here by FIN, one that resets by RST. A connect that fails is a reset, since it can
// no longer be refused.
//
// # Probes
//
// A request with the header [Probe] is answered by the proxy itself, is always struck, and is not counted: it
// shows whether a fault is in effect without waiting for traffic, without a model, and without using up a choice such as
// the first three requests.
package faultproxy
