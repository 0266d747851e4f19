package plan

import (
	"fmt"
	"strconv"
)

// maxUsers bounds a population.
const maxUsers = 1 << 24

// Users is the population that requests come from. A plain number stands for n.
type Users struct {
	N    int     `yaml:"n" json:"n" jsonschema:"minimum=1,maximum=16777216,description=How many users there are."`
	Skew float64 `yaml:"skew" json:"skew,omitempty" jsonschema:"description=Exponent of Zipf's law by which users ask\\, more than 1. Default: all alike."`
}

func (u *Users) short(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is no number of users; write for example 1000 or {n: 1000, skew: 1.1}", text)
	}
	u.N = n
	return nil
}

// users checks who the requests of a phase belong to.
func (c *checker) users(at string, l *Load) {
	u := l.Users
	if u == nil {
		return
	}
	if u.N < 1 || u.N > maxUsers {
		c.bad(at+".n", "%d is out of range; 1 to %d", u.N, maxUsers)
	}
	if u.Skew != 0 && !(u.Skew > 1 && u.Skew <= 10) {
		c.bad(at+".skew", "%g is out of range; more than 1 and at most 10", u.Skew)
	}
	if l.Closed != nil {
		c.bad(at, "does not go with closed, each of whose slots is a user; leave one out")
	}
	if l.idle() {
		c.bad(at, "stands in a phase without load; leave it out")
	}
}
