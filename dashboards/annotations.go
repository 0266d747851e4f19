package dashboards

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/assay-dev/assay"
)

// An annotation is one region of Grafana's HTTP API, POST /api/annotations: times in milliseconds of Unix time.
type annotation struct {
	Time    int64    `json:"time"`
	TimeEnd int64    `json:"timeEnd"`
	Tags    []string `json:"tags"`
	Text    string   `json:"text"`
}

// Annotations writes one line of JSON for each region of each fault: "injected", from applied until reverted, and "recovering", from there until users
// were well. Each is the body of one POST to Grafana's /api/annotations. The live metrics know these only as they went by; these are the report's own.
func Annotations(w io.Writer, r *assay.Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	at := func(t int64) int64 { return (r.Epoch + t) / 1e6 }
	for i, f := range r.Faults {
		win := &f.Window
		if win.Applied == 0 {
			continue
		}
		gone, well := regions(r, f)
		about := func(state string, from, to int64) annotation {
			return annotation{Time: at(from), TimeEnd: at(to), Tags: []string{"assay", state, win.Kind, win.ID, string(verdictOf(f))},
				Text: fmt.Sprintf("%s: fault %d, %s of %s, %s", r.Name, i+1, kindName(f), orElse(win.Target, "what is not named"), state)}
		}
		lines := []annotation{about("injected", win.Applied, gone)}
		if well > gone {
			lines = append(lines, about("recovering", gone, well))
		}
		for _, a := range lines {
			if err := enc.Encode(a); err != nil {
				return fmt.Errorf("write annotations: %w", err)
			}
		}
	}
	return nil
}
