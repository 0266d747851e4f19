package loadgen

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/assay-dev/assay"
)

// Users is the population that the requests of an open load come from: with Skew user k asks in proportion to 1/k to the power of Skew (Zipf's law), else all alike. They are the
// same in all phases of a run. Each session is one user's.
//
// Who a request belongs to where there is no population: a session is a user, a slot of a closed loop is one, and a replayed trace tells, or does not. The requests of any other
// load are of nobody, since to make one up would be to claim that no two of them hurt the same person.
type Users struct {
	N    int
	Skew float64 // exponent of Zipf's law, more than 1; 0: all alike
}

// maxUsers bounds a population.
const maxUsers = 1 << 24

func (u *Users) check(p *Phase) error {
	switch {
	case u.N < 1 || u.N > maxUsers:
		return fmt.Errorf("users: %d of them: want 1 to %d", u.N, maxUsers)
	case u.Skew != 0 && !(u.Skew > 1 && u.Skew <= 10):
		return fmt.Errorf("users: skew %g: want 0, or more than 1 and at most 10", u.Skew)
	case p.Closed != nil:
		return errors.New("users: each slot of a closed loop is a user already")
	}
	return nil
}

// A crowd draws the users of the requests of a phase.
type crowd struct {
	n    int
	rng  *rand.Rand
	zipf *rand.Zipf
}

func (u *Users) crowd(rng *rand.Rand) *crowd {
	c := &crowd{n: u.N, rng: rng}
	if u.Skew > 0 {
		c.zipf = rand.NewZipf(rng, u.Skew, 1, uint64(u.N-1))
	}
	return c
}

// next returns the number of a user, from 1.
func (c *crowd) next() uint64 {
	if c.zipf != nil {
		return c.zipf.Uint64() + 1
	}
	return c.rng.Uint64N(uint64(c.n)) + 1
}

// userOf returns what stands for the nth user, or session, of a group: the population, whose name is "", or those of a phase. It is never 0.
func userOf(group string, n uint64) uint64 {
	h := uint64(14695981039346656037) // FNV-1a: it must not cost memory
	for i := range len(group) {
		h = (h ^ uint64(group[i])) * 1099511628211
	}
	h += n * 0x9e3779b97f4a7c15 // SplitMix64: numbers that follow one another have nothing in common
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return max(1, h^h>>31)
}

// userName returns the pseudonym of a user, "" for 0.
func userName(id uint64) string {
	if id == 0 {
		return ""
	}
	var b [assay.PseudonymLen]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[id&15]
		id >>= 4
	}
	return string(b[:])
}

// own makes the session that a request begins its user, where it has none.
func (p *Phase) own(r *planned, session uint64) {
	if r.user == 0 && p.Session != nil {
		r.user = userOf(p.Name, session)
	}
}
