// Package protofield walks a protobuf message field by field, for messages of which we read a few fields and for which generated code would be a dependency.
package protofield

import "google.golang.org/protobuf/encoding/protowire"

// Each calls do for every field of a message: value is that of a field of bytes, valid as long as b, and number that of a varint or of fixed 64 bits. It ends
// with the first error of do, or with malformed where b is no message.
func Each(b []byte, malformed error, do func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed
		}
		b = b[n:]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return malformed
		}
		b = b[n:]
		if err := do(field, kind, value, number); err != nil {
			return err
		}
	}
	return nil
}
