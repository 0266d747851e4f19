package series

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What DCGM writes where it has no value is no sample, recorded or fetched.
func TestBlanksOfDCGM(t *testing.T) {
	for _, tc := range []struct{ kind, text string }{
		{"metrics", fmt.Sprintf("DCGM_FI_DEV_MEMORY_TEMP{gpu=\"0\"} 9223372036854775794 %[1]d\nDCGM_FI_DEV_GPU_TEMP{gpu=\"0\"} 41 %[1]d\nother 2147483632 %[1]d\n", base*1000)},
		{"prometheus", fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"DCGM_FI_DEV_MEMORY_TEMP","gpu":"0"},"values":[[%[1]d,"9223372036854775794"]]},`+
			`{"metric":{"__name__":"DCGM_FI_DEV_GPU_TEMP","gpu":"0"},"values":[[%[1]d,"41"]]},{"metric":{"__name__":"other"},"values":[[%[1]d,"2147483632"]]}]}}`, base)},
	} {
		for i := range Kinds {
			if Kinds[i].Name != tc.kind {
				continue
			}
			samples, told, err := read(t, &Kinds[i], tc.text, nil)
			want := []string{`DCGM_FI_DEV_GPU_TEMP{gpu="0"} @0 41`, "other @0 2.147483632e+09"}
			if d := cmp.Diff(want, samples); d != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", tc.kind, err, d)
			}
			if d := cmp.Diff([]string{"2 of 3", "1 " + whyBlank}, told); d != "" {
				t.Errorf("%s (-want +got):\n%s", tc.kind, d)
			}
		}
	}
}
