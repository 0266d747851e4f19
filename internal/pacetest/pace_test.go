package pacetest

import (
	"testing"
	"time"
)

func TestMost(t *testing.T) {
	for _, tc := range []struct {
		full        string
		bound, want time.Duration
	}{
		{"", time.Second, Patience},
		{"", time.Minute, time.Minute},
		{"1", time.Second, time.Second},
		{"1", time.Minute, time.Minute},
	} {
		t.Setenv("ASSAY_FULL", tc.full)
		if got := Most(tc.bound); got != tc.want || Full() != (tc.full != "") {
			t.Errorf("ASSAY_FULL=%q: %v of %v, full %v, want %v", tc.full, got, tc.bound, Full(), tc.want)
		}
	}
}
