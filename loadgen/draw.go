package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// unknown is a length that the arrivals do not give.
const unknown = -1

// A requester is an Arrivals that brings whole requests with it, not instants only.
type requester interface {
	Arrivals
	requests(d time.Duration, rng *rand.Rand) iter.Seq2[trace.Item, error]
	window() time.Duration // length of the recording; 0: until its last request
}

// requests draws the requests of one phase or one step of a search, under the given name. A d of 0 means until the arrivals end.
// After an error there is no more.
func (p *Phase) requests(name string, a Arrivals, d time.Duration, seed uint64, limit int) iter.Seq2[planned, error] {
	return func(yield func(planned, error) bool) {
		rng, draw, n := stream(seed, name, "arrivals"), p.drawer(seed, name), 0
		one := func(r planned) bool {
			draw.fill(&r)
			n++
			return yield(r, nil) && n != limit
		}
		switch a := a.(type) {
		case requester:
			if d == 0 {
				d = math.MaxInt64
			}
			for it, err := range a.requests(d, rng) {
				if err != nil {
					yield(planned{}, err)
					return
				}
				r := planned{due: it.At, in: it.In, out: it.Out, label: it.Class, user: it.Session, block: int32(it.BlockTokens)}
				if len(it.Blocks) > 0 {
					blocks := it.Blocks
					r.blocks = &blocks
				}
				if !one(r) {
					return
				}
			}
		case Streamer:
			for at := range a.Each(d, rng) {
				if !one(planned{due: at, in: unknown, out: unknown}) {
					return
				}
			}
		default:
			for _, at := range a.Due(nil, d, rng) {
				if !one(planned{due: at, in: unknown, out: unknown}) {
					return
				}
			}
		}
	}
}

// draw returns the requests of a phase that is short: a step of a search or a hold.
func (p *Phase) draw(name string, a Arrivals, d time.Duration, seed uint64, limit int) []planned {
	var plan []planned
	for r := range p.requests(name, a, d, seed, limit) { // no error: neither has a trace
		plan = append(plan, r)
	}
	return plan
}

// A drawer adds to an arrival all that is drawn beside its instant. Each use has randomness of its own, so that a change of one
// setting leaves the rest as it was.
type drawer struct {
	p                                   *Phase
	lengths, mix, prefix, turns, random *rand.Rand
	total                               float64 // of the mix's weights
	texts                               int
	zipf                                *rand.Zipf
	crowd                               *crowd
}

func (p *Phase) drawer(seed uint64, name string) *drawer {
	d := &drawer{p: p, lengths: stream(seed, name, "lengths")}
	for _, s := range p.Mix {
		d.total += s.Weight
	}
	if p.Mix != nil {
		d.mix = stream(seed, name, "mix")
	}
	if p.Prefix != nil {
		d.prefix = stream(seed, name, "prefix")
		if p.Prefix.Skew > 0 {
			d.zipf = rand.NewZipf(d.prefix, p.Prefix.Skew, 1, uint64(p.Prefix.Groups-1))
		}
	}
	if p.Session != nil {
		d.turns = stream(seed, name, "turns")
	}
	if p.Texts != nil && p.Texts.Random {
		d.random = stream(seed, name, "texts")
	}
	if p.Users != nil {
		d.crowd = p.Users.crowd(stream(seed, name, "users"))
	}
	return d
}

// fill completes r.
func (d *drawer) fill(r *planned) {
	prompt, output := d.p.Prompt, d.p.Output
	if d.mix != nil {
		at := d.mix.Float64() * d.total
		for i, s := range d.p.Mix {
			if at -= s.Weight; at < 0 || i == len(d.p.Mix)-1 {
				r.class = int32(i + 1)
				if s.Prompt != nil {
					prompt = s.Prompt
				}
				if s.Output != nil {
					output = s.Output
				}
				break
			}
		}
	}
	if d.p.Texts != nil {
		r.text = int32(d.texts%len(d.p.Texts.list)) + 1
		if d.random != nil {
			r.text = int32(d.random.IntN(len(d.p.Texts.list))) + 1
		}
		d.texts++
		t := &d.p.Texts.list[r.text-1]
		r.in = int32(t.In)
		if t.Out > 0 {
			r.out = int32(t.Out)
		}
	}
	if r.in == unknown {
		r.in = length(prompt, d.lengths)
	}
	if r.out == unknown {
		r.out = length(output, d.lengths)
	}
	if d.prefix != nil && d.prefix.Float64() < d.p.Prefix.Share {
		if d.zipf != nil {
			r.prefix = int32(d.zipf.Uint64()) + 1
		} else {
			r.prefix = int32(d.prefix.IntN(d.p.Prefix.Groups)) + 1
		}
	}
	if d.turns != nil {
		r.turns = max(1, length(d.p.Session.Turns, d.turns))
	}
	if d.crowd != nil && r.user == 0 {
		r.user = userOf("", d.crowd.next())
	}
}

// A digest hashes and counts requests.
type digest struct {
	drawn
	p     *Phase
	seed  uint64
	h     hash.Hash
	buf   []byte
	bin   int64 // tenth of a second
	inBin int
}

func newDigest(p *Phase, seed uint64) *digest {
	return &digest{p: p, seed: seed, h: sha256.New(), buf: make([]byte, 0, 4096)}
}

func (f *digest) add(r *planned) {
	f.n++
	first := uint64(f.ids + 1)
	f.ids += max(1, int(r.turns))
	f.in, f.out = f.in+float64(max(0, r.in)), f.out+float64(max(0, r.out))
	f.last = max(f.last, r.due)
	if bin := r.due / 1e8; bin != f.bin {
		f.bin, f.inBin = bin, 0
	}
	f.inBin++
	f.peak = max(f.peak, 10*float64(f.inBin))
	b := f.buf
	b = binary.LittleEndian.AppendUint64(b, uint64(r.due))
	for _, v := range []int32{r.in, r.out, r.class, r.prefix, r.text, r.turns, r.block, int32(len(r.ids())), int32(len(r.label))} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	b = append(b, r.label...)
	for _, id := range r.ids() {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	if r.user != 0 {
		b = binary.LittleEndian.AppendUint64(b, r.user)
	}
	if r.turns > 1 {
		t := f.p.talk(f.seed, first, r.class)
		sofar := float64(max(0, r.in) + max(0, r.out))
		for range r.turns - 1 {
			in, out, think := t.next()
			f.in, f.out = f.in+sofar+float64(in), f.out+float64(out)
			sofar += float64(in) + float64(out)
			b = binary.LittleEndian.AppendUint32(b, uint32(in))
			b = binary.LittleEndian.AppendUint32(b, uint32(out))
			b = binary.LittleEndian.AppendUint64(b, uint64(think))
		}
	}
	if len(b) >= 2048 {
		f.h.Write(b)
		b = b[:0]
	}
	f.buf = b
}

func (f *digest) done() drawn {
	f.h.Write(f.buf)
	f.buf = f.buf[:0]
	f.h.Sum(f.digest[:0])
	return f.drawn
}
