package store

import (
	"cmp"
	"encoding/binary"
	"unsafe"

	"github.com/assay-dev/assay"
)

// A codec says how one kind of record stands in a log and how it is sorted.
type codec[T any] struct {
	kind    string // as in "requests": directory, counters, messages
	magic   string // the first eight bytes of its log
	encode  func(*batch, *T)
	decode  func(*decoder, *T, *arena)
	compare func(a, b *T) int
}

// An arena holds the lists of the records of one block, so that a block costs a few allocations and not some per record.
type arena struct {
	arrivals []int64
	counts   []int32
	attrs    []assay.Attr
	users    texts
	attr     int // attributes whose value has been read, when keys and values come apart
}

func (a *arena) reset() {
	a.arrivals, a.counts, a.attrs, a.attr = a.arrivals[:0], a.counts[:0], a.attrs[:0], 0
}

// A block is the decoded records of one frame or row group.
type block[T any] struct {
	rows []T
	arena
}

// bytes is the memory that the block takes, leaving out the text of its strings.
func (b *block[T]) bytes() int {
	var t T
	return cap(b.rows)*int(unsafe.Sizeof(t)) + cap(b.arrivals)*8 + cap(b.counts)*4 + cap(b.attrs)*int(unsafe.Sizeof(assay.Attr{}))
}

// decodeFrame decodes the n records of a payload into b, in place of what it holds.
func (c *codec[T]) decodeFrame(d *decoder, payload []byte, n int, b *block[T]) error {
	b.reset()
	if n > len(payload) {
		return errCorrupt // every record takes more than a byte: the count is wrong
	}
	if cap(b.rows) < n {
		b.rows = make([]T, n)
	}
	b.rows = b.rows[:n]
	d.start(payload)
	for i := range b.rows {
		var zero T
		b.rows[i] = zero
		c.decode(d, &b.rows[i], &b.arena)
		if d.bad {
			return errCorrupt
		}
	}
	if len(d.b) != 0 {
		return errCorrupt
	}
	return nil
}

var requestCodec = &codec[assay.Request]{
	kind: "requests", magic: "assayRQ1",
	encode: encodeRequest, decode: decodeRequest, compare: compareRequests,
}

// The flags of a request.
const (
	flagNoSchedule = 1 << iota
	flagForced
	flagCanary
	flagTrace
	flagSpan
	flagCounts
	flagUser
	requestFlags // a decoder refuses what it does not know
)

// The instants that a request has, besides Due.
const (
	hasSent = 1 << iota
	hasFirstByte
	hasFirstToken
	hasEnd
	instants
)

func encodeRequest(b *batch, r *assay.Request) {
	flags := bit(r.NoSchedule, flagNoSchedule) | bit(r.Forced, flagForced) | bit(r.Canary, flagCanary) |
		bit(!r.TraceID.IsZero(), flagTrace) | bit(!r.SpanID.IsZero(), flagSpan) | bit(r.Counts != nil, flagCounts) | bit(r.User != "", flagUser)
	has := bit(r.Sent != 0, hasSent) | bit(r.FirstByte != 0, hasFirstByte) |
		bit(r.FirstToken != 0, hasFirstToken) | bit(r.End != 0, hasEnd)
	b.buf = append(b.buf, flags, has, byte(r.Outcome), byte(r.Cold))
	b.uint(r.ID)
	b.int(int64(r.Attempt))
	b.int(int64(r.Status))
	b.string(slotPhase, r.Phase)
	b.string(slotClass, r.Class)
	b.string(slotInstance, r.Instance)
	b.string(slotError, r.Error)
	if flags&flagUser != 0 { // as it stands: an entry of the dictionary would cost memory for each of a million, and a pseudonym is not long
		b.literal(r.User)
	}
	if flags&flagTrace != 0 {
		b.buf = append(b.buf, r.TraceID[:]...)
	}
	if flags&flagSpan != 0 {
		b.buf = append(b.buf, r.SpanID[:]...)
	}
	b.int(r.Due - b.prev)
	b.prev = r.Due
	t := r.Due
	for i, v := range [...]int64{r.Sent, r.FirstByte, r.FirstToken, r.End} {
		if has&(1<<i) != 0 {
			b.int(v - t)
			t = v
		}
	}
	b.uint(uint64(len(r.Arrivals)))
	t = r.FirstToken
	buf := b.buf // in a register, for the one loop that counts
	for _, v := range r.Arrivals {
		buf = binary.AppendVarint(buf, v-t)
		t = v
	}
	b.buf = buf
	if flags&flagCounts != 0 {
		b.uint(uint64(len(r.Counts)))
		for _, v := range r.Counts {
			b.int(int64(v))
		}
	}
	b.int(int64(r.TokensIn))
	b.int(int64(r.TokensOut))
	b.int(int64(r.TokensAsked))
	b.int(r.BytesOut)
	b.int(r.BytesIn)
	b.int(r.RetryAfter)
	b.n++
}

func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

func decodeRequest(d *decoder, r *assay.Request, a *arena) {
	flags, has := d.byte(), d.byte()
	if flags >= requestFlags || has >= instants {
		d.fail()
		return
	}
	r.NoSchedule, r.Forced, r.Canary = flags&flagNoSchedule != 0, flags&flagForced != 0, flags&flagCanary != 0
	r.Outcome, r.Cold = assay.Outcome(d.byte()), assay.Cold(d.byte())
	r.ID = d.uint()
	r.Attempt = int32(d.int())
	r.Status = int32(d.int())
	r.Phase, r.Class, r.Instance, r.Error = d.string(), d.string(), d.string(), d.string()
	if flags&flagUser != 0 {
		r.User = a.users.of(d.bytes(d.uint()))
	}
	if flags&flagTrace != 0 {
		copy(r.TraceID[:], d.bytes(16))
	}
	if flags&flagSpan != 0 {
		copy(r.SpanID[:], d.bytes(8))
	}
	d.prev += d.int()
	r.Due = d.prev
	t := r.Due
	for i, v := range [...]*int64{&r.Sent, &r.FirstByte, &r.FirstToken, &r.End} {
		if has&(1<<i) != 0 {
			t += d.int()
			*v = t
		}
	}
	if n := d.count(); n > 0 {
		from := len(a.arrivals)
		t = r.FirstToken
		for range n {
			t += d.int()
			a.arrivals = append(a.arrivals, t)
		}
		r.Arrivals = a.arrivals[from:len(a.arrivals):len(a.arrivals)]
	}
	if flags&flagCounts != 0 {
		from := len(a.counts)
		for range d.count() {
			a.counts = append(a.counts, int32(d.int()))
		}
		r.Counts = a.counts[from:len(a.counts):len(a.counts)]
	}
	r.TokensIn, r.TokensOut, r.TokensAsked = int32(d.int()), int32(d.int()), int32(d.int())
	r.BytesOut, r.BytesIn, r.RetryAfter = d.int(), d.int(), d.int()
}

// compareRequests is the order of a run's requests: by due, ties by number and attempt.
func compareRequests(a, b *assay.Request) int {
	if a.Due != b.Due {
		return cmp.Compare(a.Due, b.Due)
	}
	if a.ID != b.ID {
		return cmp.Compare(a.ID, b.ID)
	}
	return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Sent, b.Sent), cmp.Compare(a.End, b.End))
}
