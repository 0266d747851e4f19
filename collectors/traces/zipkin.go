package traces

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// maxShared bounds the ids that are remembered because two spans may share them.
const maxShared = 4_000_000

type zipkinSpan struct {
	TraceID  string `json:"traceId"`
	ID       string `json:"id"`
	ParentID string `json:"parentId"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Start    number `json:"timestamp"` // µs
	Duration number `json:"duration"`  // µs
	Local    struct {
		Service string `json:"serviceName"`
	} `json:"localEndpoint"`
	Remote struct {
		Service string `json:"serviceName"`
	} `json:"remoteEndpoint"`
	Tags map[string]json.RawMessage `json:"tags"`
}

func isZipkin(_ string, head []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")) && bytes.Contains(head, []byte(`"traceId"`)) && bytes.Contains(head, []byte(`"id"`))
}

func readZipkin(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	z := &zipkin{taker: newTaker(in, 1000, emit)}
	if z.halves, _ = in.State.(*halves); z.halves == nil {
		f, err := input.OpenFile(in.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		if z.halves, err = readHalves(f); err != nil {
			return err
		}
		in.State = z.halves
	}
	return z.end(eachZipkin(in.File, z.take, func() { z.refuse("not a span of Zipkin") }))
}

// eachZipkin calls fn with each span of a file and bad for what is none.
func eachZipkin(in *input.File, fn func(*zipkinSpan) error, bad func()) error {
	d := newDocument(in)
	return d.all(func(delim json.Delim) error {
		if delim != '[' {
			return fmt.Errorf("%s: want a list of Zipkin's spans, of v2", in.Path)
		}
		var element func(raw json.RawMessage) error
		element = func(raw json.RawMessage) error {
			if len(raw) > 0 && raw[0] == '[' { // a list of traces
				var list []json.RawMessage
				if json.Unmarshal(raw, &list) != nil {
					bad()
					return nil
				}
				for _, raw := range list {
					if len(raw) > 0 && raw[0] == '[' {
						bad()
						continue
					}
					if err := element(raw); err != nil {
						return err
					}
				}
				return nil
			}
			var s zipkinSpan
			if json.Unmarshal(raw, &s) != nil {
				bad()
				return nil
			}
			return fn(&s)
		}
		return d.elements(func() error {
			var raw json.RawMessage
			if err := d.value(&raw); err != nil {
				return err
			}
			return element(raw)
		})
	})
}

// A half is an id that a client's span and its server's may share.
type half struct {
	trace assay.TraceID
	id    assay.SpanID
}

// halves are the services of the client and server spans by id.
type halves struct{ client, server map[half]string }

func readHalves(f *input.File) (*halves, error) {
	h := &halves{client: map[half]string{}, server: map[half]string{}}
	err := eachZipkin(f, func(s *zipkinSpan) error {
		trace, _ := traceID(s.TraceID)
		id, _ := spanID(s.ID)
		switch s.Kind {
		case "CLIENT":
			h.client[half{trace, id}] = s.Local.Service
		case "SERVER":
			h.server[half{trace, id}] = s.Local.Service
		}
		if len(h.client)+len(h.server) > maxShared {
			return fmt.Errorf("%s: more than %d spans of clients and servers in one file", f.Path, maxShared)
		}
		return nil
	}, func() {})
	if err == errCut {
		err = nil // told when the file is read
	}
	return h, err
}

type zipkin struct {
	*taker
	halves *halves
}

func (z *zipkin) take(s *zipkinSpan) error {
	out := &assay.Span{TraceID: z.trace(s.TraceID), SpanID: z.id(s.ID), Parent: z.id(s.ParentID), Name: s.Name, Service: s.Local.Service,
		Kind: kinds[strings.ToLower(s.Kind)]}
	start, ok := s.Start.ns(1000)
	took, okay := s.Duration.ns(1000)
	if !okay && s.Duration == "" && (out.Kind == assay.SpanProducer || out.Kind == assay.SpanConsumer) {
		took, okay = 0, true // a message that was sent or taken, which is an instant
	}
	if !ok || !okay {
		z.refuse("no start time or no duration")
		return nil
	}
	out.Start, out.End = start, start+took
	z.part(out)
	if s.Remote.Service != "" {
		out.Attrs = append(out.Attrs, assay.Attr{Key: "peer.service", Value: s.Remote.Service})
	}
	for _, key := range sorted(s.Tags) {
		tagged(out, key, text(s.Tags[key]))
	}
	return z.span(out)
}

// part gives the server's half of a shared id an id of its own, and hangs what the server called below it.
func (z *zipkin) part(s *assay.Span) {
	h := z.halves
	shared := func(id assay.SpanID) (client, server string, ok bool) {
		client, c := h.client[half{s.TraceID, id}]
		server, v := h.server[half{s.TraceID, id}]
		return client, server, c && v
	}
	if client, server, ok := shared(s.Parent); ok && (s.Service != client || s.Service == server) {
		s.Parent = served(s.Parent)
	}
	if _, _, ok := shared(s.SpanID); ok && s.Kind == assay.SpanServer {
		s.Parent, s.SpanID = s.SpanID, served(s.SpanID)
	}
}

// served is the id of the server's half.
func served(id assay.SpanID) assay.SpanID {
	for i, b := range []byte("served\x00\x01") {
		id[i] ^= b
	}
	return id
}
