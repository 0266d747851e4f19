package trace

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// minutes reads Azure Functions 2019: a row for each function with its invocations in each minute of a day. It
// adds up the functions, so that memory does not grow with them: which function an
// invocation was of is lost. It spreads the invocations of a minute itself, since they may be too many to lie in memory.
type minutes struct {
	src    *source
	rng    *rand.Rand
	day    int
	line   int
	counts []int64
	at     int     // minute
	done   int64   // invocations of it
	share  float64 // of the minute that has passed
}

// maxMinutes bounds the columns: a day.
const maxMinutes = 1440

// minuteColumns is how many columns stand before those of the minutes.
const minuteColumns = 4

func newMinutes(s *source) reader {
	return &minutes{src: s, day: -1, rng: rand.New(rand.NewPCG(s.seed, 2019))}
}

func (m *minutes) next(it *Item) error {
	for {
		for ; m.at < len(m.counts); m.at++ {
			if left := m.counts[m.at] - m.done; left > 0 {
				at := int64(m.day)*int64(24*time.Hour) + int64(m.at)*int64(time.Minute)
				switch m.src.Spread {
				case "even":
					m.share = float64(m.done) / float64(m.counts[m.at])
				case "random": // the least of those that are left, given the last one
					m.share = 1 - (1-m.share)*math.Pow(1-m.rng.Float64(), 1/float64(left))
				}
				m.done++
				*it = Item{In: Unknown, Out: Unknown, Line: m.line, At: at + int64(m.share*float64(m.src.Step))}
				return nil
			}
			m.done, m.share = 0, 0
		}
		if m.day++; m.day == len(m.src.Paths) {
			return io.EOF
		}
		if err := m.read(m.src.Paths[m.day]); err != nil {
			return err
		}
	}
}

// read adds up the rows of one day.
func (m *minutes) read(path string) error {
	in, err := m.src.file(path)
	if err != nil {
		return err
	}
	defer in.close()
	b, err := in.next()
	if err == io.EOF {
		return fmt.Errorf("read trace %s: it is empty", path)
	}
	if err != nil {
		return err
	}
	columns := bytes.Count(b, []byte(",")) + 1 - minuteColumns
	if columns < 1 || columns > maxMinutes || !bytes.HasPrefix(bytes.ToLower(b), []byte("hashowner,")) {
		return in.bad("the header", b, "HashOwner,HashApp,HashFunction,Trigger and up to 1440 minutes")
	}
	m.counts, m.at = make([]int64, columns), 0
	total := int64(0)
	for {
		b, err := in.next()
		if err == io.EOF {
			m.line = in.n
			return nil
		}
		if err != nil {
			return err
		}
		column := -minuteColumns
		for f := range bytes.SplitSeq(b, []byte(",")) {
			if column >= 0 {
				n, err := strconv.ParseInt(string(trim(f)), 10, 64)
				if err != nil || n < 0 || n > 1<<33 {
					return in.bad("minute "+strconv.Itoa(column+1), f, "a count of invocations")
				}
				if column >= columns {
					return in.bad("the row", b, fmt.Sprintf("%d minutes, as the header says", columns))
				}
				m.counts[column] += n
				if total += n; total > 1<<33 {
					return in.bad("the row", b, "fewer invocations in all")
				}
			}
			column++
		}
		if column != columns {
			return in.bad("the row", b, fmt.Sprintf("%d minutes, as the header says", columns))
		}
	}
}
