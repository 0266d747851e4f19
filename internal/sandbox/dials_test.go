package sandbox

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sandbox/engine"
)

// drive puts the load on a platform and returns when all of it is answered, with the number of requests that failed.
func drive(ctx context.Context, url string, l Load, seed uint64) (sent, failed int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var wg sync.WaitGroup
	var mu sync.Mutex
	begin := time.Now()
	for due := rng.ExpFloat64() / l.Rate; due < l.Duration.Seconds(); due += rng.ExpFloat64() / l.Rate {
		time.Sleep(time.Until(begin.Add(time.Duration(due * 1e9))))
		sent++
		wg.Go(func() {
			status, _, _, err := ask(ctx, url, l.PromptTokens-1, l.OutputTokens)
			if err != nil || status != 200 {
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sent, failed
}

// split returns where the time of the requests went, by class, in seconds a request, from the truth alone.
// Engine queueing is given to its own reason; which of it an accelerator
// under full load explains, is for the test to know.
func split(t *Truth) (classes map[string]float64, e2e float64) {
	byTrace := map[string]engine.TruthRequest{}
	for _, r := range t.Engine {
		byTrace[r.TraceID] = r
	}
	sum := map[string]float64{}
	n := 0.0
	for _, r := range t.Requests {
		e, ok := byTrace[r.TraceID]
		if !ok || r.Outcome != outcomeOK {
			continue
		}
		n++
		total := float64(r.End - r.Arrived)
		cold := 0.0
		if *r.Cold {
			cold = float64(r.Born - r.Queued)
		}
		parts := map[string]float64{
			"cold_start": cold, "storage": float64(r.RetrievalTo - r.RetrievalFrom), "network": float64(r.UpstreamTo - r.UpstreamFrom - (e.End - e.Arrived)),
			"memory": float64(e.Preempted + e.QueuedBy["kv_cache"]), "concurrency": float64(r.Wait) - cold + float64(e.QueuedBy["max_seqs"]),
			"busy": float64(e.Busy), "idle": float64(e.Prefill + e.Decode - e.Busy), "step": float64(e.QueuedBy["step"]),
		}
		for k, v := range parts {
			sum[k] += v
			total -= v
		}
		sum["rest"] += total
		e2e += float64(r.End - r.Arrived)
	}
	for k := range sum {
		sum[k] /= n * 1e9
	}
	return sum, e2e / n / 1e9
}

func runDial(t *testing.T, cfg Config, l Load) (map[string]float64, float64) {
	t.Helper()
	cfg.TruthDir, cfg.LogDir = t.TempDir(), t.TempDir()
	p := startTest(t, cfg)
	if cfg.InitialScale > 0 {
		watchEvents(t, p).next(assay.EventInstanceReady, nil)
	}
	sent, failed := drive(t.Context(), p.URL, l, 1)
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, sent)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	truth, err := ReadTruth(cfg.TruthDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range truth.Events {
		if e.Kind == assay.EventInstanceEjected || e.Kind == assay.EventInstanceProbe || e.Attrs["reason"] == exitCrash {
			t.Errorf("an instance failed without a fault: %+v", e)
		}
	}
	classes, e2e := split(truth)
	keys := make([]string, 0, len(classes))
	for k := range classes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(classes[b], classes[a]) })
	t.Logf("%d requests, %.0f ms end to end:", sent, e2e*1e3)
	for _, k := range keys {
		t.Logf("  %-12s %6.1f ms %5.1f %%", k, classes[k]*1e3, classes[k]/e2e*100)
	}
	return classes, e2e
}

// Each dial is what it says: its class takes most of the time, and with the bottleneck taken
// away requests take less than half as long.
func TestDials(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	for _, d := range Dials() {
		t.Run(d.Name, func(t *testing.T) {
			classes, e2e := runDial(t, d.Config, d.Load)
			share := classes[d.Name] / e2e
			if d.Name == "compute" {
				// Waiting for a step or for a place in a batch that computes all the time is compute too.
				share = (classes["busy"] + classes["step"] + classes["concurrency"]) / e2e
				if classes["idle"] > 0.2*e2e {
					t.Errorf("the accelerator idles for %.0f %% of the time", classes["idle"]/e2e*100)
				}
			}
			if share < 0.5 {
				t.Errorf("%s takes %.0f %% of the time, want more than half", d.Name, share*100)
			}
			relieved := d.Config
			d.Relief(&relieved)
			if _, after := runDial(t, relieved, d.Load); after > e2e/2 {
				t.Errorf("without the bottleneck requests take %.0f ms, with it %.0f ms: it is not the bottleneck", after*1e3, e2e*1e3)
			}
		})
	}
}

func TestDialsAreValid(t *testing.T) {
	var names []string
	for _, d := range Dials() {
		names = append(names, d.Name)
		if err := d.Config.Validate(); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		relieved := d.Config
		d.Relief(&relieved)
		if err := relieved.Validate(); err != nil || reflect.DeepEqual(relieved, d.Config) {
			t.Errorf("%s: its relief is %v, changed %v", d.Name, err, !reflect.DeepEqual(relieved, d.Config))
		}
		if d.Load.Duration > 25*time.Second || d.Load.Rate <= 0 || d.Why == "" {
			t.Errorf("%s: load %+v, why %q", d.Name, d.Load, d.Why)
		}
	}
	if want := []string{"compute", "memory", "storage", "network", "concurrency", "cold_start"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// The default deployment under its default load, from zero: what a first run shows.
func TestDefaultDeployment(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	cfg := Defaults()
	cfg.TruthDir, cfg.LogDir = t.TempDir(), t.TempDir()
	for range 3 {
		p := startTest(t, cfg)
		status, _, first, err := ask(t.Context(), p.URL, 63, 32)
		if err != nil || status != 200 {
			t.Fatalf("got status %d, %v", status, err)
		}
		t.Logf("from zero to the first token: %s", first.Round(time.Millisecond))
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	runDial(t, Defaults(), Load{Rate: 8, PromptTokens: 64, OutputTokens: 32, Duration: 20 * time.Second})
}
