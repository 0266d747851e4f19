package vision

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// tensors makes an Open Inference body with one input.
func inferJSON(rest string) string {
	return `{"id":"r7","inputs":[{"name":"image",` + rest + `}]}`
}

// TestProtocolsAgree sends one picture in each way there is and wants one answer.
func TestProtocolsAgree(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1}).ready()
	img := picture(2, 2)
	encoded := pngOf(t, img)
	rows := `[[[0,0,128],[255,0,128]],[[0,255,128],[255,255,128]]]`
	flat := []byte{0, 0, 128, 255, 0, 128, 0, 255, 128, 255, 255, 128}
	planes := `[0,255,0,255, 0,0,255,255, 128,128,128,128]`
	var fp32 []byte
	for _, v := range flat {
		fp32 = binary.LittleEndian.AppendUint32(fp32, math.Float32bits(float32(v)))
	}
	element := append(binary.LittleEndian.AppendUint32(nil, uint32(len(encoded))), encoded...)
	withBinary := func(shape, datatype string, data []byte) (head, body string) {
		head = inferJSON(fmt.Sprintf(`"shape":%s,"datatype":%q,"parameters":{"binary_data_size":%d}`, shape, datatype, len(data)))
		return head, head + string(data)
	}
	type way struct {
		path, body string
		header     []string
	}
	ways := map[string]way{
		"v1 image b64":   {path: predictPath, body: `{"instances":[{"image":{"b64":"` + b64(encoded) + `"}}]}`},
		"v1 b64":         {path: predictPath, body: `{"instances":[{"b64":"` + b64(encoded) + `"}]}`},
		"v1 arrays":      {path: predictPath, body: `{"instances":[` + rows + `]}`},
		"v1 named array": {path: predictPath, body: `{"signature_name":"serving_default","instances":[{"image":` + rows + `}]}`},
		"tf columns":     {path: "/v1/models/sandbox-vision-nano/versions/1:predict", body: `{"inputs":{"image":[{"b64":"` + b64(encoded) + `"}]}}`},
		"v2 nested":      {path: inferPath, body: inferJSON(`"shape":[1,2,2,3],"datatype":"UINT8","data":[` + rows + `]`)},
		"v2 planes":      {path: inferPath, body: inferJSON(`"shape":[1,3,2,2],"datatype":"FP32","data":` + planes)},
		"v2 one image":   {path: inferPath, body: inferJSON(`"shape":[3,2,2],"datatype":"FP32","data":` + planes)},
		"v2 bytes":       {path: "/v2/models/sandbox-vision-nano/versions/1/infer", body: inferJSON(`"shape":[1],"datatype":"BYTES","data":["` + b64(encoded) + `"]`)},
		"v2 bare":        {path: inferPath, body: string(encoded), header: []string{"Content-Type", "image/png"}},
		"v2 raw":         {path: inferPath, body: string(encoded), header: []string{"Content-Type", "application/octet-stream", headerLength, "0"}},
	}
	for name, data := range map[string][]byte{"UINT8": flat, "FP32": fp32, "BYTES": element} {
		shape := "[1,2,2,3]"
		if name == "BYTES" {
			shape = "[1,1]"
		}
		head, body := withBinary(shape, name, data)
		ways["v2 binary "+name] = way{inferPath, body, []string{"Content-Type", "application/octet-stream", headerLength, strconv.Itoa(len(head))}}
	}
	var want []float32
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		w := ways[name]
		status, _, body := r.call("POST", w.path, []byte(w.body), w.header...)
		if status != 200 {
			t.Errorf("%s: got %d %s", name, status, body)
			continue
		}
		var v struct {
			Predictions, Outputs json.RawMessage
			ID                   string
			Name                 string `json:"model_name"`
			Version              string `json:"model_version"`
		}
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		var scores []float32
		var label string
		if strings.HasPrefix(w.path, "/v1") {
			var list []prediction
			answer := v.Predictions
			if name == "tf columns" {
				answer = v.Outputs
			}
			if err := json.Unmarshal(answer, &list); err != nil || len(list) != 1 {
				t.Fatalf("%s: %s", name, body)
			}
			scores, label = list[0].Scores, list[0].Class
		} else {
			var list []struct {
				Name, Datatype string
				Shape          []int
				Data           json.RawMessage
			}
			if err := json.Unmarshal(v.Outputs, &list); err != nil || len(list) != 2 || list[0].Datatype != "FP32" || !slices.Equal(list[0].Shape, []int{1, 10}) ||
				list[1].Name != "label" || !slices.Equal(list[1].Shape, []int{1}) || v.Name != "sandbox-vision-nano" || v.Version != "1" {
				t.Fatalf("%s: %s", name, body)
			}
			var labels []string
			json.Unmarshal(list[0].Data, &scores)
			json.Unmarshal(list[1].Data, &labels)
			label = labels[0]
			if bare := len(w.header) > 0 && w.body == string(encoded); !bare && v.ID != "r7" {
				t.Errorf("%s: got id %q", name, v.ID)
			}
		}
		if want == nil {
			want = scores
		}
		best := slices.Index(scores, slices.Max(scores))
		if len(scores) != 10 || !slices.Equal(scores, want) || label != fmt.Sprintf("class-%d", best) {
			t.Errorf("%s: got %s %v, want %v", name, label, scores, want)
		}
	}
}

func TestBinaryOutputs(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1}).ready()
	body := `{"inputs":[{"name":"image","shape":[2,1,1,1],"datatype":"UINT8","data":[5,250]}],"parameters":{"binary_data_output":true},
		"outputs":[{"name":"label"},{"name":"probabilities","parameters":{"binary_data":%v}}]}`
	status, header, got := r.call("POST", inferPath, fmt.Appendf(nil, body, true))
	n, err := strconv.Atoi(header.Get(headerLength))
	if status != 200 || err != nil || header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("got %d %v %s", status, header, got)
	}
	var answer inferAnswer
	if err := json.Unmarshal(got[:n], &answer); err != nil {
		t.Fatal(err)
	}
	if l, p := answer.Outputs[0].Parameters["binary_data_size"], answer.Outputs[1].Parameters["binary_data_size"]; l != 2*(4+7) || p != 2*10*4 || len(got) != n+l+p {
		t.Fatalf("sizes %d and %d of %d bytes", l, p, len(got)-n)
	}
	var sum float64
	for b := got[n+22:]; len(b) > 0; b = b[4:] {
		sum += float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	if label := string(got[n+4 : n+11]); !strings.HasPrefix(label, "class-") || math.Abs(sum-2) > 1e-5 {
		t.Errorf("label %q, probabilities add up to %g", label, sum)
	}
	if status, _, got := r.call("POST", inferPath, fmt.Appendf(nil, body, false)); status != 200 || !strings.Contains(string(got), `"data":[0.`) {
		t.Errorf("one output binary, one not: %d %s", status, got)
	}
}

func TestRefusals(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1, MaxBody: 20000}).ready()
	many := strings.TrimSuffix(strings.Repeat("[[1]],", maxImages+1), ",")
	head := inferJSON(`"shape":[1,2,2,1],"datatype":"UINT8","parameters":{"binary_data_size":4}`)
	for _, tt := range []struct {
		path, body string
		status     int
		want       string
		header     []string
	}{
		{predictPath, `{`, 400, "not the JSON", nil},
		{predictPath, `{}`, 400, "at least one image", nil},
		{predictPath, `{"instances":[]}`, 400, "at least one image", nil},
		{predictPath, `{"instances":[` + many + `]}`, 400, "at most 64 images", nil},
		{predictPath, `{"instances":[[[1]]],"inputs":[[[1]]]}`, 400, "both instances and inputs", nil},
		{predictPath, `{"instances":[[[1]]],"signature_name":"other"}`, 400, "serving_default", nil},
		{predictPath, `{"instances":["x"]}`, 400, "instances[0]: must be", nil},
		{predictPath, `{"instances":[[[1]],[[1],[2,3]]]}`, 400, "instances[1]: the arrays are ragged", nil},
		{predictPath, `{"instances":[[1,2]]}`, 400, "[height][width]", nil},
		{predictPath, `{"instances":[[[[1,2]]]]}`, 400, "[height][width]", nil},
		{predictPath, `{"instances":[[[300]]]}`, 400, "0 to 255", nil},
		{predictPath, `{"instances":[{"image":{"b64":"%%"}}]}`, 400, "not base64", nil},
		{predictPath, `{"instances":[{"image":{"b64":"aGVsbG8="}}]}`, 400, "not a PNG or JPEG", nil},
		{predictPath, `{"instances":[{"picture":{"b64":""}}]}`, 400, `unknown field \"picture\"`, nil},
		{predictPath, `{"instances":[{"image":{"b64":""},"key":1}]}`, 400, "an image alone", nil},
		{predictPath, `{"inputs":7}`, 400, "inputs must be a list", nil},
		{predictPath, strings.Repeat(" ", 20001), 413, "larger than 20000 bytes", nil},
		{"/v1/models/other:predict", `{}`, 404, `\"other\" does not exist`, nil},
		{"/v1/models/sandbox-vision-nano:explain", `{}`, 404, "ends in :predict", nil},
		{"/v1/models/sandbox-vision-nano/versions/2:predict", `{}`, 404, "has version 1 alone", nil},
		{"/v2/models/other/infer", `{}`, 404, `\"other\" does not exist`, nil},
		{"/v1/chat/completions", `{}`, 404, "not served here", nil},
		{inferPath, `[]`, 400, "not the JSON", nil},
		{inferPath, `{"inputs":[]}`, 400, `one input, \"image\"`, nil},
		{inferPath, `{"inputs":[{"name":"x"}]}`, 400, `one input, \"image\"`, nil},
		{inferPath, inferJSON(`"shape":[1],"datatype":"BYTES"`), 400, "neither data nor", nil},
		{inferPath, inferJSON(`"shape":[2],"datatype":"BYTES","data":["aGVsbG8="]`), 400, "shape of BYTES", nil},
		{inferPath, inferJSON(`"shape":[1],"datatype":"BYTES","data":["aGVsbG8="]`), 400, "not a PNG or JPEG", nil},
		{inferPath, inferJSON(`"shape":[1,1,1,1],"datatype":"INT64","data":[1]`), 400, `datatype \"INT64\"`, nil},
		{inferPath, inferJSON(`"shape":[1,2,2,1],"datatype":"UINT8","data":[1]`), 400, "the shape holds 4", nil},
		{inferPath, inferJSON(`"shape":[1,1,2,1],"datatype":"UINT8","data":[[[[1],[2]]]],"x":1`), 200, "", nil},
		{inferPath, inferJSON(`"shape":[1,2,1,1],"datatype":"UINT8","data":[[[[1],[2]]]]`), 400, "does not have the shape", nil},
		{inferPath, inferJSON(`"shape":[1,5,5,2],"datatype":"UINT8","data":[1]`), 400, "the shape must be", nil},
		{inferPath, inferJSON(`"shape":[1,1,1,0],"datatype":"UINT8","data":[1]`), 400, "not within 1 to 2048", nil},
		{inferPath, inferJSON(`"shape":[1,1,1,9223372036854775807],"datatype":"UINT8","data":[1]`), 400, "not within 1 to 2048", nil},
		{inferPath, `{"inputs":[{"name":"image","shape":[1,1,1,1],"datatype":"UINT8","data":[1]}],"outputs":[{"name":"boxes"}]}`, 400, `no output \"boxes\"`, nil},
		{inferPath, `{"inputs":[{"name":"image","shape":[1,1,1,1],"datatype":"UINT8","data":[1]}],"outputs":[{"name":"label"},{"name":"label"}]}`, 400, "asked for twice", nil},
		{inferPath, head + "abc", 400, "but 3 bytes follow", []string{headerLength, strconv.Itoa(len(head))}},
		{inferPath, head + "abcd", 200, "", []string{headerLength, strconv.Itoa(len(head))}},
		{inferPath, head, 400, "but 0 bytes follow", nil},
		{inferPath, `{}`, 400, `is \"77\"; the body has 2 bytes`, []string{headerLength, "77"}},
		{inferPath, `{}`, 400, `is \"-1\"`, []string{headerLength, "-1"}},
		{inferPath, "no image", 400, "not a PNG or JPEG", []string{"Content-Type", "image/png"}},
		{inferPath, "no image", 415, "text/plain", []string{"Content-Type", "text/plain"}},
		{inferPath, "no image", 400, "cannot be read", []string{"Content-Type", "/;"}},
	} {
		status, header, body := r.call("POST", tt.path, []byte(tt.body), tt.header...)
		if status != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s %.80s: got %d %s, want %d and %s", tt.path, tt.body, status, body, tt.status, tt.want)
		}
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %.80s: the answer is not JSON: %s", tt.path, tt.body, body)
		}
		if _, is := v["error"].(string); is != (tt.status != 200) {
			t.Errorf("%s %.80s: got %s", tt.path, tt.body, body)
		}
	}
	if status, _, _ := r.call(http.MethodGet, inferPath, nil); status != 404 {
		t.Errorf("GET of a call: got %d", status)
	}
}
