package vision

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func sprint(v any) string { return fmt.Sprint(v) }

// sound checks what holds for every answer of a decoder.
func sound(t *testing.T, a *ask, f *fault, side int) {
	t.Helper()
	if (a == nil) == (f == nil) {
		t.Fatal("want an ask or a fault")
	}
	if f != nil {
		if f.status < 400 || f.status > 499 || f.message == "" || !utf8.ValidString(f.message) || len(f.message) > 400 {
			t.Fatalf("fault %+v", f)
		}
		return
	}
	if len(a.images) < 1 || len(a.images) > maxImages {
		t.Fatalf("%d images", len(a.images))
	}
	for _, in := range a.images {
		if len(in) != 3*side*side {
			t.Fatalf("an input of %d values", len(in))
		}
		for _, v := range in {
			if !(v >= -1 && v <= 1) {
				t.Fatalf("the input has the value %g", v)
			}
		}
	}
}

func FuzzDecodeV1(f *testing.F) {
	img, _ := json.Marshal(map[string]any{"instances": []any{map[string]any{"image": map[string]any{"b64": pngOf(f, picture(3, 2))}}}})
	f.Add(img)
	for _, s := range []string{`{"instances":[[[1,2],[3,4]]]}`, `{"inputs":{"image":[[[[1,2,3]]]]}}`, `{"instances":[{"b64":""}],"signature_name":"x"}`,
		`{"instances":[{"image":{"image":[[1]]}}]}`, `[]`, `{"instances":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, fault := decodeV1(body, 8)
		sound(t, a, fault, 8)
	})
}

func FuzzDecodeV2(f *testing.F) {
	f.Add(pngOf(f, picture(3, 2)), "image/png", "")
	f.Add(jpegOf(f, picture(3, 2)), "", "0")
	for _, s := range []string{
		`{"inputs":[{"name":"image","shape":[1,2,2,1],"datatype":"UINT8","data":[1,2,3,4]}]}`,
		`{"inputs":[{"name":"image","shape":[1,1,1,3],"datatype":"FP32","data":[[[[1,2,3]]]]}],"outputs":[{"name":"label"}]}`,
		`{"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":["aGVsbG8="]}]}`,
	} {
		f.Add([]byte(s), "application/json", "")
	}
	head := `{"inputs":[{"name":"image","shape":[1,1,1,3],"datatype":"UINT8","parameters":{"binary_data_size":3}}]}`
	f.Add([]byte(head+"abc"), "application/octet-stream", strconv.Itoa(len(head)))
	head = strings.Replace(strings.Replace(head, "UINT8", "BYTES", 1), "[1,1,1,3]", "[1]", 1)
	f.Add([]byte(head+"\xff\xff\xff"), "application/octet-stream", strconv.Itoa(len(head)))
	f.Fuzz(func(t *testing.T, body []byte, kind, length string) {
		h := http.Header{}
		h.Set("Content-Type", kind)
		if length != "" {
			h.Set(headerLength, length)
		}
		a, fault := decodeV2(h, body, 8, "m")
		sound(t, a, fault, 8)
	})
}
