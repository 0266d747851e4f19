package main

import "testing"

// A default is shown as a person would write it, and reads back as the same.
func TestAmountShown(t *testing.T) {
	for want, a := range map[string]amount{
		"90d": {v: 90 * 86400, isTime: true}, "5h0m0s": {v: 5 * 3600, isTime: true}, "300ms": {v: 0.3, isTime: true}, "36h0m0s": {v: 36 * 3600, isTime: true}, "1.5": {v: 1.5}, "86400": {v: 86400}, "0": {},
	} {
		got := a.String()
		back := amount{}
		if err := back.Set(got); got != want || err != nil || back.v != a.v || back.isTime != a.isTime {
			t.Errorf("%+v: got %q, want %q; read back %+v, %v", a, got, want, back, err)
		}
	}
}
