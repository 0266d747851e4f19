package plan

import (
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// TestMinutes: minutes are read as they are printed.
func TestMinutes(t *testing.T) {
	for text, want := range map[string]time.Duration{"10min": 10 * time.Minute, "43.2min": 2592 * time.Second, "1h5min30s": 3930 * time.Second, "5m": 5 * time.Minute, "7ms": 7 * time.Millisecond,
		"43.2 min": 2592 * time.Second, "1 h 5 s": 3605 * time.Second, "2d": 48 * time.Hour, "1w1d": 192 * time.Hour, "500 µs": 500 * time.Microsecond} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.D() != want {
			t.Errorf("duration %s: %v, %v; want %v", text, d.D(), err, want)
		}
		var o Offset
		if err := o.UnmarshalText([]byte("-" + text)); err != nil || time.Duration(o) != -want {
			t.Errorf("offset -%s: %v, %v; want %v", text, time.Duration(o), err, -want)
		}
		var v Value
		if err := v.UnmarshalText([]byte(text)); err != nil || v.Unit != assay.Seconds || v.Number != want.Seconds() {
			t.Errorf("bound %s: %+v, %v; want %v", text, v, err, want)
		}
		var s Silence
		if err := s.UnmarshalText([]byte(text)); err != nil || s.For != want {
			t.Errorf("silence %s: %+v, %v; want %v", text, s, err, want)
		}
	}
	for _, text := range []string{"min", "5minutes", "5mins", "5 mi", "h", "5 5s", "1e3s", "9999999w", "5"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: %v, want an error", text, d.D())
		}
	}
}
