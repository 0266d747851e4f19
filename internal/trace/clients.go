package trace

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
)

// clients draws arrivals from ServeGen's client windows, one file a client, all at once. A row is the begin of a window in seconds,
// requests per second, coefficient of variation, distribution of the gaps (Gamma or Weibull, or none for
// exponential), its shape and scale. The gaps have the shape of the distribution and the mean of
// the rate; the scale says nothing more and only has to be a number. A window lasts until the next begins, the last as long as the one before it or 600 s. A
// window without a rate has no requests. The process of a client goes on across windows: what is left of a gap at a bound is
// kept as a share of it.
type clients struct {
	src   *source
	ready bool
	queue queue // the next arrival of each client; Line is the client's index
	list  []*client
}

func newClients(s *source) reader { return &clients{src: s} }

func (c *clients) next(it *Item) error {
	if !c.ready {
		c.ready = true
		for i, path := range c.src.Paths {
			in, err := c.src.file(path)
			if err != nil {
				return err
			}
			// A client is drawn by its name: leaving another out changes nothing for it.
			h := fnv.New64a()
			h.Write([]byte(filepath.Base(path)))
			one := &client{in: in, rng: rand.New(rand.NewPCG(c.src.seed, h.Sum64())), step: 600}
			c.list = append(c.list, one)
			if err := one.begin(); err != nil {
				return err
			}
			if err := c.add(i); err != nil {
				return err
			}
		}
	}
	if c.queue.len() == 0 {
		return io.EOF
	}
	*it = c.queue.pop()
	i := it.Line
	it.Line = c.list[i].in.n
	return c.add(i)
}

// add queues the next arrival of client i.
func (c *clients) add(i int) error {
	at, err := c.list[i].next()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	c.queue.push(Item{At: int64(math.Round(at * 1e9)), In: Unknown, Out: Unknown, Line: i})
	return nil
}

// A client is one file of windows.
type client struct {
	in    *lines
	rng   *rand.Rand
	now   window
	ahead window
	more  bool    // ahead is there
	step  float64 // length of the last window that had one
	s     float64 // expected number of arrivals from now.begin to the next one
}

type window struct {
	begin, end, rate float64
	gap              Gap
}

// begin reads the first two windows.
func (c *client) begin() error {
	w, err := c.read()
	if err == io.EOF {
		return fmt.Errorf("read trace %s: it has no windows", c.in.path)
	}
	if err != nil {
		return err
	}
	c.ahead, c.more = w, true
	if err := c.shift(); err != nil {
		return err
	}
	// The process has run for a while: the first arrival is the end of a gap that is under way.
	for c.s = -100; c.s < 0; {
		c.s += c.now.gap(c.rng)
	}
	return nil
}

// shift makes the window ahead the current one.
func (c *client) shift() error {
	if !c.more {
		return io.EOF
	}
	c.now = c.ahead
	w, err := c.read()
	switch {
	case err == io.EOF:
		c.more = false
		c.now.end = c.now.begin + c.step
		return nil
	case err != nil:
		return err
	case w.begin <= c.now.begin:
		return fmt.Errorf("%s:%d: the window begins at %g s: want after the one before, %g s", c.in.path, c.in.n, w.begin, c.now.begin)
	}
	c.ahead, c.now.end = w, w.begin
	c.step = w.begin - c.now.begin
	return nil
}

// next returns the next arrival, in seconds.
func (c *client) next() (float64, error) {
	for {
		if total := c.now.rate * (c.now.end - c.now.begin); c.s >= total {
			c.s -= total
			if err := c.shift(); err != nil {
				return 0, err
			}
			continue
		}
		at := c.now.begin + c.s/c.now.rate
		c.s += c.now.gap(c.rng)
		return at, nil
	}
}

// read reads one row.
func (c *client) read() (window, error) {
	for {
		b, err := c.in.next()
		if err != nil {
			return window{}, err
		}
		f := bytes.Split(b, []byte(","))
		for i := range f {
			f[i] = trim(f[i])
		}
		begin, err := strconv.ParseFloat(string(f[0]), 64)
		if err != nil && c.in.n == 1 {
			continue // a header
		}
		if err != nil || !(begin >= 0 && begin < 1e9) {
			return window{}, c.in.bad("window", f[0], "a number of seconds")
		}
		if len(f) < 2 || len(f) > 6 {
			return window{}, c.in.bad("the row", b, "begin, rate, cv, distribution, shape and scale")
		}
		w := window{begin: begin, gap: GammaGap(1)}
		var v [6]float64
		for i := 1; i < len(f); i++ {
			if len(f[i]) == 0 || i == 3 {
				continue
			}
			if v[i], err = strconv.ParseFloat(string(f[i]), 64); err != nil || !(v[i] >= 0 && v[i] <= 1e6) {
				return window{}, c.in.bad([]string{"", "rate", "cv", "", "shape", "scale"}[i], f[i], "a number from 0 to 1000000")
			}
		}
		w.rate = v[1]
		if len(f) > 3 && w.rate > 0 {
			switch name := strings.ToLower(string(f[3])); {
			case name == "" || name == "exponential" || name == "poisson":
			case v[4] < 0.05 || v[4] > 1e5:
				return window{}, c.in.bad("shape", f[min(4, len(f)-1)], "between 0.05 and 100000")
			case name == "gamma":
				w.gap = GammaGap(v[4])
			case name == "weibull":
				w.gap = WeibullGap(v[4])
			default:
				return window{}, c.in.bad("distribution", f[3], "Gamma or Weibull")
			}
		}
		return w, nil
	}
}
