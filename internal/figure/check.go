package figure

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// Check says what q lacks to stand as a figure; "" for one that lacks nothing.
func Check(q assay.Quantity) string {
	if !q.Known() {
		if !strings.HasPrefix(q.Reason, "not estimable, because ") && !strings.HasPrefix(q.Reason, "not measured, because ") {
			return fmt.Sprintf("the reason %q is neither of what is not estimable nor of what is not measured", q.Reason)
		}
		return ""
	}
	var lacks []string
	say := func(lacking bool, what string) {
		if lacking {
			lacks = append(lacks, what)
		}
	}
	follows := q.Basis == assay.Assumed && q.Of == "" && q.N == 0 // from settings alone: nothing was counted
	say(q.N <= 0 && !follows && !none(q), "n")
	say(q.N < 0, "an n of 0 or more")
	say(q.Of == "" && !follows, "what n counts")
	say(!q.Bounded(), "an interval")
	say(!(q.Confidence > 0 && q.Confidence <= 1), "a confidence")
	trivial := q.Unit == assay.Ratio && q.Lo == 0 && q.Hi == 1 // which holds of any share
	say(q.Confidence == 1 && q.Basis == assay.Estimated && !trivial, "a confidence below 1, since it is an estimate")
	say(q.Lo > q.Hi || q.Value < q.Lo || q.Value > q.Hi, fmt.Sprintf("a value inside its interval: %g [%g, %g]", q.Value, q.Lo, q.Hi))
	say(q.Method == "", "a method")
	say(!slices.Contains([]assay.Basis{assay.Measured, assay.Estimated, assay.Simulated, assay.Assumed}, q.Basis), "a basis")
	if lacks == nil {
		return ""
	}
	return "lacks " + strings.Join(lacks, ", ")
}

// none reports whether q tells of things that were counted and none came: it is their count or the bound that their absence gives.
func none(q assay.Quantity) bool {
	return q.N == 0 && q.Unit == assay.Count && q.Value == 0 && q.Basis == assay.Measured || q.N == 0 && slices.Contains(Events, q.Of) && (math.IsNaN(q.Value) || q.Value == 0)
}

// JSON checks every figure of JSON, and returns the complaints with the ways to them. An object is a figure if it has value, lo, hi and confidence; one that says in
// interval why it has none has a reason.
func JSON(raw []byte) ([]string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	var out []string
	var visit func(path string, v any) error
	visit = func(path string, v any) error {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				if err := visit(fmt.Sprintf("%s[%d]", path, i), e); err != nil {
					return err
				}
			}
		case map[string]any:
			if _, ok := v["confidence"]; ok && has(v, "value") && has(v, "lo") && has(v, "hi") {
				raw, err := json.Marshal(v)
				if err != nil {
					return err
				}
				var q assay.Quantity
				if err := json.Unmarshal(raw, &q); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				why, _ := v["interval"].(string) // of a calculator that has a value and no interval
				if s := Check(q); s != "" && !strings.HasPrefix(why, "not estimable: ") {
					out = append(out, fmt.Sprintf("%s (%v %v): %s: %s", path, v["metric"], v["name"], s, raw))
				}
			}
			for _, k := range sorted(v) {
				if err := visit(path+"."+k, v[k]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := visit("", v); err != nil {
		return nil, err
	}
	return out, nil
}

func has(m map[string]any, key string) bool { _, ok := m[key]; return ok }

func sorted(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
