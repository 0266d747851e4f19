package chaos

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	lookOnly(t)
	s := time.Second
	for _, tc := range []struct {
		step Step
		want string
	}{
		{Step{Fault: "kill", Instances: 1}, ""},
		{Step{Fault: "kill", Instances: 2, For: 5 * s, At: 20 * s, Phase: "steady"}, ""},
		{Step{Fault: "hang", Share: 0.5, For: s}, ""},
		{Step{Fault: "delay", Instances: 1, For: s, Delay: s / 10, Jitter: s / 20}, ""},
		{Step{Fault: "cut", Instances: 1, For: s, Mode: "blackhole"}, ""},
		{Step{}, "chaos[0].fault: is missing; one of " + strings.Join(kindNames(), ", ")},
		{Step{Fault: "kil"}, `chaos[0].fault: "kil" is no kind of fault; did you mean "kill"?`},
		{Step{Fault: "meteorite"}, `chaos[0].fault: "meteorite" is no kind of fault; known here: ` + sorted(kindNames())},
		{Step{Fault: "kill"}, "chaos[0].instances: 0 is out of range; 1 to 1000"},
		{Step{Fault: "kill", Instances: -1}, "chaos[0].instances: -1 is out of range; 1 to 1000"},
		{Step{Fault: "kill", Instances: 1, Share: 0.5}, "chaos[0].instances: is a number or a share, not both"},
		{Step{Fault: "kill", Share: 1.5}, "chaos[0].instances: a share of 1.5 is out of range; more than 0% and at most 100%"},
		{Step{Fault: "kill", Instances: 1, At: -s}, "chaos[0].at: -1s lies before the beginning; 0s or later"},
		{Step{Fault: "hang", Instances: 1}, "chaos[0].for: is missing: hang holds until it is undone; for example 5s"},
		{Step{Fault: "hang", Instances: 1, For: 2 * time.Hour}, "chaos[0].for: 2h0m0s is out of range; at most 1h0m0s"},
		{Step{Fault: "hang", Instances: 1, For: s, Delay: s}, "chaos[0].delay: belongs to delay, slow-close, slow-start, slow-reads, http, stream, dns, not hang"},
		{Step{Fault: "hang", Instances: 1, For: s, Mode: "reset"}, "chaos[0].mode: belongs to cut, memory-limit, slow-reads, http, stream, dns, not hang"},
		{Step{Fault: "delay", Instances: 1, For: s}, "chaos[0].delay: 0s delays nothing; for example 200ms"},
		{Step{Fault: "delay", Instances: 1, For: s, Delay: s / 10, Jitter: s / 5}, "chaos[0].jitter: 200ms is out of range; at most the delay, 100ms"},
		{Step{Fault: "delay", Instances: 1, For: s, Delay: s}, "chaos[0].for: 1s is no longer than one delayed round trip, so the effect cannot be measured; more than 2s"},
		{Step{Fault: "cut", Instances: 1, For: s, Mode: "chop"}, `chaos[0].mode: "chop" is no way to cut; one of reset, close, blackhole, refuse`},
		{Step{Fault: "http", Instances: 1, For: s, Status: 503, First: 3}, ""},
		{Step{Fault: "http", Instances: 1, For: s}, "chaos[0].status: 0 is out of range; want 400 to 599"},
		{Step{Fault: "http", Instances: 1, For: s, Mode: "fin"}, `chaos[0].mode: "fin" is no mode of http; one of status, latency, hang, tls-expired`},
		{Step{Fault: "http", Instances: 1, For: s, Status: 429, RetryAfter: s / 2}, "chaos[0].retryAfter: 500ms; want whole seconds"},
		{Step{Fault: "http", Instances: 1, For: s, Status: 429, Tokens: 3}, "chaos[0].tokens: belongs to stream, not http\nchaos[0].tokens: belongs to modes fin, rst, stall and corrupt, not \"status\""},
		{Step{Fault: "http", Instances: 1, For: s, Mode: "latency", Delay: s}, "chaos[0].for: 1s is too short for a delay of 1s to be measured; more than 2s"},
		{Step{Fault: "stream", Instances: 1, For: s, Tokens: 5, Probability: 0.2, Seed: 1}, ""},
		{Step{Fault: "stream", Instances: 1, For: s, Probability: 1.5}, "chaos[0].probability: 150% is out of range; want 0% to 100%"},
		{Step{Fault: "stream", Instances: 1, For: s, Mode: "slow"}, "chaos[0].delay: 0s delays nothing; want more than 0"},
		{Step{Fault: "bandwidth", Instances: 1, For: s, Rate: 1 << 10}, ""},
		{Step{Fault: "bandwidth", Instances: 1, For: s}, "chaos[0].rate: 0 bytes/s is out of range; 1024 to 262144, so that the effect can be measured"},
		{Step{Fault: "slow-close", Instances: 1, For: s, Delay: s / 10}, ""},
		{Step{Fault: "slow-close", Instances: 1, For: s}, "chaos[0].delay: 0s delays nothing; for example 2s"},
		{Step{Fault: "slow-close", Instances: 1, For: s, Delay: s}, "chaos[0].for: 1s is too short for a delay of 1s to be measured; more than 2s"},
		{Step{Fault: "files", Instances: 1, For: s, Rate: 9}, "chaos[0].rate: belongs to bandwidth, slow-reads, not files"},
		{Step{Fault: "memory-limit", Instances: 1, For: s, Bytes: 1 << 20}, ""},
		{Step{Fault: "memory-limit", Instances: 1, For: s, Bytes: -1}, "chaos[0].bytes: -1 is negative; 0 or more"},
		{Step{Fault: "memory-limit", Instances: 1, For: s, Mode: "swap"}, `chaos[0].mode: "swap" is no way to limit memory; one of address-space, oom`},
		{Step{Fault: "crashloop", Instances: 1}, "chaos[0].for: is missing: crashloop holds until it is undone; for example 5s"},
		{Step{Fault: "cpu", Instances: 1, For: s, CPUs: 2}, ""},
		{Step{Fault: "cpu", Instances: 2, For: s, CPUs: 2}, "chaos[0].instances: cpu hurts the machine, not so many instances; leave it out"},
		{Step{Fault: "cpu", Instances: 1, For: s, Quota: 0.5, CPUs: 1}, "chaos[0].quota: belongs to cpu-quota, not cpu"},
		{Step{Fault: "slow-start", Instances: 1, For: s, Delay: s / 2}, ""},
		{Step{Fault: "slow-start", Instances: 1, For: s}, "chaos[0].delay: 0s is out of range; 1ms to 10m, for example 5s"},
		{Step{Fault: "slow-start", Instances: 1, For: s, Delay: s}, "chaos[0].for: 1s is over before a start is 1s late; more than that"},
		{Step{Fault: "slow-start", Instances: 3, For: s, Delay: s / 2}, "chaos[0].instances: slow-start hurts the target, not so many instances; leave it out"},
		{Step{Fault: "loss", Instances: 1, For: s, Probability: 0.1}, ""},
		{Step{Fault: "loss", Instances: 1, For: s}, "chaos[0].probability: 0% is out of range; 0.1% to 100%"},
		{Step{Fault: "loss", Instances: 1, For: s, Probability: 1.5}, "chaos[0].probability: 150% is out of range; 0.1% to 100%"},
		{Step{Fault: "slow-reads", Instances: 1, For: s, Delay: s / 20}, ""},
		{Step{Fault: "slow-reads", Instances: 1, For: s, Rate: 1 << 20}, ""},
		{Step{Fault: "slow-reads", Instances: 1, For: s}, "chaos[0].delay: is missing: what each read takes longer, for example 50ms; or rate, for example 10MiB"},
		{Step{Fault: "slow-reads", Instances: 1, For: s, Mode: "never"}, `chaos[0].mode: "never" is no way to read; one of slow, fail, short`},
		{Step{Fault: "slow-reads", Instances: 1, For: s, Mode: "fail", Delay: s, Rate: 1, Bytes: 1}, "chaos[0].delay: 1s; 1ms to 10s, with mode slow\nchaos[0].rate: 1 bytes/s; 32768 or more, with mode slow\nchaos[0].bytes: 1; 0 or more, with mode short"},
		{Step{Fault: "slow-reads", Instances: 1, For: s, Delay: s / 20, Dir: "/etc"}, "chaos[0].dir: /etc is a directory of the system"},
		{Step{Fault: "cpu", Instances: 1, For: s}, "chaos[0].cpus: 0 is out of range; 1 to " + fmt.Sprintf("%d, four for each CPU of this machine", 4*runtime.NumCPU())},
		{Step{Fault: "memory", Instances: 1, For: s, Bytes: 9}, "chaos[0].bytes: 9 is out of range; 1MiB or more"},
		{Step{Fault: "disk", Instances: 1, For: s, Dir: "/"}, ""},
		{Step{Fault: "disk", Instances: 1, For: s, Dir: "/", Bytes: -1, Keep: -1}, "chaos[0].bytes: -1 is negative; 0 fills the disk up to its reserve\nchaos[0].keep: -1 is negative"},
		{Step{Fault: "disk", Instances: 1, For: s, Dir: "tmp"}, `chaos[0].dir: "tmp" is no absolute path of a directory`},
		{Step{Fault: "disk", Instances: 1, For: s, Dir: "/none/such"}, "chaos[0].dir: stat /none/such: no such file or directory"},
		{Step{Fault: "dns", Instances: 1, For: s}, ""},
		{Step{Fault: "dns", Instances: 1, For: s, Mode: "wrong", Names: []string{"a.example", "*.b"}, Answer: "192.0.2.1"}, ""},
		{Step{Fault: "dns", Instances: 1, For: s, Mode: "reset"}, `chaos[0].mode: "reset" is no mode of dns; one of nxdomain, servfail, drop, delay, wrong`},
		{Step{Fault: "dns", Instances: 1, For: s, Mode: "delay", Delay: s}, "chaos[0].for: 1s is too short for a delay of 1s to be measured; more than 2s"},
		{Step{Fault: "dns", Instances: 1, For: s, Mode: "wrong", Answer: "x"}, `chaos[0].answer: "x" is no IP address; for example 127.255.255.254`},
		{Step{Fault: "dns", Instances: 1, For: s, Names: []string{"*"}}, `chaos[0].names: "*" is no name; for example weights.example or *.example`},
		{Step{Fault: "dns", Instances: 3, For: s}, "chaos[0].instances: dns hurts the target, not so many instances; leave it out"},
		{Step{Fault: "cut", Instances: 1, For: s, Names: []string{"x"}}, "chaos[0].names: belongs to dns, not cut"},
		{Step{Fault: "gpu-memory", Instances: 1, For: s, Bytes: 1 << 20, GPU: 64}, "chaos[0].gpu: 64 is out of range; 0 to 63"},
		{Step{Fault: "gpu-memory", Instances: 2, For: s, Bytes: 9}, "chaos[0].instances: gpu-memory hurts the machine, not so many instances; leave it out\nchaos[0].bytes: 9 is out of range; 1MiB or more"},
		{Step{Fault: "gpu-clocks", Instances: 1, For: s, MHz: 600}, ""},
		{Step{Fault: "gpu-clocks", Instances: 1, For: s, MHz: 600, Watts: 150}, "chaos[0].mhz: needs exactly one of mhz, which locks the clock of the cores, and watts, which limits the power"},
		{Step{Fault: "gpu-clocks", Instances: 1, For: s, Watts: 10001}, "chaos[0].watts: 10001 is out of range; 1 to 10000"},
		{Step{Fault: "gpu-clocks", Instances: 1, For: s, MHz: -1}, "chaos[0].mhz: -1 is out of range; 1 to 10000"},
		{Step{Fault: "cut"}, "chaos[0].for: is missing: cut holds until it is undone; for example 5s\nchaos[0].instances: 0 is out of range; 1 to 1000"},
	} {
		if k, ok := find(tc.step.Fault); ok && tc.step.by() == ByLocal && k.Available() != nil {
			continue // this machine refuses it whatever its settings
		}
		got := ""
		if err := Check("chaos", []Step{tc.step}); err != nil {
			got = err.Error()
			var w *Wrong
			if !errors.As(err, &w) || !strings.HasPrefix(w.Path, "chaos[0].") {
				t.Errorf("%+v: no path in %v", tc.step, err)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.step, diff)
		}
	}
}

func sorted(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), ", ") }

func TestKindsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if seen[k.Name] {
			t.Errorf("%s stands in the table twice", k.Name)
		}
		seen[k.Name] = true
		if k.Name == "" || !strings.HasSuffix(k.Help, ".") || k.Available == nil || len(k.By()) == 0 {
			t.Errorf("%+v", k)
		}
	}
	for _, driver := range driverTables() {
		for name, d := range driver.kinds {
			if _, ok := find(name); !ok || d.check == nil || d.preview == nil {
				t.Errorf("%s by %s: %+v", name, driver.name, d)
			}
		}
	}
}

func TestPreview(t *testing.T) {
	steps := []Step{
		{Fault: "kill", At: 20 * time.Second, Instances: 1},
		{Fault: "hang", At: time.Second, Phase: "steady", Share: 0.5, For: 5 * time.Second},
		{Fault: "delay", Instances: 2, For: time.Second, Delay: 200 * time.Millisecond, Jitter: 50 * time.Millisecond},
		{Fault: "cut", Instances: 1, For: time.Second},
		{Fault: "terminate", Instances: 1},
		{Fault: "crashloop", Instances: 1, For: 5 * time.Second},
		{Fault: "bandwidth", Instances: 1, For: time.Second, Rate: 4096},
		{Fault: "slow-close", Instances: 1, For: time.Second, Delay: 100 * time.Millisecond},
		{Fault: "files", Instances: 1, For: time.Second},
		{Fault: "memory-limit", Instances: 1, For: time.Second, Bytes: 1 << 20},
		{Fault: "memory-limit", Instances: 1, For: time.Second, Bytes: 1 << 20, Mode: "oom"},
		{Fault: "cpu-quota", Instances: 1, For: time.Second, Quota: 0.2},
		{Fault: "cpu", Instances: 1, For: time.Second, CPUs: 2},
		{Fault: "memory", Instances: 1, For: time.Second, Bytes: 1 << 20},
		{Fault: "disk", Instances: 1, For: time.Second, Dir: "/data", Bytes: 1 << 20},
		{Fault: "slow-start", Instances: 1, For: 9 * time.Second, Delay: time.Second},
		{Fault: "loss", Instances: 1, For: time.Second, Probability: 0.125},
		{Fault: "slow-reads", Instances: 1, For: time.Second, Delay: time.Millisecond, Rate: 1 << 20},
		{Fault: "slow-reads", Instances: 1, For: time.Second, Mode: "short", Bytes: 9, Dir: "/models"},
		{Fault: "http", Instances: 1, For: time.Second, Status: 429, RetryAfter: 2 * time.Second, After: 5, First: 3},
		{Fault: "stream", Instances: 1, For: time.Second, Mode: "rst", Tokens: 9, Every: 4},
		{Fault: "gpu-memory", For: time.Second, Bytes: 1 << 20, GPU: 2},
		{Fault: "gpu-clocks", For: time.Second, Watts: 150},
		{Fault: "gpu-clocks", For: time.Second, MHz: 600},
		{Fault: "gpu-lost", Instances: 1, For: time.Second},
		{Fault: "xid", GPU: 1},
		{Fault: "dns", Instances: 1, For: time.Second, Mode: "wrong", Names: []string{"weights.example"}, Probability: 0.5},
	}
	got := Preview(steps)
	want := []string{
		"20s into the load: SIGKILL to the process of 1 ready instance",
		"1s into phase steady: SIGSTOP to the process of 50% of the ready instances, SIGCONT after 5s",
		"0s into the load: 200ms ± 50ms each way on the link in front of 2 ready instances, for 1s",
		"0s into the load: reset on the link in front of 1 ready instance, for 1s",
		"0s into the load: SIGTERM to the process of 1 ready instance",
		"0s into the load: SIGKILL to the process of 1 ready instance, and for 5s, once for each such end, to that of the newest instance that has come up since, as soon as it is ready",
		"0s into the load: at most 4096 bytes/s each way on the link in front of 1 ready instance, for 1s",
		"0s into the load: each end of a connection 100ms later on the link in front of 1 ready instance, for 1s",
		"0s into the load: no new file descriptor for the process of 1 ready instance, for 1s",
		"0s into the load: 1048576 bytes more of address space at most for the process of 1 ready instance, for 1s",
		"0s into the load: 1048576 bytes more of memory at most for the process of 1 ready instance and its descendants, by a control group of ours, for 1s; the kernel kills what takes more",
		"0s into the load: 20ms of CPU time in each 100ms for the process of 1 ready instance and its descendants, by a control group of ours, for 1s",
		"0s into the load: 2 busy threads on this machine in a nice process of ours, for 1s",
		"0s into the load: 1048576 bytes of this machine's memory held by a process of ours, for 1s",
		"0s into the load: at most 1048576 bytes of the disk of /data taken by a file of ours, of which 67108864 bytes stay free, for 1s",
		"0s into the load: each instance that starts is held back by the platform for 1s before its process is made, for 9s",
		"0s into the load: 12.5% of the packets each way lost on the way to 1 ready instance, by rules in this machine's packet filter, for 1s",
		"0s into the load: each read of a file takes 1ms longer and all reads together get at most 1048576 bytes/s below the directory that the sandbox reads its weights from, for whoever opens one there, by a file system of ours mounted over it, for 1s",
		"0s into the load: each file ends after 9 bytes below /models, for whoever opens one there, by a file system of ours mounted over it, for 1s",
		"0s into the load: status 429 with Retry-After 2s (after 5, 3 only) on the requests to 1 ready instance, for 1s",
		"0s into the load: rst after 9 tokens (one in 4) on the requests to 1 ready instance, for 1s",
		"0s into the load: 1048576 bytes of the memory of GPU 2 held by a process of ours, for 1s",
		"0s into the load: GPU 0 limited to 150 W, for 1s",
		"0s into the load: the cores of GPU 0 locked to 600 MHz, for 1s; a lock that someone else has set is lost",
		"0s into the load: /dev/full can no more be opened by the process of 1 ready instance and its descendants, for 1s; what they have open goes on",
		"0s into the load: SIMULATED: a line of Xid 79 of GPU 1 in the kernel log of this machine; no GPU is hurt, and the line stays",
		"0s into the load: the wrong answer 127.255.255.254 to lookups of weights.example (each with probability 0.5) by the target's name server, for 1s; what is connected goes on",
		"never: this process, its ancestors, process 1, session leaders, the platform's own process, whatever the platform does not list",
	}
	got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "together: ") }) // see TestPreviewSaysWhenAndWhatOverlaps
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Preview(nil); got != nil {
		t.Errorf("without steps: %v", got)
	}
}

func TestProcess(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	proc := p.get("w-01").Process
	stamped := 0
	wrong := Process{proc.PID, proc.Start + 1}
	if err := wrong.signal(9, func() { stamped++ }); !errors.Is(err, errGone) || stamped != 0 {
		t.Errorf("signal to a reused pid: %v, stamped %d times", err, stamped)
	}
	if proc.Gone() || !wrong.Gone() {
		t.Errorf("gone %v, and as another %v", proc.Gone(), wrong.Gone())
	}
	for _, bad := range []Process{{}, {1, 1}, {proc.PID, 0}, {-proc.PID, proc.Start}} {
		if err := bad.signal(9, func() {}); err == nil || errors.Is(err, errGone) {
			t.Errorf("signal to %v: %v", bad, err)
		}
		if err := bad.killGroup(); err == nil {
			t.Errorf("kill group of %v", bad)
		}
	}
	self, err := ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := (Process{self.PID, self.Start - 1}).members(); len(pids) > 0 || err != nil {
		t.Errorf("a group whose number was reused has members %v, %v", pids, err)
	}
	if _, err := ProcessOf(1 << 30); !errors.Is(err, errGone) {
		t.Errorf("a pid that is none: %v", err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) b) (c) S 1 42 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0"))
	f.Add([]byte("1 (x) Z 0"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStat(b)
		if err == nil && (s.state == 0 || s.state == ' ') {
			t.Errorf("%q gave %+v", b, s)
		}
	})
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("42 (a) b) (c) T 3 40 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0\n"))
	if want := (stat{state: 'T', ppid: 3, pgrp: 40, sid: 7, start: 12345}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1 2", "1 (x) S a 42 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345", "1 (x) S 1 42 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 -5"} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q gave %+v", bad, s)
		}
	}
}
