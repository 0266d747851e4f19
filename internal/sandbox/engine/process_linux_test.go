package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const configEnv = "ASSAY_ENGINE_TEST_CONFIG"

// TestMain lets the test binary be a worker process.
func TestMain(m *testing.M) {
	if text := os.Getenv(configEnv); text != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		var cfg Config
		err := json.Unmarshal([]byte(text), &cfg)
		if err == nil {
			err = Main(ctx, cfg, os.Stdout, os.Stderr)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startProcess starts a worker as a process of its own and waits until it is warm.
func startProcess(t testing.TB, cfg Config) (cmd *exec.Cmd, url string) {
	t.Helper()
	cfg.Instance, cfg.SpawnedUnixNS = "w-1", time.Now().UnixNano()
	text, _ := json.Marshal(cfg)
	cmd = exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), configEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var l struct {
			Listening string
			Ready     bool
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Listening != "" {
			url = "http://" + l.Listening
		}
		if l.Ready {
			return cmd, url
		}
	}
	t.Fatal("the worker ended before it was ready")
	return nil, ""
}

func TestProcessIsNiceInAllThreads(t *testing.T) {
	cmd, url := startProcess(t, Config{Model: "nano", WeightsDir: t.TempDir(), LoadFloor: -1, Nice: 19, Threads: 3})
	resp, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(`{"prompt":"a b c"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", cmd.Process.Pid))
	if err != nil || len(stats) < 3 {
		t.Fatalf("%d threads, %v", len(stats), err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if nice := fields[16]; nice != "19" {
			t.Errorf("%s: nice %s, want 19", path, nice)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// TestSustainedRate measures what one worker on one core sustains with 64 tokens in and 32 out.
func TestSustainedRate(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	cmd, url := startProcess(t, Config{Model: "tiny", WeightsDir: t.TempDir(), LoadFloor: -1, Nice: 19})
	body := fmt.Sprintf(`{"messages":[{"role":"user","content":%q}],"max_tokens":32,"stream":true}`, words64())
	for _, clients := range []int{1, 2, 4, 8} {
		var mu sync.Mutex
		var took, first []time.Duration
		var wg sync.WaitGroup
		start, before := time.Now(), cpuSeconds(t, cmd.Process.Pid)
		for range clients {
			wg.Go(func() {
				for time.Since(start) < 4*time.Second {
					sent := time.Now()
					resp, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					ttft := time.Since(sent)
					b, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if !strings.HasSuffix(string(b), "data: [DONE]\n\n") {
						t.Errorf("cut answer: %s", b)
					}
					mu.Lock()
					took, first = append(took, time.Since(sent)), append(first, ttft)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		rate := float64(len(took)) / time.Since(start).Seconds()
		slices.Sort(took)
		slices.Sort(first)
		cpu := cpuSeconds(t, cmd.Process.Pid) - before
		t.Logf("%d clients: %.1f req/s, %.1f ms CPU a request, %.2f cores; TTFT median %v, end to end median %v, worst %v", clients, rate,
			1e3*cpu/float64(len(took)), cpu/time.Since(start).Seconds(), first[len(first)/2], took[len(took)/2], took[len(took)-1])
		if rate < 4 {
			t.Errorf("%d clients: %.1f req/s is less than the default load needs", clients, rate)
		}
	}
}

// cpuSeconds returns the processor time of a process, at the usual 100 ticks a second.
func cpuSeconds(t testing.TB, pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var user, system float64
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return (user + system) / 100
}
