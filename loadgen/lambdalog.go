package loadgen

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"

	"github.com/assay-dev/assay"
)

// complete reads the event that ends a streamed invocation.
func (c *Lambda) complete(r *assay.Request, b []byte) error {
	var k struct {
		Code    string `json:"ErrorCode"`
		Details string `json:"ErrorDetails"`
		Log     string `json:"LogResult"`
	}
	if json.Unmarshal(b, &k) != nil {
		return &protocolError{"InvokeComplete is not JSON"}
	}
	c.cold(r, k.Log)
	if k.Code == "" {
		return io.EOF
	}
	text := k.Details
	if _, told := (&BodyRule{Errors: true}).failure([]byte(k.Details)); told != "" {
		text = told
	}
	return &exception{k.Code, text}
}

// cold reads the end of the function's log: its REPORT has an init duration, or with SnapStart a restore duration, when an
// instance was started for the request.
func (c *Lambda) cold(r *assay.Request, encoded string) {
	if !c.LogTail || encoded == "" {
		return
	}
	log, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return
	}
	i := bytes.LastIndex(log, []byte("REPORT RequestId:"))
	if i < 0 {
		return
	}
	r.Cold = assay.ColdNo
	for _, sign := range []string{"Init Duration:", "Restore Duration:"} {
		if bytes.Contains(log[i:], []byte(sign)) {
			r.Cold = assay.ColdYes
		}
	}
}
