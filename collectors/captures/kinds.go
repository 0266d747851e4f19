package captures

import (
	"regexp"

	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Kinds is the table of this package's formats.
var Kinds = []input.Kind{streamKind}

var streamKind = input.Kind{
	Name: "stream", Things: "lines", Proven: collectors.Recorded, By: "an answer of llm-d-inference-sim, stamped line by line",
	Help: "Answers that were streamed as server-sent events, each line after its stamp, as curl -sN URL | ts %.s leaves them. The tokens' arrivals are kept, what they say is not.",
	Options: []input.Option{
		{Name: "headers", Help: "file that holds the head of the answer, as curl -D writes it: its status, and the pod that answered"},
		{Name: "sent", Help: "when the request was sent: a date, or a number of s since 1970; without it the time to the first token is not known"},
		{Name: "instance", Help: "instance that answered; the one that the headers name where none is given"},
	},
	Is: isStream, Read: readStream,
}

var stampedEvent = regexp.MustCompile(`^\s*(\d{9,11}\.\d{1,9}|\d{4}-\d\d-\d\dT\S+) ((data|event|id|retry):|: |HTTP/[\d.]+ \d{3})`)

var bareHead = regexp.MustCompile(`^HTTP/[\d.]+ \d{3}`)

// isStream takes the head of an answer too, by itself, since the reader says what goes with it.
func isStream(_ string, head []byte) bool { return stampedEvent.Match(head) || bareHead.Match(head) }
