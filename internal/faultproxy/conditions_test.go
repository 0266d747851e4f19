package faultproxy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStrikes(t *testing.T) {
	for _, tc := range []struct {
		c    Conditions
		want string // of the first twelve requests
	}{
		{Conditions{}, "............"},
		{Conditions{Mode: Status}, "xxxxxxxxxxxx"},
		{Conditions{Mode: Status, First: 3}, "xxx........."},
		{Conditions{Mode: Status, After: 3}, "...xxxxxxxxx"},
		{Conditions{Mode: Status, Every: 4}, "...x...x...x"},
		{Conditions{Mode: Status, After: 2, First: 3}, "..xxx......."},
		{Conditions{Mode: Status, After: 2, Every: 3}, "....x..x..x."},
		{Conditions{Mode: Status, Probability: 1}, "xxxxxxxxxxxx"},
		{Conditions{Mode: Status, Probability: 0.4, Seed: 1}, strikes12(1)},
		{Conditions{Mode: Expired}, "............"}, // not a matter of requests
	} {
		var got strings.Builder
		for n := int64(1); n <= 12; n++ {
			if tc.c.strikes(n) {
				got.WriteByte('x')
			} else {
				got.WriteByte('.')
			}
		}
		if diff := cmp.Diff(tc.want, got.String()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.c, diff)
		}
	}
	if strikes12(1) == strikes12(2) {
		t.Error("seeds 1 and 2 strike the same requests")
	}
	struck := 0
	c := Conditions{Mode: Status, Probability: 0.3, Seed: 9}
	for n := int64(1); n <= 10000; n++ {
		if c.strikes(n) {
			struck++
		}
	}
	if struck < 2850 || struck > 3150 { // 3.3 standard deviations
		t.Errorf("a chance of 0.3 struck %d of 10000", struck)
	}
}

// strikes12 are the strikes of a chance of 0.4, asked in any order.
func strikes12(seed uint64) string {
	c := Conditions{Mode: Status, Probability: 0.4, Seed: seed}
	b := []byte("............")
	for n := 12; n > 0; n-- {
		if c.strikes(int64(n)) {
			b[n-1] = 'x'
		}
	}
	return string(b)
}

func TestCheckConditions(t *testing.T) {
	for _, good := range []Conditions{{}, {Mode: Status, Status: 503, Every: 3}, {Mode: Latency, Delay: 1}, {Mode: Hang, First: 1}, {Mode: Expired}, {Mode: FIN},
		{Mode: RST, Tokens: 4, Probability: 0.5, Seed: 3}, {Mode: Stall}, {Mode: Slow, Delay: time.Second}, {Mode: Corrupt, Tokens: 1}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for want, bad := range map[string]Conditions{
		"mode: is missing":             {Status: 500},
		`mode: "melt" is not one of`:   {Mode: "melt"},
		"status: 200 is out of range":  {Mode: Status, Status: 200},
		"belong to mode status":        {Mode: FIN, RetryAfter: time.Second},
		"retry_after_ns: 1.5s":         {Mode: Status, Status: 429, RetryAfter: 1500 * time.Millisecond},
		"delay_ns: 0s delays nothing":  {Mode: Slow},
		"delay_ns: belongs to":         {Mode: Hang, Delay: 1},
		"tokens: -1":                   {Mode: FIN, Tokens: -1},
		"tokens: 0":                    {Mode: Corrupt},
		"tokens: belongs to":           {Mode: Hang, Tokens: 1},
		"every: -1 is out of range":    {Mode: Hang, Every: -1},
		"probability: 150%":            {Mode: Hang, Probability: 1.5},
		"for all requests or for none": {Mode: Expired, First: 1},
	} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", bad, err, want)
		}
	}
}
