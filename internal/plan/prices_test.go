package plan

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMoney(t *testing.T) {
	for text, want := range map[string]Money{"5 USD": {5, "USD"}, "0.25 EUR": {0.25, "EUR"}, " 1e3  JPY ": {1000, "JPY"}} {
		var got Money
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
		b, err := got.MarshalText()
		var again Money
		if err != nil || again.UnmarshalText(b) != nil || again != want {
			t.Errorf("%q: written as %q", text, b)
		}
	}
	for _, text := range []string{"", "5", "USD", "5 usd", "5 dollars", "-1 USD", "0 USD", "NaN USD", "Inf USD", "5USD"} {
		if err := new(Money).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func TestPrices(t *testing.T) {
	got, err := ReadPrices("../../docs/prices.yaml")
	want := &Prices{Currency: "USD", PerRequest: 0.0000002, Per1000PromptTokens: 0.0005, Per1000AnswerTokens: 0.0015, PerInstanceSecond: 0.00002, PerAcceleratorSecond: 0.0011,
		PerGBSecond: 0.0000166667, MemoryGB: 2, InstanceAccelerators: 1}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for text, want := range map[string]string{
		"currency: USD\nperRequst: 1\n":                         `p.yaml:2:1: perRequst: unknown key "perRequst"; did you mean "perRequest"?`,
		"currency: dollars\nperRequest: 1\n":                    `p.yaml:1:11: currency: "dollars" is no currency; write three letters, for example USD`,
		"perRequest: 1\n":                                       `"" is no currency`,
		"currency: USD\n":                                       `makes everything free; give at least one price`,
		"currency: USD\nperRequest: -1\nperInstanceSecond: 2\n": `p.yaml:2:13: perRequest: -1 is out of range; 0 or more`,
		"currency: USD\nperGBSecond: 1\n":                       `p.yaml:2:14: perGBSecond: needs memoryGB: how much memory is paid for`,
		"currency: USD\nperRequest: cheap\n":                    `p.yaml:2:13`,
		"":                                                      `is empty`,
	} {
		if _, err := ParsePrices("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzPrices(f *testing.F) {
	if b, err := os.ReadFile("../../docs/prices.yaml"); err == nil {
		f.Add(b)
	}
	f.Add([]byte("currency: USD\nperRequest: .inf\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePrices("p", b)
		if err == nil && (p.PerRequest < 0 || len(p.Currency) != 3) {
			t.Errorf("accepted %+v", p)
		}
	})
}
