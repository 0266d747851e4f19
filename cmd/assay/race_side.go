package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/loadgen"
)

// Phases of a race.
const (
	raceWarmup = "warmup"
	raceName   = "race"
)

// A raceSide is one of the two targets of a race, with the run that its records are.
type raceSide struct {
	name   string
	plan   *plan.Plan
	phase  loadgen.Phase // one block
	clock  *clock.Clock
	store  *store.Writer
	client loadgen.Closer
	keeper *credential.Keeper
	id     string

	mu     sync.Mutex
	block  []assay.Request
	begin  int64  // of the block
	ids    uint64 // given so far
	sent   int
	lost   int64
	failed error // of the record
	late   lateSends
}

// open gets a side ready: nothing is sent yet.
func (s *raceSide) open(ctx context.Context, dir string) error {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make a run id: %w", err)
	}
	s.id = hex.EncodeToString(id)
	e, err := endpoint(s.plan, s.clock)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	raw, hash, err := s.plan.JSON()
	if err != nil {
		return err
	}
	t := &s.plan.Target
	m := &assay.Manifest{ID: s.id, Name: s.name, Plan: raw, PlanHash: hash, Seed: s.plan.Seed, Target: assay.Target{Kind: t.Kind, Name: targetName(s.plan), Model: t.Model},
		Epoch: s.clock.Epoch(), Version: version(), Host: host(), Resolution: int64(time.Microsecond), MaxWait: int64(t.Deadline.D()), Machine: calibrated()}
	if s.store, err = store.Create(dir, m); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	s.keeper, err = authenticateTo(ctx, s.plan, &e, func(err error) {
		_ = s.store.Emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("target.auth: no fresh credential: %v", err)})
	})
	if err != nil {
		return err
	}
	s.client, err = client(s.plan, e)
	return err
}

// close ends the record.
func (s *raceSide) close(end assay.Ending) error {
	s.keeper.Close()
	if s.client != nil {
		s.client.Close()
	}
	if s.store == nil {
		return nil
	}
	end.At, end.ClockDrift = s.clock.Now(), s.clock.Drift()
	if s.lost > 0 {
		end.Unrecorded = map[string]int64{"requests/generator": s.lost}
	}
	return s.store.Seal(end)
}

// load sends one block of at most most requests and returns them. They are whole only if ok: then nothing ended the block early.
func (s *raceSide) load(ctx context.Context, phase string, seed uint64, most int) (requests []assay.Request, ok bool, err error) {
	s.block, s.begin = nil, 0
	ph := s.phase
	ph.Name = phase
	t := &s.plan.Target
	gen, err := loadgen.New(loadgen.Config{Clock: s.clock, Client: s.client, Phases: []loadgen.Phase{ph}, Seed: seed, Cap: t.Cap, Deadline: t.Deadline.D(), RunID: s.id,
		Model: t.Model, Stream: *t.Stream, MaxRequests: most})
	if err != nil {
		return nil, false, &status{assay.ExitUsage, err}
	}
	if err := gen.Run(ctx, s.emit); err != nil {
		return nil, false, err
	}
	s.ids += uint64(len(s.block))
	s.sent += len(s.block)
	s.lost += gen.Unrecorded()
	return s.block, gen.Stopped() == "" && ctx.Err() == nil, s.failed
}

// emit records what the generator of a block emits. The phases of the run are the race's, not the blocks'.
func (s *raceSide) emit(r assay.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := r.(type) {
	case *assay.Event:
		switch r.Kind {
		case assay.EventPhaseBegin:
			s.begin = r.Time
			return nil
		case assay.EventPhaseEnd, assay.EventLoadEnd:
			return nil
		}
		return s.store.Emit(r)
	case *assay.Request:
		r.ID += s.ids
		c := *r
		c.Arrivals, c.Counts = slices.Clone(r.Arrivals), slices.Clone(r.Counts)
		s.block = append(s.block, c)
	}
	return s.store.Emit(r)
}

// mark puts an event of the race itself on record.
func (s *raceSide) mark(kind string, at int64, phase string, attrs map[string]string) {
	if err := s.store.EmitSync(&assay.Event{Time: at, Kind: kind, Source: "race", Phase: phase, Attrs: attrs}); err != nil && s.failed == nil {
		s.failed = err
	}
}

// enter marks the beginning of a phase, with the rate there is over the turns of both sides.
func (s *raceSide) enter(phase string, role assay.Role, rate float64) {
	s.mark(assay.EventPhaseBegin, s.clock.Now(), phase, map[string]string{"role": string(role), "rate": strconv.FormatFloat(rate, 'g', -1, 64)})
}

func (s *raceSide) leave(phase string, role assay.Role) {
	s.mark(assay.EventPhaseEnd, s.clock.Now(), phase, map[string]string{"role": string(role)})
}

// counted marks a block that was loaded whole.
func (s *raceSide) counted(pair int) {
	s.mark(assay.EventBlock, s.begin, raceName, map[string]string{"pair": strconv.Itoa(pair), "length_ns": strconv.FormatInt(int64(s.phase.For), 10)})
}
