package vision

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// An ask is a request that was understood.
type ask struct {
	images [][]float32
	write  func(w http.ResponseWriter, scores [][]float32) error // answers; an error means that the client is gone
}

// A prediction is one element of a KServe v1 answer.
type prediction struct {
	Class  string    `json:"class"`
	Score  float32   `json:"score"`
	Scores []float32 `json:"scores"` // of all classes, in order
}

func predictions(scores [][]float32) []prediction {
	list := make([]prediction, len(scores))
	for i, s := range scores {
		best := slices.Index(s, slices.Max(s))
		list[i] = prediction{className(best), s[best], s}
	}
	return list
}

// decodeV1 reads a KServe v1 or TensorFlow Serving request.
func decodeV1(body []byte, side int) (*ask, *fault) {
	var b struct {
		Instances []json.RawMessage `json:"instances"`
		Inputs    json.RawMessage   `json:"inputs"`
		Signature string            `json:"signature_name"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, badRequest("The body is not the JSON that is expected here: %s", clip(err.Error()))
	}
	list, key := b.Instances, "predictions"
	switch {
	case b.Signature != "" && b.Signature != "serving_default":
		return nil, badRequest("signature_name %q is not served; there is serving_default", clip(b.Signature))
	case b.Inputs != nil && list != nil:
		return nil, badRequest("the body has both instances and inputs")
	case b.Inputs != nil:
		var err error
		if list, err = column(b.Inputs); err != nil {
			return nil, badRequest(`inputs must be a list of images, or {"image": list}`)
		}
		key = "outputs"
	}
	if len(list) == 0 {
		return nil, badRequest(`"instances" must be a list with at least one image`)
	}
	if len(list) > maxImages {
		return nil, badRequest("%v", errTooMany)
	}
	a := &ask{}
	for i, raw := range list {
		in, f := instance(raw, side, true)
		if f != nil {
			f.message = fieldOf(key, i) + f.message
			return nil, f
		}
		a.images = append(a.images, in)
	}
	a.write = func(w http.ResponseWriter, scores [][]float32) error {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{key: predictions(scores)})
	}
	return a, nil
}

func fieldOf(key string, i int) string {
	name := "instances"
	if key == "outputs" {
		name = "inputs"
	}
	return name + "[" + strconv.Itoa(i) + "]: "
}

// column returns the elements of TensorFlow Serving's column form.
func column(raw json.RawMessage) (list []json.RawMessage, err error) {
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var named struct {
		Image []json.RawMessage `json:"image"`
	}
	err = json.Unmarshal(raw, &named)
	return named.Image, err
}

// instance decodes one image: {"b64": …}, nested arrays, or, if named, either under one name.
func instance(raw json.RawMessage, side int, named bool) ([]float32, *fault) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) > 0 && raw[0] == '[':
		values, shape, err := numbers(raw)
		if err == nil && len(shape) == 2 {
			shape = append(shape, 1)
		}
		if err == nil && (len(shape) != 3 || shape[2] != 1 && shape[2] != 3) {
			err = errNumbers
		}
		if err != nil {
			return nil, badRequest("%v, [height][width] or [height][width][1 or 3]", err)
		}
		images, err := imagesOf(values, shape, side)
		if err != nil {
			return nil, badRequest("%v", err)
		}
		return images[0], nil
	case len(raw) > 0 && raw[0] == '{':
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil || len(fields) != 1 {
			return nil, badRequest(`must be an image alone, such as {"image": {"b64": "…"}}`)
		}
		for name, value := range fields {
			if name == "b64" {
				return base64Image(value, side)
			}
			if named && (name == "image" || name == "image_bytes") {
				return instance(value, side, false)
			}
			return nil, badRequest("unknown field %q; write image or b64", clip(name))
		}
	}
	return nil, badRequest(`must be {"image": {"b64": "…"}}, {"b64": "…"} or nested arrays of numbers`)
}

func base64Image(raw json.RawMessage, side int) ([]float32, *fault) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, badRequest("b64 must be a string")
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badRequest("b64 is not base64: %v", err)
	}
	in, err := decodeImage(data, side)
	if err != nil {
		return nil, badRequest("decode the image: %s", clip(err.Error()))
	}
	return in, nil
}
