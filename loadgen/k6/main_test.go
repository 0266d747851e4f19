package k6

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.k6.io/k6/v2/cmd"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// asK6 makes the test binary behave as assay-k6 does, so that the tests run the real thing without building a second binary.
const asK6 = "ASSAY_TEST_AS_K6"

func TestMain(m *testing.M) {
	if os.Getenv(asK6) != "" {
		cmd.Execute() // does not return
	}
	os.Exit(m.Run())
}

// A session is one run of the command.
type session struct {
	t      *testing.T
	dir    string // of the script and of what k6 writes
	out    string // run directory
	env    []string
	args   []string // before the script
	signal func(*os.Process)
}

// outcome is what a session left.
type outcome struct {
	exit    int
	output  string
	summary map[string]struct {
		Values map[string]float64 `json:"-"`
		Count  float64            `json:"count"`
		Passes float64            `json:"passes"`
		Fails  float64            `json:"fails"`
	}
}

// run runs script, in which $URL is replaced.
func (s *session) run(script, url string) *outcome {
	s.t.Helper()
	if s.dir == "" {
		s.dir = s.t.TempDir()
	}
	if s.out == "" {
		s.out = filepath.Join(s.dir, "run")
	}
	path := filepath.Join(s.dir, "script.js")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(script, "$URL", url)), 0o644); err != nil {
		s.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	export := filepath.Join(s.dir, "summary.json")
	args := append([]string{"run", "--quiet", "--no-color", "--summary-export", export, "--out", "assay=" + s.out}, s.args...)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, exe, append(args, path)...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), append([]string{asK6 + "=1", "K6_NO_USAGE_REPORT=true", "K6_AUTO_EXTENSION_RESOLUTION=false", "HOME=" + s.dir}, s.env...)...)
	var b bytes.Buffer
	c.Stdout, c.Stderr = &b, &b
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	if s.signal != nil {
		go s.signal(c.Process)
	}
	_ = c.Wait()
	if ctx.Err() != nil {
		s.t.Fatalf("k6 did not end:\n%s", b.String())
	}
	o := &outcome{exit: c.ProcessState.ExitCode(), output: b.String()}
	if raw, err := os.ReadFile(export); err == nil {
		var doc struct {
			Metrics json.RawMessage `json:"metrics"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			s.t.Fatal(err)
		}
		if err := json.Unmarshal(doc.Metrics, &o.summary); err != nil {
			s.t.Fatal(err)
		}
	}
	return o
}

// want fails the test unless the command ended with the given status.
func (o *outcome) want(t *testing.T, exit int) {
	t.Helper()
	if o.exit != exit {
		t.Fatalf("exit status %d, want %d:\n%s", o.exit, exit, o.output)
	}
}

// recorded is a run read back.
type recorded struct {
	manifest assay.Manifest
	requests []assay.Request
	events   []assay.Event
}

func read(t *testing.T, dir string) *recorded {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if w := run.Warnings(); len(w) > 0 {
		t.Errorf("warnings of the run: %q", w)
	}
	r := &recorded{manifest: *run.Manifest()}
	if r.events, err = run.Events(); err != nil {
		t.Fatal(err)
	}
	err = run.Requests(context.Background(), func(block []assay.Request) error {
		for _, q := range block { // blocks are borrowed, and so are the slices in them
			q.Arrivals = append([]int64(nil), q.Arrivals...)
			q.Counts = append([]int32(nil), q.Counts...)
			r.requests = append(r.requests, q)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcomes counts the requests by phase and outcome.
func (r *recorded) outcomes() map[string]int {
	n := map[string]int{}
	for i := range r.requests {
		n[r.requests[i].Phase+" "+r.requests[i].Outcome.String()]++
	}
	return n
}

// begin returns when the last phase to begin did.
func (r *recorded) begin() int64 {
	var begin int64
	for _, e := range r.events {
		if e.Kind == assay.EventPhaseBegin {
			begin = e.Time
		}
	}
	return begin
}
