package vision

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxImages = 64 // of one request
	maxDepth  = 5  // of nested arrays
)

var (
	errRagged   = errors.New("the arrays are ragged: all at one depth must have the same length")
	errNumbers  = errors.New("must be nested arrays of numbers")
	errRange    = errors.New("a value is not within 0 to 255: numbers are pixel values")
	errTooMany  = errors.New("at most 64 images are served in one request")
	errTooLarge = errors.New("the array is larger than the largest image")
)

// numbers reads nested arrays of numbers, flat and with their shape. raw is one valid JSON value.
func numbers(raw []byte) (values []float32, shape []int, err error) {
	var size, count [maxDepth]int
	for i := range size {
		size[i] = -1
	}
	depth, leaf := 0, 0
	for i := 0; i < len(raw); {
		switch ch := raw[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == ',':
			i++
		case ch == '[':
			if depth == maxDepth {
				return nil, nil, errNumbers
			}
			if depth > 0 {
				count[depth-1]++
			}
			count[depth] = 0
			depth++
			i++
		case ch == ']':
			if depth == 0 {
				return nil, nil, errNumbers
			}
			depth--
			if size[depth] < 0 {
				size[depth] = count[depth]
			} else if size[depth] != count[depth] {
				return nil, nil, errRagged
			}
			i++
		default:
			end := i
			for end < len(raw) && strings.IndexByte("+-.0123456789eE", raw[end]) >= 0 {
				end++
			}
			v, err := strconv.ParseFloat(string(raw[i:end]), 32)
			if end == i || err != nil || depth == 0 {
				return nil, nil, errNumbers
			}
			if leaf == 0 {
				leaf = depth
			} else if leaf != depth {
				return nil, nil, errRagged
			}
			if !(v >= 0 && v <= 255) {
				return nil, nil, errRange
			}
			count[depth-1]++
			values = append(values, float32(v))
			i = end
		}
	}
	if depth != 0 || leaf == 0 {
		return nil, nil, errNumbers
	}
	shape = slices.Clone(size[:leaf])
	if product(shape) != len(values) {
		return nil, nil, errRagged
	}
	return values, shape, nil
}

// product returns the number of elements of a shape that has been checked, or of one that came from the elements themselves.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// imagesOf resizes the images of a tensor: [h, w, c], [c, h, w] or either with the number of images before it.
// The channels are 1 or 3; where both ends of the shape could be they, they are the last.
func imagesOf[T uint8 | float32](values []T, shape []int, side int) ([][]float32, error) {
	batch, s := 1, shape
	if len(s) == 4 {
		batch, s = s[0], s[1:]
	}
	channels := func(d int) bool { return d == 1 || d == 3 }
	var l layout
	switch {
	case len(s) == 3 && channels(s[2]):
		l = layout{h: s[0], w: s[1], channels: s[2], row: s[1] * s[2], column: s[2], channel: 1}
	case len(s) == 3 && channels(s[0]):
		l = layout{h: s[1], w: s[2], channels: s[0], row: s[2], column: 1, channel: s[1] * s[2]}
	default:
		return nil, errors.New("the shape must be [n, height, width, channels] or [n, channels, height, width], with or without n, and 1 or 3 channels")
	}
	if err := checkSides(l.h, l.w); err != nil {
		return nil, err
	}
	if batch < 1 || batch > maxImages {
		return nil, errTooMany
	}
	one := l.h * l.w * l.channels
	if len(values) != batch*one {
		return nil, errors.New("the number of values is " + strconv.Itoa(len(values)) + ", but the shape holds " + strconv.Itoa(batch*one))
	}
	images := make([][]float32, batch)
	for i := range images {
		images[i] = make([]float32, 3*side*side)
		resize(images[i], side, values[i*one:(i+1)*one], l)
	}
	return images, nil
}

// A tensorIn is one input of an Open Inference request.
type tensorIn struct {
	Name       string          `json:"name"`
	Shape      []int           `json:"shape"`
	Datatype   string          `json:"datatype"`
	Data       json.RawMessage `json:"data"`
	Parameters struct {
		BinaryDataSize *int64 `json:"binary_data_size"`
	} `json:"parameters"`
}

// images decodes the input; binary is its binary data, nil when the data is in the JSON.
func (t *tensorIn) images(binary []byte, side int) ([][]float32, error) {
	if len(t.Shape) > 4 {
		return nil, errors.New("the shape has more than 4 dimensions")
	}
	for _, d := range t.Shape {
		if d < 1 || d > maxSide {
			return nil, errors.New("a dimension of the shape is not within 1 to 2048")
		}
	}
	if t.Datatype == "BYTES" {
		encoded, err := t.encoded(binary)
		if err != nil {
			return nil, err
		}
		return decodeAll(encoded, side)
	}
	if len(t.Shape) > 0 && product(t.Shape) > maxImages*3*maxSide*maxSide {
		return nil, errTooLarge
	}
	switch {
	case t.Datatype != "UINT8" && t.Datatype != "FP32":
		return nil, errors.New("datatype " + strconv.Quote(clip(t.Datatype)) + " is not one of BYTES, UINT8 and FP32")
	case binary == nil:
		values, shape, err := numbers(t.Data)
		if err != nil {
			return nil, err
		}
		if len(shape) > 1 && !slices.Equal(shape, t.Shape) {
			return nil, errors.New("the nested data does not have the shape that is given")
		}
		return imagesOf(values, t.Shape, side)
	case t.Datatype == "UINT8":
		return imagesOf(binary, t.Shape, side)
	}
	values, err := floats(binary)
	if err != nil {
		return nil, err
	}
	return imagesOf(values, t.Shape, side)
}

func floats(b []byte) ([]float32, error) {
	if len(b)%4 != 0 {
		return nil, errors.New("the binary data is no whole number of FP32 values")
	}
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if !(values[i] >= 0 && values[i] <= 255) {
			return nil, errRange
		}
	}
	return values, nil
}

// encoded returns the elements of a BYTES tensor.
func (t *tensorIn) encoded(data []byte) ([][]byte, error) {
	var list [][]byte
	if data == nil {
		var texts []string
		if err := json.Unmarshal(t.Data, &texts); err != nil {
			return nil, errors.New("the data of BYTES must be a list of base64 strings")
		}
		for _, text := range texts {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, errors.New("an element is not base64")
			}
			list = append(list, b)
		}
	}
	for len(data) > 0 {
		if len(data) < 4 {
			return nil, errors.New("the binary data ends within the length of an element")
		}
		n := uint64(binary.LittleEndian.Uint32(data))
		if data = data[4:]; n > uint64(len(data)) {
			return nil, errors.New("the binary data ends within an element")
		}
		list, data = append(list, data[:n]), data[n:]
	}
	if product(t.Shape) != len(list) || len(t.Shape) == 0 || len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1 {
		return nil, errors.New("the shape of BYTES must be [n], with an encoded image in each element")
	}
	return list, nil
}

func decodeAll(encoded [][]byte, side int) ([][]float32, error) {
	if len(encoded) > maxImages {
		return nil, errTooMany
	}
	images := make([][]float32, len(encoded))
	for i, b := range encoded {
		var err error
		if images[i], err = decodeImage(b, side); err != nil {
			return nil, err
		}
	}
	return images, nil
}
