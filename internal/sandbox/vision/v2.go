package vision

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
)

// headerLength is the header that says how long the JSON part of a body is, when binary data follows it.
const headerLength = "Inference-Header-Content-Length"

// The one input and the two outputs of the model, as Open Inference names them.
const (
	inputName  = "image"
	outProbs   = "probabilities"
	outLabel   = "label"
	version    = "1"
	bytesType  = "BYTES"
	floatsType = "FP32"
)

// inferBody is the JSON part of an Open Inference request; all else is accepted and has no effect.
type inferBody struct {
	ID         string     `json:"id"`
	Inputs     []tensorIn `json:"inputs"`
	Outputs    []wanted   `json:"outputs"`
	Parameters struct {
		BinaryOutput bool `json:"binary_data_output"`
	} `json:"parameters"`
}

// wanted is an output that a request asks for.
type wanted struct {
	Name       string `json:"name"`
	Parameters struct {
		Binary *bool `json:"binary_data"`
	} `json:"parameters"`
}

// decodeV2 reads an Open Inference request: JSON, JSON and binary data, or a bare image.
func decodeV2(h http.Header, body []byte, side int, model string) (*ask, *fault) {
	kind := h.Get("Content-Type")
	media, _, err := mime.ParseMediaType(kind)
	if kind != "" && err != nil {
		return nil, badRequest("Content-Type %q cannot be read", clip(kind))
	}
	if media == "image/png" || media == "image/jpeg" {
		return bareImage(body, side, model)
	}
	split := len(body)
	if text := h.Get(headerLength); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > len(body) {
			return nil, badRequest("%s is %q; the body has %d bytes", headerLength, clip(text), len(body))
		}
		if n == 0 { // a raw request: all of the body is the one element of the one input
			return bareImage(body, side, model)
		}
		split = n
	} else if media != "" && media != "application/json" && media != "application/octet-stream" {
		return nil, &fault{status: http.StatusUnsupportedMediaType, code: "content_type",
			message: "Content-Type " + strconv.Quote(clip(media)) + " is not served; send application/json, image/png or image/jpeg"}
	}
	var b inferBody
	if err := json.Unmarshal(body[:split], &b); err != nil {
		return nil, badRequest("The body is not the JSON that is expected here: %s", clip(err.Error()))
	}
	if len(b.Inputs) != 1 || b.Inputs[0].Name != inputName {
		return nil, badRequest("the model takes one input, %q", inputName)
	}
	data, err := binaryOf(&b.Inputs[0], body[split:])
	if err != nil {
		return nil, badRequest("inputs[0]: %v", err)
	}
	images, err := b.Inputs[0].images(data, side)
	if err != nil {
		return nil, badRequest("inputs[0]: %s", clip(err.Error()))
	}
	outputs, f := outputsOf(&b)
	if f != nil {
		return nil, f
	}
	return &ask{images: images, write: func(w http.ResponseWriter, scores [][]float32) error {
		return writeInfer(w, model, b.ID, outputs, scores)
	}}, nil
}

// binaryOf returns the binary data of the input: exactly what follows the JSON part, or nil.
func binaryOf(t *tensorIn, rest []byte) ([]byte, error) {
	size := t.Parameters.BinaryDataSize
	switch {
	case size == nil && len(rest) == 0 && t.Data != nil:
		return nil, nil
	case size == nil && len(rest) == 0:
		return nil, errors.New("there is neither data nor binary_data_size")
	case size == nil:
		return nil, errors.New("binary data follows, but binary_data_size is missing")
	case t.Data != nil:
		return nil, errors.New("there are both data and binary_data_size")
	case *size != int64(len(rest)):
		return nil, errors.New("binary_data_size is " + strconv.FormatInt(*size, 10) + ", but " + strconv.Itoa(len(rest)) + " bytes follow the JSON part")
	}
	return rest[:len(rest):len(rest)], nil
}

func bareImage(body []byte, side int, model string) (*ask, *fault) {
	in, err := decodeImage(body, side)
	if err != nil {
		return nil, badRequest("decode the image: %s", clip(err.Error()))
	}
	return &ask{images: [][]float32{in}, write: func(w http.ResponseWriter, scores [][]float32) error {
		return writeInfer(w, model, "", []output{{outProbs, false}, {outLabel, false}}, scores)
	}}, nil
}

// An output is one that the answer holds.
type output struct {
	name   string
	binary bool
}

func outputsOf(b *inferBody) ([]output, *fault) {
	if len(b.Outputs) == 0 {
		return []output{{outProbs, b.Parameters.BinaryOutput}, {outLabel, b.Parameters.BinaryOutput}}, nil
	}
	var list []output
	for i, o := range b.Outputs {
		if o.Name != outProbs && o.Name != outLabel {
			return nil, badRequest("outputs[%d]: there is no output %q; the model has %q and %q", i, clip(o.Name), outProbs, outLabel)
		}
		if slices.ContainsFunc(list, func(other output) bool { return other.name == o.Name }) {
			return nil, badRequest("outputs[%d]: %q is asked for twice", i, o.Name)
		}
		binary := b.Parameters.BinaryOutput
		if o.Parameters.Binary != nil {
			binary = *o.Parameters.Binary
		}
		list = append(list, output{o.Name, binary})
	}
	return list, nil
}

// A tensorOut is one output of an Open Inference answer.
type tensorOut struct {
	Name       string         `json:"name"`
	Shape      []int          `json:"shape"`
	Datatype   string         `json:"datatype"`
	Data       any            `json:"data,omitempty"`
	Parameters map[string]int `json:"parameters,omitempty"`
}

// An inferAnswer is the JSON part of an answer.
type inferAnswer struct {
	Model   string      `json:"model_name"`
	Version string      `json:"model_version"`
	ID      string      `json:"id,omitempty"`
	Outputs []tensorOut `json:"outputs"`
}

func writeInfer(w http.ResponseWriter, model, id string, outputs []output, scores [][]float32) error {
	answer := inferAnswer{Model: model, Version: version, ID: id}
	var binaries []byte
	for _, o := range outputs {
		t := tensorOut{Name: o.name, Shape: []int{len(scores)}, Datatype: bytesType}
		var flat []float32
		var labels []string
		if o.name == outProbs {
			t.Shape, t.Datatype = append(t.Shape, len(scores[0])), floatsType
			flat = slices.Concat(scores...)
			t.Data = flat
		} else {
			for _, p := range predictions(scores) {
				labels = append(labels, p.Class)
			}
			t.Data = labels
		}
		if o.binary {
			before := len(binaries)
			for _, v := range flat {
				binaries = binary.LittleEndian.AppendUint32(binaries, math.Float32bits(v))
			}
			for _, l := range labels {
				binaries = append(binary.LittleEndian.AppendUint32(binaries, uint32(len(l))), l...)
			}
			t.Data, t.Parameters = nil, map[string]int{"binary_data_size": len(binaries) - before}
		}
		answer.Outputs = append(answer.Outputs, t)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if binaries != nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(headerLength, strconv.Itoa(len(b)))
	}
	_, err = w.Write(append(b, binaries...))
	return err
}
