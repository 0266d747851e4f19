package loadgen

import (
	"crypto/sha256"
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

// maxPlanned bounds a schedule by the time it takes to draw: about ten seconds. It needs no memory.
const maxPlanned = 50_000_000

// A Phase is one stretch of load. It has arrivals, a closed loop, a search, a hold or an external load, or none of them: then it is idle.
type Phase struct {
	Name   string        // unique
	Role   assay.Role    // "" means steady; stress for a search, idle without load
	Class  string        // written on the requests
	After  time.Duration // silence before it begins
	Settle bool          // also wait, before it begins, until nothing is in flight
	For    time.Duration // how long; a search has its own bound, and arrivals that are Lasting their own length if this is 0
	Prompt Lengths       // nil: no prompt
	Output Lengths       // nil: no limit asked for
	Max    int           // most requests, 0: no limit; of sessions, it counts the first turns

	Mix     []Share  // classes of requests; they replace Class
	Prefix  *Prefix  // what prompts have in common
	Session *Session // several turns instead of single requests
	Texts   *Prompts // prompts from a file instead of made-up ones
	Users   *Users   // that the requests come from

	Arrivals Arrivals
	Closed   *Closed
	Cold     *Cold
	Search   *Search
	Hold     *Hold
	External External // another program's load; For is then the longest it may last

	// Until returns when the phase ends if that is before For is over, for one that begins at an instant; both in run time. It is asked many times
	// while the phase lasts and may answer differently each time. For arrivals and idle phases; may be nil.
	Until func(begin int64) int64
}

// Hold is load at a rate that an earlier search found.
type Hold struct {
	Of    string  // name of the search phase
	Share float64 // of the highest rate that held, or else of the highest that passed
}

// planned is one request of a schedule, or the first of a session.
type planned struct {
	due     int64 // ns from the phase's begin
	in, out int32
	class   int32     // of the phase's mix, from 1; 0: the phase's own
	prefix  int32     // group whose prefix the prompt has, from 1; 0: none
	text    int32     // of the phase's texts, from 1; 0: made up
	turns   int32     // of the session; 0 and 1: a single request
	block   int32     // tokens in a block
	blocks  *[]uint64 // ids of the blocks that the prompt begins with, by a pointer to keep a job small; nil: none
	label   string    // class that a trace gives
	user    uint64    // who it belongs to; 0: nobody
}

// ids returns the blocks that the prompt begins with.
func (r *planned) ids() []uint64 {
	if r.blocks == nil {
		return nil
	}
	return *r.blocks
}

// drawn is what one pass over the requests of a phase showed.
type drawn struct {
	n      int     // entries
	ids    int     // requests, at most: each turn of a session is one
	in     float64 // tokens of prompts
	out    float64 // tokens of answers asked for
	last   int64
	peak   float64 // highest rate within a tenth of a second
	digest [sha256.Size]byte
}

// A Schedule is everything that is decided about a load before it begins. It holds no requests: they are drawn once to count and
// hash them, and again, block by block, when they are sent.
type Schedule struct {
	phases []Phase
	drawn  []drawn // by phase; zero where requests are drawn at run time
	seed   uint64
	fixed  int
	hash   string
}

// NewSchedule checks the phases, fills in defaults and draws all fixed-rate requests. The
// draw of a phase depends on the seed and the phase's own settings and name only, so that a change
// of one phase leaves the others as they were.
func NewSchedule(phases []Phase, seed uint64) (*Schedule, error) {
	s := &Schedule{phases: append([]Phase(nil), phases...), drawn: make([]drawn, len(phases)), seed: seed}
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
		if err := s.survey(i); err != nil {
			return nil, fmt.Errorf("load phase %d %q: %w", i+1, p.Name, err)
		}
		if p.For == 0 { // a trace ends with its last request
			p.For = time.Duration(s.drawn[i].last + 1)
		}
		s.fixed += s.drawn[i].ids
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
	for _, set := range []bool{p.Arrivals != nil, p.Closed != nil, p.Search != nil, p.Hold != nil, p.Cold != nil, p.External != nil} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		return errors.New("want only one of arrivals, closed, search, hold, cold and external")
	}
	if p.Role == "" {
		switch {
		case p.Search != nil:
			p.Role = assay.RoleStress
		case p.Cold != nil:
			p.Role = assay.RoleCold
		case kinds == 0:
			p.Role = assay.RoleIdle
		default:
			p.Role = assay.RoleSteady
		}
	}
	if p.Arrivals != nil {
		if err := p.Arrivals.Check(); err != nil {
			return err
		}
		if l, ok := p.Arrivals.(Lasting); ok {
			if p.For == 0 {
				p.For = l.Lasts()
			} else if p.For > l.Lasts() {
				return fmt.Errorf("it lasts %v, but its arrivals only %v: want at most that, or nothing", p.For, l.Lasts())
			}
		}
	}
	if p.Cold != nil {
		if err := p.Cold.check(); err != nil {
			return err
		}
		if p.For == 0 {
			p.For = p.Cold.Lasts()
		}
	}
	whole, open := p.Arrivals.(requester) // may last until its trace ends
	if open && p.For == 0 {
		p.For = whole.window()
	}
	if p.Search == nil && p.For <= 0 && !(open && p.For == 0) {
		return fmt.Errorf("it lasts %v: want more than 0s", p.For)
	}
	if p.After < 0 || p.Max < 0 {
		return errors.New("a wait or limit below zero")
	}
	if err := p.checkWorkload(); err != nil {
		return err
	}
	switch {
	case p.Closed != nil:
		return p.Closed.check()
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

// survey draws the requests of phase i to count and hash them.
func (s *Schedule) survey(i int) error {
	p := &s.phases[i]
	if _, ok := p.Arrivals.(requester); !ok {
		if n := p.Arrivals.Mean() * p.For.Seconds(); n > maxPlanned {
			return fmt.Errorf("%.0f requests, more than a schedule holds (%d)", n, maxPlanned)
		}
	}
	f := newDigest(p, s.seed)
	for r, err := range p.requests(p.Name, p.Arrivals, p.For, s.seed, p.Max) {
		if err != nil {
			return err
		}
		if f.add(&r); s.fixed+f.ids > maxPlanned {
			return fmt.Errorf("more requests than a schedule holds (%d)", maxPlanned)
		}
	}
	s.drawn[i] = f.done()
	return nil
}

// rate returns the planned mean rate of phase i, 0 where there is none, and the rate at which a backlog may be judged: the
// highest it has where that is not about the mean.
func (s *Schedule) rate(i int) (mean, peak float64) {
	p, d := &s.phases[i], &s.drawn[i]
	switch a := p.Arrivals.(type) {
	case nil:
		return 0, 0
	case Poisson, Even:
		return a.Mean(), a.Mean()
	case Lasting, requester:
		mean = float64(d.n) / p.For.Seconds()
	default:
		mean = a.Mean()
	}
	return mean, max(mean, d.peak)
}

// stream returns an independent source of randomness for one use in one phase.
func stream(seed uint64, name, use string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(use))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// sum hashes the phases and what was drawn for each.
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
			Closed            *Closed
			Cold              *Cold `json:",omitempty"`
			Mix               []Share
			Prefix            *Prefix
			Session           *Session
			Texts             string
			Users             *Users `json:",omitempty"`
		}{p.Name, string(p.Role), p.Class, p.After, p.For, p.Settle, p.Max, s.drawn[i].n, p.Search, p.Hold, p.Closed, p.Cold, p.Mix, p.Prefix, p.Session, p.Texts.sum(), p.Users})
		h.Write(head)
		h.Write(s.drawn[i].digest[:])
		if p.Closed != nil { // its first requests stand for the settings that they are drawn with
			d := p.drawer(s.seed, slotName(p.Name, 0))
			f := newDigest(&p, s.seed)
			for range 64 {
				r := planned{in: unknown, out: unknown}
				d.fill(&r)
				f.add(&r)
			}
			first := f.done()
			h.Write(first.digest[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash names the schedule: two schedules with the same hash send the same requests at the same instants. What
// a search or a closed loop sends is decided at run time; its settings are in the hash.
func (s *Schedule) Hash() string { return s.hash }

// Requests returns how many requests are fixed, and the most that searches, holds, closed loops and external loads may add; -1 if that is not
// limited. The turns of sessions are counted as if all sessions ended in their phase.
func (s *Schedule) Requests() (fixed, more int) {
	for _, p := range s.phases {
		switch {
		case more >= 0 && p.Cold != nil:
			more += p.Cold.Force
		case more < 0 || p.Search == nil && p.Hold == nil && p.Closed == nil && p.External == nil:
		case p.Max == 0 || p.Session != nil:
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

// length draws a length that fits.
func length(l Lengths, rng *rand.Rand) int32 {
	if l == nil {
		return 0
	}
	return int32(min(max(l.Draw(rng), 0), math.MaxInt32))
}
