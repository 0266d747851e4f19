package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/assay-dev/assay"
)

// probe watches one instance, through its link, until its process has ended: it takes it into
// routing when its first probe passes, ejects it when probes fail, readmits it, and gives it up when they keep failing.
func (s *supervisor) probe(in *instance) {
	// A connection for each probe, as a kubelet does, so that it sees what a new request would.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	period := s.cfg.StartProbe
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failing time.Time // begin of the first failed probe of a row
	failures := 0
	for {
		select {
		case <-in.done:
			return
		case <-in.probeNow:
		case <-timer.C:
		}
		begin := time.Now()
		verdict := make(chan error, 1)
		go func() { verdict <- probeOnce(ctx, client, in.url, s.cfg.ProbeTimeout) }()
		var err error
		select {
		case err = <-verdict:
		case <-in.done:
			cancel()
			<-verdict
			return
		}
		state, _ := s.pool.state(in.backend)
		switch {
		case state == Starting && err == nil:
			select { // its lines come another way and may be later than the answer
			case <-in.announced:
			case <-in.done:
				return
			case <-time.After(s.cfg.ProbeTimeout):
			}
			period = s.cfg.ProbePeriod
			s.admit(in)
		case state == Starting, state == Draining:
		case err == nil:
			if failures > 0 {
				s.events.instance(time.Now(), assay.EventInstanceProbe, in.id, "", "ok", "true")
			}
			failures = 0
			s.admit(in)
		default:
			if failures == 0 {
				failing = begin
				s.events.add(Event{Time: time.Now().UnixNano(), Resolution: int64(s.cfg.ProbePeriod + s.cfg.ProbeTimeout), Kind: assay.EventInstanceProbe,
					Instance: in.id, Text: err.Error(), Attrs: map[string]string{"ok": "false"}})
			}
			failures++
			if failures >= s.cfg.ProbeFailures {
				s.eject(in, err)
			}
			if failures >= s.cfg.ProbeFailures && time.Since(failing) >= s.cfg.HangKill {
				in.end(exitCrash, byLiveness, true)
			}
		}
		timer.Reset(max(0, period-time.Since(begin)))
	}
}

// A probeStatus is the answer of an instance that says it is not ready.
type probeStatus int

func (p probeStatus) Error() string { return fmt.Sprintf("readiness probe: status %d", int(p)) }

func probeOnce(ctx context.Context, client *http.Client, url string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health/ready", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("readiness probe: %s", errorType(err))
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return probeStatus(res.StatusCode)
	}
	return nil
}

// admit takes an instance into routing, for the first time or again.
func (s *supervisor) admit(in *instance) {
	var ready time.Time
	s.pool.admit(in.backend, func(at time.Time, first bool) {
		resolution := int64(s.cfg.ProbePeriod)
		if first {
			ready, resolution = at, int64(s.cfg.StartProbe)
		}
		s.events.add(Event{Time: at.UnixNano(), Resolution: resolution, Kind: assay.EventInstanceReady, Instance: in.id,
			Attrs: map[string]string{"first": fmt.Sprint(first)}})
	})
	if !ready.IsZero() {
		in.mu.Lock()
		warm := in.warm
		in.mu.Unlock()
		if warm != 0 {
			s.phase(in, Phase{phaseReadiness, warm, ready.UnixNano()}, s.cfg.StartProbe)
		}
		s.traceStart(in)
	}
}

// eject takes an instance that fails out of routing.
func (s *supervisor) eject(in *instance, cause error) {
	kind := assay.EventInstanceEjected
	if _, says := cause.(probeStatus); says {
		kind = assay.EventInstanceUnready
	}
	s.pool.move(in.backend, Ejected, func(at time.Time, _ State) {
		s.events.instance(at, kind, in.id, cause.Error())
	})
}

// failed ejects the instance behind b because a request to it failed, and has it probed at once.
func (s *supervisor) failed(b *backend, cause string) {
	in := s.find(b.id)
	if in == nil {
		return
	}
	s.eject(in, fmt.Errorf("request: %s", cause))
	select {
	case in.probeNow <- struct{}{}:
	default:
	}
}
