package loadgen

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assay-dev/assay/internal/protofield"
)

// The messages of the Open Inference Protocol over gRPC are few and flat, so they are written and read field by field: that leaves the
// bytes of tensors where they are, and needs no generated code. The field numbers are those of the protocol's grpc_predict_v2.proto.
const (
	// ModelInferRequest
	requestModel   = 1
	requestVersion = 2
	requestInput   = 5
	requestRaw     = 7
	// InferInputTensor, InferOutputTensor
	tensorName     = 1
	tensorDatatype = 2
	tensorShape    = 3
	tensorContents = 5
	// ModelInferResponse
	responseModel   = 1
	responseVersion = 2
	responseOutput  = 5
	responseRaw     = 6
	// ModelStreamInferResponse
	streamError    = 1
	streamResponse = 2
	// InferTensorContents
	contentsFP32  = 6
	contentsFP64  = 7
	contentsBytes = 8
)

// GRPCPayload returns the inputs of a ModelInfer request, with the tensors' bytes in its raw contents.
func GRPCPayload(inputs ...Tensor) (Payload, error) {
	if len(inputs) == 0 {
		return Payload{}, errors.New("tensors: there is none")
	}
	var b []byte
	var raws [][]byte
	for _, x := range inputs {
		raw, err := x.raw()
		if err != nil {
			return Payload{}, err
		}
		raws = append(raws, raw)
		var shape []byte
		for _, d := range x.Shape {
			shape = protowire.AppendVarint(shape, uint64(d))
		}
		var in []byte
		in = appendField(in, tensorName, []byte(x.Name))
		in = appendField(in, tensorDatatype, []byte(x.Datatype))
		in = appendField(in, tensorShape, shape)
		b = appendField(b, requestInput, in)
	}
	for _, raw := range raws {
		b = appendField(b, requestRaw, raw)
	}
	return Payload{Body: b, Type: "application/grpc"}, nil
}

func appendField(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

var errMessage = errors.New("answer is not a message of the protocol")

// eachField calls do with each field of a message; value is that of a field of bytes, number that of a varint.
func eachField(b []byte, do func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error) error {
	return protofield.Each(b, errMessage, do)
}

// inferred is what matters of a ModelInferResponse.
type inferred struct {
	model   []byte
	version []byte
	outputs int
}

// parse reads a response and compares each output with its shape.
func (k *inferred) parse(b []byte) error {
	*k = inferred{}
	type output struct {
		want, have int64 // elements; have is -1 without contents
		kind       string
	}
	var outputs []output
	var raws [][]byte
	err := eachField(b, func(field protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		if kind != protowire.BytesType {
			return nil
		}
		switch field {
		case responseModel:
			k.model = value
		case responseVersion:
			k.version = value
		case responseRaw:
			raws = append(raws, value)
		case responseOutput:
			o := output{have: -1}
			var err error
			if o.want, o.have, o.kind, err = readTensor(value); err != nil {
				return err
			}
			outputs = append(outputs, o)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if k.outputs = len(outputs); len(raws) > 0 && len(raws) != len(outputs) {
		return fmt.Errorf("%d outputs with %d raw contents", len(outputs), len(raws))
	}
	for i, o := range outputs {
		size := sizes[o.kind]
		switch {
		case o.want < 0:
			return errors.New("output with a shape that is not valid")
		case len(raws) > 0 && size > 0 && (o.want > 1<<40 || int64(len(raws[i])) != o.want*size):
			return errors.New("output with more or less binary data than its shape wants")
		case len(raws) == 0 && o.have != o.want && (o.have >= 0 || o.want > 0):
			return errors.New("output with more or fewer elements than its shape wants")
		}
	}
	return nil
}

// readTensor reads an output tensor: the elements its shape wants, those it holds itself (-1: no contents) and its datatype.
func readTensor(b []byte) (want, have int64, datatype string, err error) {
	have = -1
	var shape []int64
	err = eachField(b, func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error {
		switch {
		case field == tensorDatatype && kind == protowire.BytesType:
			datatype = string(value)
		case field == tensorShape && kind == protowire.VarintType:
			shape = append(shape, int64(number))
		case field == tensorShape && kind == protowire.BytesType:
			for len(value) > 0 {
				v, n := protowire.ConsumeVarint(value)
				if n < 0 {
					return errMessage
				}
				shape, value = append(shape, int64(v)), value[n:]
			}
		case field == tensorContents && kind == protowire.BytesType:
			var err error
			have, err = countContents(value)
			return err
		}
		return nil
	})
	return elements(shape), have, datatype, err
}

// countContents counts the elements of InferTensorContents.
func countContents(b []byte) (int64, error) {
	n := int64(0)
	err := eachField(b, func(field protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		switch {
		case field == contentsBytes || kind != protowire.BytesType:
			n++
		case field == contentsFP32:
			n += int64(len(value) / 4)
		case field == contentsFP64:
			n += int64(len(value) / 8)
		default:
			for len(value) > 0 {
				_, size := protowire.ConsumeVarint(value)
				if size < 0 {
					return errMessage
				}
				n, value = n+1, value[size:]
			}
		}
		return nil
	})
	return n, err
}

// readStreamed splits a ModelStreamInferResponse into its error and its response.
func readStreamed(b []byte) (failure string, response []byte, err error) {
	err = eachField(b, func(field protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		switch {
		case field == streamError && kind == protowire.BytesType:
			failure = string(value)
		case field == streamResponse && kind == protowire.BytesType:
			response = value
		}
		return nil
	})
	return failure, response, err
}
