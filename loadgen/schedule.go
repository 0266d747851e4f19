package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// maxPlanned bounds a schedule, which lies in memory, at 24 bytes a request.
const maxPlanned = 20_000_000

// A Phase is one stretch of load. It has arrivals, a search or a hold, or none of them: then it is idle.
type Phase struct {
	Name   string        // unique
	Role   assay.Role    // "" means steady; stress for a search, idle without load
	Class  string        // written on the requests
	After  time.Duration // silence before it begins
	Settle bool          // also wait, before it begins, until nothing is in flight
	For    time.Duration // how long; a search has its own bound
	Prompt Lengths       // nil: no prompt
	Output Lengths       // nil: no limit asked for
	Max    int           // most requests, 0: no limit

	Arrivals Arrivals
	Search   *Search
	Hold     *Hold
}

// Hold is load at a rate that an earlier search found.
type Hold struct {
	Of    string  // name of the search phase
	Share float64 // of the highest rate that held
}

// planned is one request of a schedule.
type planned struct {
	due     int64 // ns from the phase's begin
	in, out int32
}

// A Schedule is everything that is decided about a load before it begins.
type Schedule struct {
	phases []Phase
	plans  [][]planned // by phase; nil where it is drawn at run time
	seed   uint64
	fixed  int
	hash   string
}

// NewSchedule checks the phases, fills in defaults and draws all fixed-rate requests. The
// draw of a phase depends on the seed and the phase's own settings and name only, so that a change
// of one phase leaves the others as they were.
func NewSchedule(phases []Phase, seed uint64) (*Schedule, error) {
	s := &Schedule{phases: append([]Phase(nil), phases...), plans: make([][]planned, len(phases)), seed: seed}
	if len(phases) == 0 {
		return nil, errors.New("load: no phases")
	}
	for i := range s.phases {
		p := &s.phases[i]
		if err := p.fill(s.phases[:i]); err != nil {
			return nil, fmt.Errorf("load phase %d %q: %w", i+1, p.Name, err)
		}
	}
	for i := range s.phases {
		p := &s.phases[i]
		if p.Arrivals == nil {
			continue
		}
		if n := p.Arrivals.Mean() * p.For.Seconds(); float64(s.fixed)+n > maxPlanned {
			return nil, fmt.Errorf("load phase %d %q: %.0f requests, more than a schedule holds (%d)", i+1, p.Name, n, maxPlanned)
		}
		s.plans[i] = p.draw(p.Name, p.Arrivals, p.For, seed, p.Max)
		s.fixed += len(s.plans[i])
	}
	s.hash = s.sum()
	return s, nil
}

// fill sets the phase's defaults and checks it against those before it.
func (p *Phase) fill(before []Phase) error {
	if p.Name == "" {
		return errors.New("it has no name")
	}
	for _, q := range before {
		if q.Name == p.Name || q.Search != nil && strings.HasPrefix(p.Name, q.Name+"/") || p.Search != nil && strings.HasPrefix(q.Name, p.Name+"/") {
			return fmt.Errorf("the name is taken by phase %q", q.Name)
		}
	}
	kinds := 0
	for _, set := range []bool{p.Arrivals != nil, p.Search != nil, p.Hold != nil} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		return errors.New("want only one of arrivals, search and hold")
	}
	if p.Role == "" {
		switch {
		case p.Search != nil:
			p.Role = assay.RoleStress
		case kinds == 0:
			p.Role = assay.RoleIdle
		default:
			p.Role = assay.RoleSteady
		}
	}
	if p.Search == nil && p.For <= 0 {
		return fmt.Errorf("it lasts %v: want more than 0s", p.For)
	}
	if p.After < 0 || p.Max < 0 {
		return errors.New("a wait or limit below zero")
	}
	switch {
	case p.Arrivals != nil:
		return p.Arrivals.Check()
	case p.Search != nil:
		filled, err := p.Search.filled()
		p.Search = filled
		return err
	case p.Hold != nil:
		if !(p.Hold.Share > 0 && p.Hold.Share <= 1) {
			return fmt.Errorf("hold at %g of the limit: want more than 0 and at most 1", p.Hold.Share)
		}
		for _, q := range before {
			if q.Name == p.Hold.Of && q.Search != nil {
				return nil
			}
		}
		return fmt.Errorf("hold: no search %q before it", p.Hold.Of)
	}
	return nil
}

// draw plans the requests of one phase or one step of a search, under the given name.
func (p *Phase) draw(name string, a Arrivals, d time.Duration, seed uint64, limit int) []planned {
	due := a.Due(nil, d, stream(seed, name, "arrivals"))
	if limit > 0 && len(due) > limit {
		due = due[:limit]
	}
	lengths := stream(seed, name, "lengths")
	plan := make([]planned, len(due))
	for i, t := range due {
		plan[i] = planned{due: t, in: length(p.Prompt, lengths), out: length(p.Output, lengths)}
	}
	return plan
}

func length(l Lengths, rng *rand.Rand) int32 {
	if l == nil {
		return 0
	}
	return int32(min(max(l.Draw(rng), 0), math.MaxInt32))
}

// stream returns an independent source of randomness for one use in one phase.
func stream(seed uint64, name, use string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(use))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// sum hashes the phases and, for each fixed request, due, prompt and answer length.
func (s *Schedule) sum() string {
	h := sha256.New()
	for i, p := range s.phases {
		head, _ := json.Marshal(struct {
			Name, Role, Class string
			After, For        time.Duration
			Settle            bool
			Max, N            int
			Search            *Search
			Hold              *Hold
		}{p.Name, string(p.Role), p.Class, p.After, p.For, p.Settle, p.Max, len(s.plans[i]), p.Search, p.Hold})
		h.Write(head)
		var b [16]byte
		for _, r := range s.plans[i] {
			binary.LittleEndian.PutUint64(b[:], uint64(r.due))
			binary.LittleEndian.PutUint32(b[8:], uint32(r.in))
			binary.LittleEndian.PutUint32(b[12:], uint32(r.out))
			h.Write(b[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash names the schedule: two schedules with the same hash send the same requests at the same instants. What
// a search sends is decided at run time; its settings are in the hash.
func (s *Schedule) Hash() string { return s.hash }

// Requests returns how many requests are fixed, and the most that searches and holds may add; -1 if that is not limited.
func (s *Schedule) Requests() (fixed, more int) {
	for _, p := range s.phases {
		switch {
		case more < 0 || p.Search == nil && p.Hold == nil:
		case p.Max == 0:
			more = -1
		default:
			more += p.Max
		}
	}
	return s.fixed, more
}

// Duration returns how long sending takes at most.
func (s *Schedule) Duration() time.Duration {
	var d time.Duration
	for _, p := range s.phases {
		d += p.After
		if p.Search != nil {
			d += p.Search.For
		} else {
			d += p.For
		}
	}
	return d
}
