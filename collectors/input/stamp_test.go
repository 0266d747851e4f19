package input

import (
	"testing"
	"time"
)

const from = int64(1767225600) * 1e9 // 2026-01-01T00:00:00Z

func TestInstant(t *testing.T) {
	for text, want := range map[string]int64{
		"1767225600": from, "1767225600.123456789": from + 123456789, "0": 0, "-1.5": -15e8, "1.5e3": 15e11, "2026-01-01T01:00:00+01:00": from, "2026-01-01 00:00:00.25": from + 25e7,
		"2026/01/01 00:00:00": from, "01/01/26 00:00:00": from,
	} {
		if got, _, ok := Instant(text, 1e9, time.UTC); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ".", "x", "1,5", "9223372036854775807", "1e300", "NaN", "2026-13-01T00:00:00Z", "99999999999.5"} {
		if got, _, ok := Instant(text, 1e9, time.UTC); ok {
			t.Errorf("%q: %d, want it refused", text, got)
		}
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2026-01-01 01:00:00", "2026-01-01T00:00:00Z", "1767225600"} {
		if got, _, _ := Instant(text, 1e9, berlin); got != from {
			t.Errorf("%s in Berlin: %d, want %d", text, got, from)
		}
	}
}
