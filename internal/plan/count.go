package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Count is how many instances: a number, or a share of those that are ready, written as 50%.
type Count struct {
	N     int     // 0 with a share
	Share float64 // more than 0 and at most 1; 0 with a number
}

// UnmarshalText reads a whole number or a percentage.
func (n *Count) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	bad := fmt.Errorf("%q is no number of instances; write for example 2 or 50%%", b)
	if num, percent := strings.CutSuffix(text, "%"); percent {
		v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || !(v > 0 && v <= 100) {
			return bad
		}
		*n = Count{Share: v / 100}
		return nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v == 0 {
		return bad
	}
	*n = Count{N: v}
	return nil
}

// String returns the count as plans write it.
func (n Count) String() string {
	if n.Share > 0 {
		return strconv.FormatFloat(n.Share*100, 'g', -1, 64) + "%"
	}
	return strconv.Itoa(n.N)
}

// MarshalJSON returns a number, or the share as a text.
func (n Count) MarshalJSON() ([]byte, error) {
	if n.Share > 0 {
		return json.Marshal(n.String())
	}
	return json.Marshal(n.N)
}

// JSONSchema describes a count.
func (Count) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "1"}, text(`^[0-9.]+ ?%$`, "50%")}}
}
