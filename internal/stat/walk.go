package stat

// A Decision is what a sequential test came to.
type Decision int

// The decisions.
const (
	Open     Decision = iota // the path lies between the lines
	Accepted                 // the good MTBF, against the bad one
	Rejected
)

// A Stop is where a sequential test ended, or how far it came.
type Stop struct {
	Decision Decision
	At       float64 // in the unit of Good and Bad
	Failures int     // by then
}

// Walk follows failures at some ages, in order, until the test decides: the first line that their path crosses does, whenever and however often somebody looks.
// total is how long was watched.
func (s Sequential) Walk(ages []float64, total float64) Stop {
	for i, age := range ages {
		if accept := s.Accept(i); accept <= age {
			return Stop{Accepted, accept, i}
		}
		if age <= s.Reject(i+1) {
			return Stop{Rejected, age, i + 1}
		}
	}
	if accept := s.Accept(len(ages)); accept <= total {
		return Stop{Accepted, accept, len(ages)}
	}
	return Stop{Open, total, len(ages)}
}

// Sure returns the test whose risks are at most Alpha and Beta, exactly. Wald's lines, which are those of [Sequential.Accept], hold their risks only nearly: the accepting
// line is met and the rejecting one is jumped over, so that of two risks of 5 % that of accepting the bad comes to 5.1 %. The lines at a likelihood ratio of Beta and of 1/Alpha
// hold both, since a ratio that is fair under one hypothesis passes 1/Alpha with a chance of Alpha at most (Ville); they take 2 % longer.
func (s Sequential) Sure() Sequential {
	out, both := s, 1-s.Alpha*s.Beta
	out.Alpha, out.Beta = s.Alpha*(1-s.Beta)/both, s.Beta*(1-s.Alpha)/both
	return out
}
