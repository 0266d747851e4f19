package merge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A Part says which part of a test a process played, and on which machine. The process puts it into its manifest.
type Part struct {
	Segment    string `json:"segment,omitempty"` // of the work, from:to as fractions of 1; "": all of it
	Host       string `json:"host,omitempty"`
	Boot       string `json:"boot_id,omitempty"`        // of the machine, new with each start
	Monotonic  int64  `json:"monotonic_ns,omitempty"`   // the machine's monotonic clock at the epoch; 0: not known
	ClockError int64  `json:"clock_error_ns,omitempty"` // most that the synchronization leaves the wall clock; 0: not known
}

// Here returns the part that this process plays.
func Here(segment string, c *clock.Clock) Part {
	p := Part{Segment: segment, ClockError: wallError()}
	p.Host, _ = os.Hostname()
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		p.Boot = strings.TrimSpace(string(id))
	}
	p.Monotonic, _ = c.Monotonic()
	return p
}

// errNotAPart says that a run is none that can be merged.
var errNotAPart = errors.New("it is no part of a k6 test: only runs of assay-k6 are merged")

// partOf reads the part out of a manifest.
func partOf(m *assay.Manifest) (Part, error) {
	var of struct {
		K6 *struct {
			Part *Part `json:"part"`
		} `json:"k6"`
	}
	if err := json.Unmarshal(m.Plan, &of); err != nil || of.K6 == nil || of.K6.Part == nil {
		return Part{}, errNotAPart
	}
	return *of.K6.Part, nil
}

// A span is a stretch of [0, 1].
type span struct{ from, to *big.Rat }

func spanOf(segment string) (span, error) {
	if segment == "" {
		return span{new(big.Rat), big.NewRat(1, 1)}, nil
	}
	from, to, ok := strings.Cut(segment, ":")
	if !ok {
		from, to = "0", segment
	}
	s := span{new(big.Rat), new(big.Rat)}
	for _, x := range []struct {
		to   *big.Rat
		text string
	}{{s.from, from}, {s.to, to}} {
		if len(x.text) > 100 {
			return s, fmt.Errorf("segment %.20q…: want from:to", segment)
		}
		if _, ok := x.to.SetString(x.text); !ok {
			return s, fmt.Errorf("segment %q: want from:to, for example 0:1/4", segment)
		}
	}
	if s.from.Sign() < 0 || s.to.Cmp(big.NewRat(1, 1)) > 0 || s.from.Cmp(s.to) >= 0 {
		return s, fmt.Errorf("segment %q: want a stretch of 0 to 1", segment)
	}
	return s, nil
}

func (s span) String() string { return s.from.RatString() + ":" + s.to.RatString() }
