package store

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
)

const (
	samplesPerBatch = 16 << 10
	sampleBatches   = 16
	maintainEvery   = time.Minute
)

// A look is the head of one scrape in a batch, or of a row of samples that came on their own.
type look struct {
	target string
	time   int64
	took   int64
	failed bool
	gone   bool // the target is no longer known
	alone  bool // samples of no scrape
	n      int  // samples
}

// A sampleBatch holds copies of scrapes and samples on their way to the TSDB.
type sampleBatch struct {
	looks   []look
	samples []assay.Sample
	labels  []assay.Label
}

func (b *sampleBatch) reset() {
	b.looks, b.samples, b.labels = b.looks[:0], b.samples[:0], b.labels[:0]
}

func (b *sampleBatch) add(s *assay.Sample) {
	from := len(b.labels)
	b.labels = append(b.labels, s.Labels...)
	c := *s
	c.Labels = b.labels[from:len(b.labels):len(b.labels)]
	b.samples = append(b.samples, c)
}

// A sampleIntake takes samples from many goroutines and brings them to the TSDB through one.
type sampleIntake struct {
	mu     sync.Mutex
	b      *sampleBatch
	closed bool
	taken  int64
	looks  int64

	free chan *sampleBatch
	full chan *sampleBatch
	stop chan struct{}
	done chan struct{}

	db        *tsdbWriter
	failed    func(error)
	broken    *atomic.Pointer[error] // the first failed write of the whole run
	dropped   atomic.Int64           // samples that found no room
	lost      atomic.Int64           // samples offered after the disk had failed
	lostTaken atomic.Int64           // taken before, and not written
	limited   atomic.Int64           // samples beyond a limit
}

func newSampleIntake(db *tsdbWriter, broken *atomic.Pointer[error], failed func(error)) *sampleIntake {
	in := &sampleIntake{
		db: db, broken: broken, failed: failed,
		free: make(chan *sampleBatch, sampleBatches), full: make(chan *sampleBatch, sampleBatches),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range sampleBatches {
		in.free <- new(sampleBatch)
	}
	go in.run()
	return in
}

// addSample copies one sample.
func (in *sampleIntake) addSample(s *assay.Sample, patient bool) error {
	if err := checkSample(s); err != nil {
		in.limited.Add(1)
		return err
	}
	return in.add(1, patient, func(b *sampleBatch) {
		b.add(s)
		if n := len(b.looks); n > 0 && b.looks[n-1].alone {
			b.looks[n-1].n++
		} else {
			b.looks = append(b.looks, look{alone: true, n: 1})
		}
	})
}

// addScrape copies a scrape, less the samples that are beyond a limit.
func (in *sampleIntake) addScrape(s *assay.Scrape, patient bool) error {
	var bad map[int]bool
	for i := range s.Samples {
		if checkSample(&s.Samples[i]) != nil {
			if bad == nil {
				bad = map[int]bool{}
			}
			bad[i] = true
		}
	}
	return in.add(len(s.Samples)-len(bad), patient, func(b *sampleBatch) {
		in.looks++
		in.limited.Add(int64(len(bad)))
		l := look{target: s.Target, time: s.Time, took: s.Took, failed: s.Error != "", gone: s.Gone}
		for i := range s.Samples {
			if bad == nil || !bad[i] {
				b.add(&s.Samples[i])
				l.n++
			}
		}
		b.looks = append(b.looks, l)
	})
}

// add lets put copy n samples into the batch. Those that find no room count as dropped, unless they are patient: then they come again.
func (in *sampleIntake) add(n int, patient bool, put func(*sampleBatch)) error {
	if err := in.broken.Load(); err != nil {
		in.lost.Add(int64(n))
		return *err
	}
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return ErrClosed
	}
	if in.b == nil {
		select {
		case in.b = <-in.free:
		default:
			in.mu.Unlock()
			if !patient {
				in.dropped.Add(int64(n))
			}
			return ErrFull
		}
	}
	put(in.b)
	in.taken += int64(n)
	if len(in.b.samples) >= samplesPerBatch {
		// Under the lock, or batches could overtake one another and with them the scrapes of a
		// target. It does not wait: there is room for every batch there is.
		in.full <- in.b
		in.b = nil
	}
	in.mu.Unlock()
	return nil
}

func (in *sampleIntake) run() {
	defer close(in.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	maintain := time.NewTicker(maintainEvery)
	defer maintain.Stop()
	for odd := false; ; {
		select {
		case b := <-in.full:
			in.write(b)
		case <-tick.C:
			in.drain(false)
			if odd = !odd; odd {
				in.do(in.db.sync)
			}
		case <-maintain.C:
			in.do(in.db.maintain)
		case <-in.stop:
			in.drain(true)
			in.do(in.db.sync)
			return
		}
	}
}

func (in *sampleIntake) drain(last bool) {
	in.mu.Lock()
	b := in.b
	in.b = nil
	in.closed = in.closed || last
	in.mu.Unlock()
	for more := true; more; { // full batches are older than the one being filled
		select {
		case f := <-in.full:
			in.write(f)
		default:
			more = false
		}
	}
	if b != nil {
		in.write(b)
	}
}

func (in *sampleIntake) write(b *sampleBatch) {
	if in.broken.Load() != nil {
		in.lostTaken.Add(int64(len(b.samples)))
	} else if err := in.db.append(b); err != nil {
		in.lostTaken.Add(int64(len(b.samples)))
		in.failed(err)
	}
	b.reset()
	in.free <- b
}

// do runs one step of upkeep unless the TSDB is broken.
func (in *sampleIntake) do(step func() error) {
	if in.broken.Load() != nil {
		return
	}
	if err := step(); err != nil {
		in.failed(err)
	}
}

// close brings what is left to the TSDB. It is called once; the TSDB stays open.
func (in *sampleIntake) close() {
	close(in.stop)
	<-in.done
}
