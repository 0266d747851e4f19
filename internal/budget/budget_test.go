package budget

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

func done(in, out int32, took time.Duration) *assay.Request {
	return &assay.Request{Sent: 1, End: 1 + int64(took), TokensIn: in, TokensOut: out, Outcome: assay.OK}
}

// Tokens never go beyond the limit, whatever is in flight, once the target's own count is known.
func TestTokensStopHard(t *testing.T) {
	m := New(Limits{Tokens: 1000}, Prices{}, func() int64 { return 0 })
	pay := func(prompt, answer int32) bool { return m.Pay(prompt, answer) == nil }
	for i := range 5 { // 5 times 180 in flight; a sixth might reach 1080
		if !pay(100, 80) {
			t.Fatalf("request %d was refused", i)
		}
	}
	err := m.Pay(100, 80)
	if err == nil || err.Error() != "the tokens of the budget, 1000, are spent: 900 were used or are on their way, and the next request may use 180" {
		t.Errorf("got %v", err)
	}
	m.Settle(100, 80, done(104, 10, time.Second)) // 4 more than planned, and a short answer
	// Used 114, in flight 4 times 184: 850, and the next may use 100+4 and its answer.
	if pay(100, 47) || !pay(100, 46) {
		t.Error("the next request must reserve what it may use at most, its template included")
	}
	m.Settle(100, 80, &assay.Request{Outcome: assay.RefusedByCap}) // never sent
	if got := m.Spent(0)[0].Used; got != 114+3*184+150 {
		t.Errorf("used %g", got)
	}
}

func TestBooked(t *testing.T) {
	m := New(Limits{Tokens: 100, Money: 1}, Prices{Currency: "USD", AnswerToken: 0.02}, func() int64 { return 0 })
	if err := m.Book(done(30, 20, 0)); err != nil {
		t.Errorf("half is left: %v", err)
	}
	if err := m.Book(done(0, 30, 0)); err == nil || err.Error() != "the money of the budget, 1 USD, is spent" {
		t.Errorf("got %v", err)
	}
	if err := m.Book(done(20, 0, 0)); err == nil || err.Error() != "the tokens of the budget, 100, are spent" {
		t.Errorf("got %v", err)
	}
}

func TestAnswersWithoutALimit(t *testing.T) {
	m := New(Limits{Tokens: 100}, Prices{}, func() int64 { return 0 })
	if m.Pay(10, 0) != nil {
		t.Fatal("refused")
	}
	m.Settle(10, 0, done(10, 40, 0))
	if m.Pay(11, 0) == nil || m.Pay(10, 0) != nil { // 50 used; the longest answer so far is what the next may be
		t.Error("an answer without a limit counts as the longest seen")
	}
}

func TestMoney(t *testing.T) {
	now := int64(0)
	p := Prices{Currency: "EUR", Request: 0.01, PromptToken: 0.001, AnswerToken: 0.002, InstanceSecond: 0.1, AcceleratorSecond: 0.2, GBSecond: 0.5, MemoryGB: 2, Accelerators: 4}
	m := New(Limits{Money: 10}, p, func() int64 { return now })
	if err := m.Pay(100, 50); err != nil {
		t.Fatal(err)
	}
	m.Settle(100, 50, done(100, 25, 2*time.Second)) // 0.01 + 0.1 + 0.05 + 2·0.5·2
	if got := m.Spent(now)[0]; math.Abs(got.Used-2.16) > 1e-9 || got.Unit != "EUR" || got.Untold != "nothing told of the life of instances" {
		t.Errorf("%+v", got)
	}
	m.Observe(&assay.Event{Time: 0, Kind: assay.EventInstanceCreated, Instance: "a"})
	now = 3e9 // 3 s of one instance: 3·(0.1 + 4·0.2)
	if got := m.Spent(now)[0]; math.Abs(got.Used-4.86) > 1e-9 || got.Untold != "" {
		t.Errorf("%+v", got)
	}
	now = 5e9 // 6.66; a request may take two seconds again: 2.21
	if err := m.Pay(100, 50); err != nil {
		t.Fatal(err)
	}
	if err := m.Pay(100, 50); err == nil || !strings.Contains(err.Error(), "the money of the budget, 10 EUR, is spent: 8.87 was used or is on its way, and the next request may cost 2.21") {
		t.Errorf("got %v", err)
	}
	if m.Over(now) != nil {
		t.Error("not spent yet")
	}
	now = 7e9
	if err := m.Over(now); err == nil || err.Error() != "the money of the budget, 10 EUR, is spent" {
		t.Errorf("got %v", err)
	}
}

func TestInstances(t *testing.T) {
	m := New(Limits{Instances: 2, Accelerator: 10 * time.Second}, Prices{}, nil)
	event := func(at int64, kind, id string) {
		m.Observe(&assay.Event{Time: at * 1e9, Kind: kind, Instance: id, Attrs: map[string]string{}})
	}
	if d := cmp.Diff([]string{"nothing told of the life of instances", "nothing told of the life of instances"}, []string{m.Spent(0)[0].Untold, m.Spent(0)[1].Untold}); d != "" {
		t.Error(d)
	}
	event(1, assay.EventInstanceCreated, "a")
	event(2, assay.EventInstanceStarted, "a") // held since it was created
	event(3, assay.EventInstanceReady, "b")   // there before we looked
	event(4, assay.EventInstanceExited, "b")
	event(4, assay.EventInstanceExited, "unheard of")
	event(4, assay.EventInstanceCreated, "c")
	if err := m.Over(5e9); err != nil {
		t.Errorf("two at once: %v", err)
	}
	want := []assay.Spend{{What: "instances", Unit: assay.Count, Limit: 2, Used: 2}, {What: "accelerator", Unit: assay.Seconds, Limit: 10, Used: 4 + 1 + 1}}
	if d := cmp.Diff(want, m.Spent(5e9), cmpopts.EquateApprox(0, 1e-9)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := m.Over(7e9); err == nil || err.Error() != "the accelerator time of the budget, 10s, is spent" {
		t.Errorf("got %v", err)
	}
	event(7, assay.EventInstanceCreated, "d")
	if err := m.Over(7e9); err == nil || err.Error() != "the platform runs 3 instances, and the budget allows 2" {
		t.Errorf("got %v", err)
	}
}

// However requests interleave, what is used never passes the limit if no prompt is longer than planned.
func TestNeverOverdrawn(t *testing.T) {
	m := New(Limits{Tokens: 50_000}, Prices{}, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				in, out := rng.Int32N(200), 1+rng.Int32N(100)
				if m.Pay(in, out) != nil {
					return
				}
				m.Settle(in, out, done(in, rng.Int32N(out+1), 0))
			}
		})
	}
	wg.Wait()
	if got := m.Spent(0)[0].Used; got > 50_000 || got < 49_000 {
		t.Errorf("used %g of 50000", got)
	}
}

func BenchmarkPay(b *testing.B) {
	m := New(Limits{Tokens: math.MaxInt64 / 2, Money: 1e300}, Prices{PromptToken: 1e-6, AnswerToken: 1e-6}, func() int64 { return 0 })
	r := done(10, 5, time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		if m.Pay(10, 5) != nil {
			b.Fatal("spent")
		}
		m.Settle(10, 5, r)
	}
}
