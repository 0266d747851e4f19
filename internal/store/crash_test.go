package store

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ASSAY_STORE_TEST_CHILD"); dir != "" {
		if err := childMain(dir, os.Getenv("ASSAY_STORE_TEST_SEAL") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childMain records requests, spans, samples and events until it is killed, and
// says after each request how many there were. If it is to seal it does so at request 10000.
func childMain(dir string, seal bool) error {
	w, err := Create(dir, testManifest())
	if err != nil {
		return err
	}
	rng := newRand(1)
	start := time.Now()
	for i := 0; ; i++ {
		if seal && i == 10_000 {
			fmt.Println("sealing", i)
			return w.Seal(assay.Ending{Status: assay.EndComplete})
		}
		r := testRequest(rng, i)
		records := []assay.Record{&r, &assay.Scrape{Target: "t", Time: int64(i+1) * 1e6, Samples: []assay.Sample{{Name: "i", Value: float64(i + 1)}}}}
		for _, s := range testSpans(rng, i) {
			records = append(records, &s)
		}
		for _, rec := range records {
			if err := w.Emit(rec); err != nil {
				return err
			}
		}
		if i%100 == 0 {
			if err := w.EmitSync(&assay.Event{Time: int64(i + 1), Kind: assay.EventAnnotation}); err != nil {
				return err
			}
		}
		if !seal {
			fmt.Println(int64(time.Since(start)), i)
			time.Sleep(time.Millisecond) // load, not as fast as possible
		}
	}
}

// startChild starts a child and returns its lines of output.
func startChild(t *testing.T, dir string, seal bool) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "ASSAY_STORE_TEST_CHILD="+dir)
	if seal {
		cmd.Env = append(cmd.Env, "ASSAY_STORE_TEST_SEAL=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// hashTree gives each file below dir with a hash of what it holds.
func hashTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			tree[path] = "dir"
			return err
		}
		data, err := os.ReadFile(path)
		tree[path] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestKill kills a process that records. All but the last second loads, and loading leaves the directory as it was. On a busy machine, where what
// writes twice a second may wait for a processor, it is all but the last four.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, lines := startChild(t, dir, false)
	// When each request was emitted, by the child's clock, as far as its output reached us.
	var at []int64
	runFor, mayLose := 5*time.Second, 4*second
	if pacetest.Full() {
		runFor, mayLose = 2500*time.Millisecond, second
	}
	for lines.Scan() {
		ns, i, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if !ok || err != nil || i != strconv.Itoa(len(at)) {
			t.Fatalf("the child said %q", lines.Text())
		}
		at = append(at, n)
		if n > int64(runFor) {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	if len(at) < 100 {
		t.Fatalf("the child emitted only %d requests", len(at))
	}
	last := at[len(at)-1]
	due := 0 // requests older than what may be lost
	for due < len(at) && at[due] < last-mayLose {
		due++
	}

	before := hashTree(t, dir)
	r := openRun(t, dir)
	requests, traces := readRequests(t, r), readTraces(t, r)
	if len(requests) < due || len(traces) < due {
		t.Errorf("of %d requests emitted, %d more than %v before the kill, %d loaded, and %d traces", len(at), due, time.Duration(mayLose), len(requests), len(traces))
	}
	rng := newRand(1)
	for i, got := range requests {
		if diff := diff(testRequest(rng, i), got); diff != "" {
			t.Fatalf("request %d (-want +got):\n%s", i, diff)
		}
		testSpans(rng, i)
	}
	m, err := r.Metrics()
	if err != nil || m == nil {
		t.Fatalf("metrics: %v, %v", m, err)
	}
	got := query(t, m, "max_over_time(i[1h])", 3600, 3600, 1)
	var newest float64
	if len(got) != 1 {
		t.Fatalf("samples: %q", got)
	} else if _, err := fmt.Sscanf(got[0], "[]: 3600=%g", &newest); err != nil || newest < float64(due) {
		t.Errorf("samples: %q, want at least up to %d", got, due)
	}
	events, err := r.Events()
	if want := (len(at) - 1) / 100; err != nil || len(events) < want { // EmitSync had returned
		t.Errorf("events: %d, %v; want at least %d", len(events), err, want)
	}
	if len(r.Warnings()) == 0 || !strings.Contains(r.Warnings()[0], "was killed") {
		t.Errorf("warnings: %q", r.Warnings())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, hashTree(t, dir)); diff != "" {
		t.Errorf("reading changed the run (-before +after):\n%s", diff)
	}
	t.Logf("%d requests emitted, %d loaded, at least %d had to be", len(at), len(requests), due)
}

// TestKillWhileSealing kills a process in the middle of Seal at several moments. Nothing is lost.
func TestKillWhileSealing(t *testing.T) {
	kills := 2
	if os.Getenv("ASSAY_FULL") != "" {
		kills = 12
	}
	for k := range kills {
		dir := filepath.Join(t.TempDir(), "run")
		cmd, lines := startChild(t, dir, true)
		if !lines.Scan() || lines.Text() != "sealing 10000" {
			t.Fatalf("the child said %q", lines.Text())
		}
		time.Sleep(time.Duration(k) * 600 * time.Millisecond / time.Duration(kills)) // the moment is what is tested
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		before := hashTree(t, dir)
		r := openRun(t, dir)
		if got := r.Counts(); got.Requests != 10_000 || got.Spans != 20_000 {
			// A kill may come before the last flush of Seal, which loses what an earlier kill would.
			if r.Manifest().End.Status != assay.EndRunning {
				t.Errorf("kill %d: %+v, end %q", k, got, r.Manifest().End.Status)
			}
		}
		n := int64(len(readRequests(t, r)))
		if n != r.Counts().Requests {
			t.Errorf("kill %d: read %d requests of %d", k, n, r.Counts().Requests)
		}
		if got := int64(len(readTraces(t, r))); r.Manifest().End.Status != assay.EndRunning && got != 10_000 {
			t.Errorf("kill %d: %d traces", k, got)
		}
		if _, err := r.Metrics(); err != nil {
			t.Errorf("kill %d: %v", k, err)
		}
		t.Logf("kill %d: end %q, warnings %q", k, r.Manifest().End.Status, r.Warnings())
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, hashTree(t, dir)); diff != "" {
			t.Errorf("reading changed the run (-before +after):\n%s", diff)
		}
	}
}

// TestSealSteps builds the directory as a crash between any two steps of sealing leaves it.
func TestSealSteps(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "run")
	w, requests, spans := writeRun(t, dir, 500)
	scrapeRun(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(base, "open")
	if err := copyTree(open, dir); err != nil {
		t.Fatal(err)
	}
	// Seal the copy with the functions that Seal uses.
	for _, d := range []struct {
		name string
		seal func() error
	}{
		{"requests", func() error { return sealDir(filepath.Join(dir, requestsDir), sealRequests) }},
		{"spans", func() error { return sealDir(filepath.Join(dir, spansDir), sealSpans) }},
		{"metrics", func() error {
			db, err := openTSDB(filepath.Join(dir, metricsDir), testEpoch)
			if err != nil {
				return err
			}
			return db.seal()
		}},
	} {
		if err := d.seal(); err != nil {
			t.Fatalf("seal %s: %v", d.name, err)
		}
	}
	part := filepath.Join(requestsDir, "part-00000.parquet")
	for _, step := range []struct {
		name string
		do   func(at func(...string) string) error // changes a copy of the open run
	}{
		{"nothing sealed", func(at func(...string) string) error { return nil }},
		{"a part half written", func(at func(...string) string) error {
			return os.WriteFile(at(part+".tmp"), []byte("PAR1"), 0o644)
		}},
		{"parts renamed, no index", func(at func(...string) string) error {
			return os.WriteFile(at(part), []byte("PAR1 anything"), 0o644)
		}},
		{"index half written", func(at func(...string) string) error {
			return os.WriteFile(at(requestsDir, indexName+".tmp"), []byte("{"), 0o644)
		}},
		{"requests sealed, log still there", func(at func(...string) string) error {
			if err := copyFile(at(part), filepath.Join(dir, part)); err != nil {
				return err
			}
			return copyFile(at(requestsDir, indexName), filepath.Join(dir, requestsDir, indexName))
		}},
		{"requests sealed, spans not", func(at func(...string) string) error {
			if err := os.RemoveAll(at(requestsDir)); err != nil {
				return err
			}
			return copyTree(at(requestsDir), filepath.Join(dir, requestsDir))
		}},
		{"blocks written, head still there", func(at func(...string) string) error {
			blocks, _ := filepath.Glob(filepath.Join(dir, metricsDir, "0*"))
			if len(blocks) == 0 {
				return fmt.Errorf("no blocks")
			}
			for _, b := range blocks {
				if err := copyTree(at(metricsDir, filepath.Base(b)), b); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "run")
			if err := copyTree(copied, open); err != nil {
				t.Fatal(err)
			}
			if err := step.do(func(p ...string) string { return filepath.Join(copied, filepath.Join(p...)) }); err != nil {
				t.Fatal(err)
			}
			r := openRun(t, copied)
			checkRun(t, r, requests, spans)
			m, err := r.Metrics()
			if err != nil || m == nil {
				t.Fatalf("metrics: %v, %v", m, err)
			}
			if diff := cmp.Diff([]string{"[{instance w-1}]: 60=11"}, query(t, m, `count_over_time(tokens_total{instance="w-1"}[60s])`, 60, 60, 1)); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}
