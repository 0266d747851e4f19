package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
)

// wanted are the lines that a log group is asked for: those of the platform, and what runtimes say of errors.
const wanted = `?"RequestId: " ?INIT_ ?RESTORE_ ?"Task timed out" ?errorType ?"platform." ?"[ERROR]" ?"XRAY TraceId"`

// fetchLogs gets the window of a log group from CloudWatch Logs: the URL is that of the service with the group's name for a path, as in
// https://logs.eu-central-1.amazonaws.com/aws/lambda/NAME. Requests are signed with the keys that AWS's own chain gives.
func fetchLogs(ctx context.Context, f *input.Fetching, to io.Writer) error {
	at, err := ask.Queried(f.URL)
	if err != nil {
		return err
	}
	if len(at.Path) < 2 {
		return fmt.Errorf("%s names no log group: want its name for a path, such as /aws/lambda/NAME", ask.Shown(f.URL))
	}
	c, err := newCaller(ctx, at, f.Options["region"], "logs", "1.1", "Logs_20140328")
	if err != nil {
		return err
	}
	query := map[string]any{"logGroupName": at.Path, "startTime": f.From / 1e6, "endTime": f.To / 1e6, "filterPattern": wanted}
	out := json.NewEncoder(to)
	for range maxPages {
		var page struct {
			Events []json.RawMessage `json:"events"`
			Next   string            `json:"nextToken"`
		}
		if err := c.call(ctx, "FilterLogEvents", query, &page); err != nil {
			return err
		}
		if len(page.Events) > 0 {
			if err := out.Encode(map[string]any{"events": page.Events}); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query["nextToken"] = page.Next
	}
	return fmt.Errorf("more than %d pages of log events: want a shorter window", maxPages)
}
