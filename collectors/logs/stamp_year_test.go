package logs

import (
	"testing"
	"time"
)

// TestYearless: the lines of several processes come out of order at the turn of a year, which is one turn all the same.
func TestYearless(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial dial
		want [][2]string
	}{
		{"the year of the end, or the one before", dial{end: time.Date(2027, 1, 1, 0, 0, 5, 0, time.UTC)}, [][2]string{
			{"INFO 12-31 23:59:59 a", "2026-12-31T23:59:59Z"}, {"INFO 01-01 00:00:00 b", "2027-01-01T00:00:00Z"},
			{"INFO 12-31 23:59:59 c", "2026-12-31T23:59:59Z"}, {"INFO 01-01 00:00:01 d", "2027-01-01T00:00:01Z"},
			{"INFO 12-31 23:59:59 e", "2026-12-31T23:59:59Z"}, {"I0101 00:00:02.500000 f", "2027-01-01T00:00:02.5Z"}}},
		{"a year that was named, and a turn between two lines", dial{year: 2023, end: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}, [][2]string{
			{"INFO 11-02 10:00:00 a", "2023-11-02T10:00:00Z"}, {"INFO 02-29 10:00:00 b", "2024-02-29T10:00:00Z"}, {"INFO 07-01 10:00:00 c", "2024-07-01T10:00:00Z"},
			{"INFO 12-01 10:00:00 d", "2024-12-01T10:00:00Z"}, {"INFO 03-01 10:00:00 e", "2025-03-01T10:00:00Z"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.dial
			d.zone = time.UTC
			for _, l := range tt.want {
				if got := time.Unix(0, d.read(l[0]).at).UTC().Format(time.RFC3339Nano); got != l[1] {
					t.Errorf("%s: got %s, want %s", l[0], got, l[1])
				}
			}
		})
	}
}
