package loadgen

import (
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// frameType is the content type of a body of frames.
const frameType = "application/vnd.amazon.eventstream"

// frames reads a body of AWS's event-stream frames and gives out what its payload events carry, never of two frames in one
// Read, so that what is read has the instant of its frame.
type frames struct {
	src     frameSource
	now     func() int64
	decoder *eventstream.Decoder
	payload string                     // kind of event that carries payload
	last    string                     // kind of event that ends the stream; "": none does, and the body's end is the stream's
	finish  func(payload []byte) error // of the last event; its error ends the stream

	at     int64  // when the socket read that completed the last frame returned
	buf    []byte // of a payload
	rest   []byte // of the payload that was not given out
	err    error
	framed bool // HTTP tells a whole body from one that was cut
}

// frameSource is the body under the frames. It remembers what the decoder does not tell apart: whether a frame had begun, and
// what ended the body. The decoder reports the end of the body inside a payload as an orderly end.
type frameSource struct {
	io.Reader
	begun bool
	err   error
}

func (s *frameSource) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.begun = s.begun || n > 0
	if err != nil {
		s.err = err
	}
	return n, err
}

func newFrames(a *answer, payload string) *frames {
	return &frames{src: frameSource{Reader: a.body}, now: a.readAt, framed: a.framed, decoder: eventstream.NewDecoder(), payload: payload}
}

// readAt returns the instant of the frame that the last Read gave bytes of.
func (f *frames) readAt() int64 { return f.at }

// Read implements io.Reader. Its error is io.EOF at the orderly end of the stream, an *exception that came in the stream, or what broke it.
func (f *frames) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.err = f.next()
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// next reads one frame.
func (f *frames) next() error {
	f.src.begun = false
	m, err := f.decoder.Decode(&f.src, f.buf[:0])
	if err != nil {
		return f.broken(err)
	}
	f.at = f.now()
	f.buf = m.Payload
	switch kind := field(m.Headers, ":message-type"); kind {
	case "event":
	case "exception":
		return &exception{field(m.Headers, ":exception-type"), readComplaint(m.Payload).text}
	case "error":
		return &exception{field(m.Headers, ":error-code"), field(m.Headers, ":error-message")}
	default:
		return &protocolError{"event-stream frame without a kind of message"}
	}
	switch event := field(m.Headers, ":event-type"); {
	case event == f.payload:
		f.rest = m.Payload
	case event == f.last && event != "":
		return f.finish(m.Payload)
	}
	return nil // what is not known is ignored, as AWS wants it
}

// broken tells what ended the frames.
func (f *frames) broken(err error) error {
	f.at = f.now()
	switch {
	case f.src.err != nil && f.src.err != io.EOF:
		return f.src.err
	case f.src.err == io.EOF && (f.src.begun || f.last != "" || !f.framed):
		return io.ErrUnexpectedEOF
	case f.src.err == io.EOF:
		return io.EOF
	}
	var sum eventstream.ChecksumError
	if errors.As(err, &sum) {
		return &protocolError{"event-stream frame with a wrong checksum"}
	}
	return &protocolError{"malformed event-stream frame"}
}

// field returns a frame's header that is a text.
func field(h eventstream.Headers, name string) string {
	if v, ok := h.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}
