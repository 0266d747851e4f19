package stat

import "math"

const (
	// spellGap is how many of the frequent kind in a row end a spell of the rarer one.
	spellGap = 5
	// spellsRare is the share from which on so many in a row are rare by themselves, so that each run is a spell.
	spellsRare = 0.1
	// fewSpells is how many spells it takes for their variance to be known from blocks.
	fewSpells = 20
	// spellSigma is how variable the lengths of few spells are taken to be: somewhat more than exponential ones. [SigmaMost] would leave next to nothing known of a share after four spells.
	spellSigma = 1.25
)

// Spells counts in how many spells the two kinds of a sequence come, such as requests that were good and that were not. The zero value is empty.
type Spells struct {
	ones, zeros, runs Clusters
}

// Add takes the next of the sequence.
func (s *Spells) Add(one bool) {
	s.ones.Gap, s.zeros.Gap = spellGap, spellGap
	s.ones.Add(one)
	s.zeros.Add(!one)
	s.runs.Add(one)
}

// Join takes another sequence, to which nothing is added any more.
func (s *Spells) Join(o *Spells) {
	for _, c := range [][2]*Clusters{{&s.ones, &o.ones}, {&s.zeros, &o.zeros}, {&s.runs, &o.runs}} {
		c[0].N, c[0].Good, c[0].Bad = c[0].N+c[1].N, c[0].Good+c[1].Good, c[0].Bad+c[1].Bad
	}
}

// Rarer returns in how many spells the rarer of both kinds came.
func (s *Spells) Rarer() int {
	n := s.ones.Good + s.ones.Bad
	switch rare := min(s.ones.Good, s.ones.Bad); {
	case float64(rare) > spellsRare*float64(n):
		return s.runs.N
	case s.ones.Bad > s.ones.Good:
		return s.zeros.N
	}
	return s.ones.N
}

// Interval returns the interval of the share of ones of a sequence that is worth so many independent values: see [SpellsInterval].
func (s *Spells) Interval(worth, confidence float64) (in Interval, few bool) {
	return SpellsInterval(float64(s.ones.Bad)/float64(s.ones.Good+s.ones.Bad), worth, s.Rarer(), confidence)
}

// SpellsInterval returns the interval of a share that worth independent values show, as [Effective] says, whose rarer kind came in so many spells. It is Wilson's; with fewer than twenty spells,
// of whose lengths blocks tell too little, it also holds what the rate of spells times their mean length may be, by [Unavailability], and few says so. Wilson's alone covers
// .88 to .92 then at a nominal 95 %, both together .95 to .99 of exponential and of lognormal lengths with a sigma of up to 1.5.
func SpellsInterval(share, worth float64, spells int, confidence float64) (in Interval, few bool) {
	in = Wilson(share*worth, worth, confidence)
	rare := math.Min(share, 1-share)
	if spells == 0 || spells >= fewSpells || rare == 0 {
		return in, false
	}
	c := Unavailability(1-rare, rare, spells, spellSigma, confidence)
	if share > 0.5 {
		c.Lo, c.Hi = 1-c.Hi, 1-c.Lo
	}
	return Interval{math.Min(in.Lo, c.Lo), math.Max(in.Hi, c.Hi), confidence}, true
}
