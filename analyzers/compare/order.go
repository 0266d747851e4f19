package compare

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// turns returns in which order the runs of two sides were made, A for one of the base, and what that order is. The
// runs of each side are in order of time.
func turns(base, other []Run) (string, assay.Turns) {
	var b strings.Builder
	i, j := 0, 0
	var last int64
	atOnce := false
	for i < len(base) || j < len(other) {
		var r *Run
		if j == len(other) || i < len(base) && base[i].begin() <= other[j].begin() {
			r = &base[i]
			b.WriteByte('A')
			i++
		} else {
			r = &other[j]
			b.WriteByte('B')
			j++
		}
		if r.begin() == 0 {
			return "", assay.TurnsUnknown
		}
		atOnce = atOnce || r.begin() < last
		last = max(last, r.end())
	}
	order := b.String()
	if atOnce {
		return order, assay.TurnsAtOnce
	}
	return order, orderOf(order)
}

// orderOf tells what an order of As and Bs is.
func orderOf(order string) assay.Turns {
	switches, apart := 0, 0
	for i := 1; i < len(order); i++ {
		if order[i] != order[i-1] {
			switches++
		}
	}
	for i := 0; i+1 < len(order); i += 2 {
		if order[i] == order[i+1] {
			apart++
		}
	}
	switch {
	case apart == 0:
		return assay.TurnsTaken
	case switches <= 1:
		return assay.TurnsNone
	}
	return assay.TurnsPartly
}

// orderDoubt says what an order lets doubt, or "".
func orderDoubt(name, order string, t assay.Turns) string {
	switch t {
	case assay.TurnsNone:
		return fmt.Sprintf("the runs of %s were made apart from those of the base (%s): whatever else changed in between looks like a change of release; take turns (ABAB)", name, order)
	case assay.TurnsPartly:
		return fmt.Sprintf("the runs of %s and of the base took turns only in part (%s): what drifts with time may look like a change of release", name, order)
	case assay.TurnsAtOnce:
		return fmt.Sprintf("runs of %s and of the base were made at the same time (%s): they may have shared what they ran on, and hidden or made a change", name, order)
	case assay.TurnsUnknown:
		return fmt.Sprintf("the runs of %s or of the base do not tell when they were made: whether they took turns is not known", name)
	}
	return ""
}
