package loadgen

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// A Tensor is one input of a model that speaks the Open Inference Protocol (KServe v2), with its elements as bytes in row-major order,
// little endian. The elements of datatype BYTES are what Elements holds, for example one encoded image each.
type Tensor struct {
	Name     string
	Datatype string // BOOL, UINT8, …, FP16, BF16, FP32, FP64, BYTES
	Shape    []int64
	Data     []byte   // of every datatype but BYTES
	Elements [][]byte // of BYTES
}

// sizes of the datatypes' elements in bytes.
var sizes = map[string]int64{"BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2,
	"UINT32": 4, "INT32": 4, "FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8}

// elements returns how many elements a tensor of the shape has, -1 if that is no number.
func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt64/d {
			return -1
		}
		n *= d
	}
	return n
}

// raw checks the tensor and returns its bytes as they are sent: elements of BYTES carry their length before them.
func (x *Tensor) raw() ([]byte, error) {
	n := elements(x.Shape)
	if n < 0 {
		return nil, fmt.Errorf("tensor %q: shape %v is not valid", x.Name, x.Shape)
	}
	if x.Name == "" {
		return nil, fmt.Errorf("tensor of shape %v: it has no name", x.Shape)
	}
	if x.Datatype == "BYTES" {
		if int64(len(x.Elements)) != n {
			return nil, fmt.Errorf("tensor %q: %d elements, and the shape %v wants %d", x.Name, len(x.Elements), x.Shape, n)
		}
		var b []byte
		for _, e := range x.Elements {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(e)))
			b = append(b, e...)
		}
		return b, nil
	}
	size, ok := sizes[x.Datatype]
	if !ok {
		return nil, fmt.Errorf("tensor %q: no datatype %q", x.Name, x.Datatype)
	}
	if n > maxPayload || int64(len(x.Data)) != n*size {
		return nil, fmt.Errorf("tensor %q: %d bytes, and %s of shape %v takes %d", x.Name, len(x.Data), x.Datatype, x.Shape, n*size)
	}
	return x.Data, nil
}

// BinaryPayload returns the body of an infer request with its tensors in binary form: a JSON head, whose length a header tells, and the
// tensors' bytes after it.
func BinaryPayload(inputs ...Tensor) (Payload, error) { return binaryPayload(false, inputs) }

// BinaryOutPayload is BinaryPayload that asks for the outputs in binary form too.
func BinaryOutPayload(inputs ...Tensor) (Payload, error) { return binaryPayload(true, inputs) }

func binaryPayload(binaryOutput bool, inputs []Tensor) (Payload, error) {
	type parameters struct {
		Size int `json:"binary_data_size"`
	}
	type input struct {
		Name       string     `json:"name"`
		Shape      []int64    `json:"shape"`
		Datatype   string     `json:"datatype"`
		Parameters parameters `json:"parameters"`
	}
	head := struct {
		Inputs     []input         `json:"inputs"`
		Parameters map[string]bool `json:"parameters,omitempty"`
	}{}
	if binaryOutput {
		head.Parameters = map[string]bool{"binary_data_output": true}
	}
	var tail []byte
	for _, x := range inputs {
		b, err := x.raw()
		if err != nil {
			return Payload{}, err
		}
		head.Inputs = append(head.Inputs, input{x.Name, x.Shape, x.Datatype, parameters{len(b)}})
		tail = append(tail, b...)
	}
	if len(inputs) == 0 {
		return Payload{}, fmt.Errorf("tensors: there is none")
	}
	b, err := json.Marshal(head)
	if err != nil {
		return Payload{}, err
	}
	return Payload{Body: append(b, tail...), Type: "application/octet-stream",
		Headers: [][2]string{{"Inference-Header-Content-Length", strconv.Itoa(len(b))}}}, nil
}

// Each returns one body for each file that the paths name (see [ReadPayloads]): x with the file's content as its data, or as the one element of
// datatype BYTES, in the form given: [BinaryPayload], [BinaryOutPayload] or [GRPCPayload].
func (x Tensor) Each(form func(...Tensor) (Payload, error), paths ...string) (*Payloads, error) {
	read, err := ReadPayloads("", paths...)
	if err != nil {
		return nil, err
	}
	for i := range read.list {
		one := x
		if x.Datatype == "BYTES" {
			one.Elements = [][]byte{read.list[i].Body}
		} else {
			one.Data = read.list[i].Body
		}
		if read.list[i], err = form(one); err != nil {
			return nil, err
		}
	}
	return read, nil
}
