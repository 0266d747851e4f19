package collectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The decoders of pdata recurse as deep as a message nests and allocate a struct
// for each message in it, however small. A few megabytes of hostile input
// could so take gigabytes. checkShape therefore looks at the shape of a body before it is decoded.
const (
	maxNesting  = 32      // of attribute values within one another
	maxMessages = 500_000 // of all kinds in one request
)

var (
	errDeep  = fmt.Errorf("values nest deeper than %d", maxNesting)
	errMany  = errors.New("too many messages")
	errProto = errors.New("malformed protobuf")
)

// A message type of OTLP, as far as it holds others.
type message uint8

const (
	opaque message = iota // holds nothing that nests
	traceRequest
	metricRequest
	logRequest
	resourceSpans
	resourceMetrics
	resourceLogs
	scopeSpans
	scopeMetrics
	scopeLogs
	attrs1 // its attributes are field 1, and so on; nothing else in it nests
	attrs3
	attrs4
	attrs7
	span
	metric
	points       // gauge, sum, summary: number and summary points have their attributes in field 7
	histogram    // its points have theirs in field 9
	expHistogram // its points have theirs in field 1
	numberPoint
	histogramPoint
	expHistogramPoint
	logRecord
	keyValue
	anyValue
	arrayValue
	kvList
	leaf // counted, but holds nothing that nests
)

// children names the message type behind each field number of a message.
var children = [leaf + 1][16]message{
	traceRequest:      {1: resourceSpans},
	metricRequest:     {1: resourceMetrics},
	logRequest:        {1: resourceLogs},
	resourceSpans:     {1: attrs1, 2: scopeSpans},
	resourceMetrics:   {1: attrs1, 2: scopeMetrics},
	resourceLogs:      {1: attrs1, 2: scopeLogs},
	scopeSpans:        {1: attrs3, 2: span},
	scopeMetrics:      {1: attrs3, 2: metric},
	scopeLogs:         {1: attrs3, 2: logRecord},
	attrs1:            {1: keyValue, 3: leaf},
	attrs3:            {3: keyValue},
	attrs4:            {4: keyValue},
	attrs7:            {7: keyValue},
	span:              {9: keyValue, 11: attrs3, 13: attrs4, 15: leaf},
	metric:            {5: points, 7: points, 9: histogram, 10: expHistogram, 11: points, 12: keyValue},
	points:            {1: numberPoint},
	histogram:         {1: histogramPoint},
	expHistogram:      {1: expHistogramPoint},
	numberPoint:       {5: attrs7, 6: leaf, 7: keyValue}, // field 6: quantiles of a summary
	histogramPoint:    {8: attrs7, 9: keyValue},
	expHistogramPoint: {1: keyValue, 8: leaf, 9: leaf, 11: attrs7},
	logRecord:         {5: anyValue, 6: keyValue},
	keyValue:          {2: anyValue},
	anyValue:          {5: arrayValue, 6: kvList},
	arrayValue:        {1: anyValue},
	kvList:            {1: keyValue},
}

// checkShape refuses a body that nests too deep or holds more than most messages.
func checkShape(sig signal, enc encoding, body []byte, most int) error {
	left, err := most, error(nil)
	if enc == otlpJSON {
		err = checkJSON(body, &left)
	} else {
		err = checkProto(body, traceRequest+message(sig), 0, &left)
	}
	if err == errMany {
		return fmt.Errorf("more than %d messages in one request; send smaller batches", most)
	}
	return err
}

// checkProto walks the wire format of one message of type m. Every level of recursion is counted by depth.
func checkProto(b []byte, m message, depth int, left *int) error {
	if depth > 2*maxNesting+12 { // an array or list and its value are two levels; spans lie a dozen deep
		return errDeep
	}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag > math.MaxUint32 {
			return errProto
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(b); n <= 0 {
				return errProto
			}
		case 1:
			n = 8
		case 5:
			n = 4
		case 2:
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return errProto
			}
			n = k + int(size)
			child := childOf(m, tag>>3)
			if child == opaque {
				break
			}
			if *left--; *left < 0 {
				return errMany
			}
			if child != leaf && size > 0 {
				if err := checkProto(b[k:n], child, depth+1, left); err != nil {
					return err
				}
			}
		default: // groups are not used by OTLP
			return errProto
		}
		if n > len(b) {
			return errProto
		}
		b = b[n:]
	}
	return nil
}

func childOf(m message, field uint64) message {
	if field == 1000 && m >= resourceSpans && m <= resourceLogs {
		field = 2 // before 2022, instrumentation libraries stood here; the decoder still takes them
	}
	if field >= 16 {
		return opaque
	}
	return children[m][field]
}

// checkJSON counts brackets outside strings. Whether they match is left to the decoder.
func checkJSON(b []byte, left *int) error {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 4*maxNesting+16 { // one value in another is four brackets
				return errDeep
			}
			if *left--; *left < 0 {
				return errMany
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
