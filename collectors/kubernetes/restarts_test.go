package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
)

// crashing is a pod, as kubectl prints it, with the status of its container.
func crashing(created, status string) string {
	if created != "" {
		created = `"creationTimestamp":"` + created + `",`
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{%s"name":"llama-7d9f6c9b5-aaaaa","namespace":"ml","uid":"u1"},"spec":{"nodeName":"gpu-1","containers":[{"name":"vllm"}]},
"status":{"phase":"Running","containerStatuses":[{"name":"vllm",%s}]}}`, created, status)
}

func run(started, finished, reason string, code int) string {
	return fmt.Sprintf(`{"terminated":{"exitCode":%d,"reason":%q,"startedAt":"2026-11-20T%sZ","finishedAt":"2026-11-20T%sZ"}}`, code, reason, started, finished)
}

// Of the restarts that a pod counts it tells one exit. The others lie between what is known before them and after.
func TestRestartsWithoutInstant(t *testing.T) {
	const created = "2026-11-20T09:00:00Z"
	waits := func(restarts int, last string) string {
		return fmt.Sprintf(`"restartCount":%d,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 5m0s restarting failed container"}},"lastState":%s`, restarts, last)
	}
	runs := func(restarts int, since, last string) string {
		return fmt.Sprintf(`"restartCount":%d,"ready":true,"state":{"running":{"startedAt":"2026-11-20T%sZ"}},"lastState":%s`, restarts, since, last)
	}
	for _, c := range []struct {
		name  string
		dumps []string
		want  []string
		note  string
	}{
		{"in a crash loop", []string{crashing(created, waits(7, run("10:20:00", "10:20:30", "OOMKilled", 137)))},
			[]string{"10:20:00~1h20m0s instance.restarted llama-7d9f6c9b5-aaaaa count=7 | a pod tells of its last exit alone"}, "7 restarts have no instant"},
		{"up again", []string{crashing(created, runs(3, "10:20:40", run("10:20:00", "10:20:30", "Error", 1)))},
			[]string{"10:20:00~1h20m0s instance.restarted llama-7d9f6c9b5-aaaaa count=2 | a pod tells of its last exit alone"}, "2 restarts have no instant"},
		{"its only one", []string{crashing(created, runs(1, "10:20:40", run("09:00:10", "10:20:30", "Error", 1)))}, nil, ""},
		{"its first, and down", []string{crashing(created, waits(0, run("09:00:10", "10:20:30", "Error", 1)))}, nil, ""},
		{"never", []string{crashing(created, runs(0, "09:00:10", "{}"))}, nil, ""},
		{"between two dumps", []string{
			crashing(created, runs(1, "09:40:00", run("09:00:10", "09:39:58", "Error", 1))),
			crashing(created, runs(5, "10:20:40", run("10:20:00", "10:20:30", "Error", 1)))},
			[]string{"10:20:00~40m0s instance.restarted llama-7d9f6c9b5-aaaaa count=3 | a pod tells of its last exit alone"}, "3 restarts have no instant"},
		{"nothing tells since when", []string{crashing("", waits(4, run("10:20:00", "10:20:30", "Error", 1)))},
			[]string{"10:20:00 instance.restarted llama-7d9f6c9b5-aaaaa count=4 open=true | a pod tells of its last exit alone"}, "4 restarts have no instant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var paths []string
			for _, d := range c.dumps {
				paths = append(paths, write(t, d))
			}
			all, sums, err := lines(t, input.Settings{}, nil, paths...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range all {
				if strings.Contains(l, "instance.restarted") {
					got = append(got, l)
				}
			}
			notes := strings.Join(sums[len(sums)-1].Notes, "\n")
			if d := cmp.Diff(c.want, got); d != "" || c.note == "" != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q (-want +got):\n%s", notes, c.note, d)
			}
		})
	}
}

func TestNegativeCountOfRestarts(t *testing.T) {
	_, _, err := lines(t, input.Settings{}, nil, write(t, crashing("2026-11-20T09:00:00Z", `"restartCount":-4,"state":{"running":{"startedAt":"2026-11-20T10:20:40Z"}},"lastState":{}`)))
	if err == nil || !strings.Contains(err.Error(), "1 a pod with a negative count of restarts") {
		t.Errorf("%v, want the pod rejected", err)
	}
}
