package front

import (
	"cmp"

	"github.com/assay-dev/assay"
)

// counts are the counters of one log. They are told once a second of the log's own time, beginning with zeros, so that their growth is that of the log.
type counts struct {
	second int64 // Unix: the one that is under way
	last   int64 // Unix ns: the latest end of a request in it
	told   int64 // Unix ns: when the counters were told last
	begun  bool
	dirty  bool
	labels []assay.Label

	codes   [1000]int64
	gone    int64
	retries int64
	asked   bool // some line told how often it asked
	sums    [families]struct {
		n, ns int64
	}
	sample assay.Sample
}

// The families of times.
const (
	famRequest = iota
	famUpstream
	famConnect
	famFirst
	famHop
	families
)

var familyNames = [families]string{"request_seconds", "upstream_seconds", "upstream_connect_seconds", "upstream_first_byte_seconds", "hop_seconds"}

// add counts a line, and tells what was counted before where its second is a later one. Lines are written at the end of their requests, so those
// of one worker are in order and those of several nearly: one that is late counts in the second that is under way.
func (c *counts) add(d *decoder, e *entry) error {
	end := cmp.Or(e.end, e.begin)
	if d.now != nil {
		var err error
		if end, err = c.live(d, end); err != nil {
			return err
		}
	}
	if s := end / 1e9; !c.begun || s > c.second {
		if err := c.tell(d); err != nil {
			return err
		}
		if c.second = s; !c.begun {
			c.begun = true
			c.labels = []assay.Label{{Name: "log", Value: d.log}}
			if err := c.one(d, "client_gone_total", c.before(), 0); err != nil {
				return err
			}
		}
	}
	c.dirty = true
	c.last = max(c.last, end)
	if c.codes[e.code]++; c.codes[e.code] == 1 {
		if err := c.one(d, "requests_total", c.before(), 0, assay.Label{Name: "code", Value: code(e.code)}); err != nil {
			return err
		}
	}
	if e.gone {
		c.gone++
	}
	if e.retries >= 0 {
		if c.retries += e.retries; !c.asked {
			c.asked = true
			if err := c.one(d, "upstream_retries_total", c.before(), 0); err != nil {
				return err
			}
		}
	}
	for i, t := range [families]int64{e.took, e.upstream, e.connect, e.first, e.hop} {
		if t < 0 {
			continue
		}
		c.sums[i].ns += t
		if c.sums[i].n++; c.sums[i].n == 1 {
			if err := c.time(d, i, c.before(), 0, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// live returns when a line that is written now counts: not ahead of now, or what comes after it would wait for that second, nor long ago. Where the
// clock itself was set back by more than a bit, the counters go on from now.
func (c *counts) live(d *decoder, end int64) (int64, error) {
	now := d.now()
	if c.begun && c.second*1e9 > now+3e9 {
		if err := c.tell(d); err != nil {
			return 0, err
		}
		c.second, c.last, c.told = now/1e9-1, 0, 0
	}
	if end > now || end < now-slack {
		end = now
	}
	return end, nil
}

// before is when a counter that is new in this second was zero: a second before, so that a look once a second meets it.
func (c *counts) before() int64 { return c.second*1e9 - 1e9 }

// tell emits the counters as they stand at the end of the second that is under way.
func (c *counts) tell(d *decoder) error {
	if !c.dirty {
		return nil
	}
	c.dirty = false
	at := max(c.last, c.told+1_000_000)
	c.told = at
	for status, n := range c.codes {
		if n == 0 {
			continue
		}
		if err := c.one(d, "requests_total", at, float64(n), assay.Label{Name: "code", Value: code(int32(status))}); err != nil {
			return err
		}
	}
	if err := c.one(d, "client_gone_total", at, float64(c.gone)); err != nil {
		return err
	}
	if c.asked {
		if err := c.one(d, "upstream_retries_total", at, float64(c.retries)); err != nil {
			return err
		}
	}
	for i, s := range c.sums {
		if s.n == 0 {
			continue
		}
		if err := c.time(d, i, at, s.ns, s.n); err != nil {
			return err
		}
	}
	return nil
}

// time emits the sum and the number of the times of a family.
func (c *counts) time(d *decoder, family int, at, ns, n int64) error {
	if err := c.one(d, familyNames[family]+"_sum", at, float64(ns)/1e9); err != nil {
		return err
	}
	return c.one(d, familyNames[family]+"_count", at, float64(n))
}

func (c *counts) one(d *decoder, name string, at int64, v float64, more ...assay.Label) error {
	c.sample = assay.Sample{Name: d.name(d.kind + "_log_" + name), Time: d.run(at), Value: v, Labels: append(more, c.labels...)}
	return d.emit(&c.sample)
}
