package chaos

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/toolkit"
)

// StopFile is the name of the file in a run's directory whose appearance stops the run.
const StopFile = "STOP"

// StopOptions say how a run is stopped other than by a signal. It is the guardian that looks and listens, so that a run that hangs
// cannot keep its faults in force.
type StopOptions struct {
	Files  []string `json:"files,omitempty"`        // each stops the run when it appears
	Listen string   `json:"listen,omitempty"`       // address of a server whose POST /stop stops the run; "" for none
	Token  string   `json:"token_sha256,omitempty"` // HashToken of what such a request must show
}

// HashToken returns what the guardian keeps of a token.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// How a stop goes on once it was asked for.
const (
	stopPoll     = 50 * time.Millisecond  // between two looks for the files
	stopAgain    = 200 * time.Millisecond // between two looks at undos that the run has not taken back
	stopAgainFar = 3 * time.Second        // the same of those beyond this machine
	stopHeard    = 2 * time.Second        // for the run to say that it has heard; else it hangs, and what makes load for it is killed
)

// Watch makes the guardian stop the run when it is asked to: it undoes what is armed, refuses what would be armed from then on, and calls
// stopped with the reason, once, which must not block. A file that is there already is an error. It returns the address that is listened at.
func (g *Guardian) Watch(ctx context.Context, o StopOptions, stopped func(why string)) (addr string, err error) {
	o.Files = slices.Clone(o.Files)
	for i, f := range o.Files {
		if o.Files[i], err = filepath.Abs(f); err != nil {
			return "", fmt.Errorf("watch for a stop: %w", err)
		}
	}
	g.mu.Lock()
	g.stopped = stopped
	g.mu.Unlock()
	a, err := g.asked(ctx, message{Stop: &o})
	if err != nil {
		return "", fmt.Errorf("watch for a stop: %w", err)
	}
	return a.Addr, nil
}

// hear passes on that the run is to stop.
func (g *Guardian) hear(why string) {
	g.mu.Lock()
	stopped := g.stopped
	g.stopped = nil
	g.mu.Unlock()
	if stopped == nil {
		return
	}
	stopped(why)
	go func() { _ = g.ask(context.Background(), message{Heard: true}) }() // a guardian that is gone needs no answer
}

// watch begins to look for the files and to listen.
func (g *guard) watch(o StopOptions) (addr string, err error) {
	for _, f := range o.Files {
		if _, err := os.Lstat(f); err == nil {
			return "", fmt.Errorf("%s is there already: a stop was asked for, and holds until the file is removed", f)
		}
	}
	if o.Listen != "" {
		if o.Token == "" {
			return "", errors.New("no token: anyone could stop the run")
		}
		ln, err := net.Listen("tcp", o.Listen)
		if err != nil {
			return "", err
		}
		server := &http.Server{Handler: g.stopHandler(o.Token), ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
			ErrorLog: log.New(io.Discard, "", 0)}
		go server.Serve(ln) // ends with the process, or closed
		context.AfterFunc(g.over, func() { server.Close() })
		addr = ln.Addr().String()
	}
	if len(o.Files) > 0 {
		go g.poll(o.Files)
	}
	return addr, nil
}

// poll looks for the files until one appears or the guardian ends.
func (g *guard) poll(files []string) {
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for {
		for _, f := range files {
			if _, err := os.Lstat(f); err == nil {
				g.stop("stopped by the file " + f)
				return
			}
		}
		select {
		case <-tick.C:
		case <-g.over.Done():
			return
		}
	}
}

// A stopReport is what became of the faults that were armed when the run was stopped.
type stopReport struct {
	Stopped   string   `json:"stopped"` // why
	Reverted  []string `json:"reverted"`
	Remaining []string `json:"remaining"` // may still be in force, each with why
}

func (g *guard) stopHandler(hash string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(HashToken(token)), []byte(hash)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token of the run's stop is needed", http.StatusUnauthorized)
			return
		}
		rep := g.stop("stopped by a request from " + r.RemoteAddr)
		w.Header().Set("Content-Type", "application/json")
		if len(rep.Remaining) > 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_ = json.NewEncoder(w).Encode(rep)
	})
	return mux
}

// stop tells the run to stop and undoes what is armed without waiting for it. It returns once each undo was seen to have worked or is given up for
// now; what the run has not taken back by then is looked after until the guardian ends. Whoever asks again gets the same answer.
func (g *guard) stop(why string) stopReport {
	g.mu.Lock()
	first := g.why == ""
	if first {
		g.why = why
	}
	undos := slices.Clone(g.armed)
	g.mu.Unlock()
	if !first {
		<-g.stopped
		return g.report
	}
	go g.answer(answer{Stop: why}) // the run may hang and not read it
	rep := stopReport{Stopped: why, Reverted: []string{}, Remaining: []string{}}
	near, far := split(undos)
	now, last := splitLast(far)
	distant := make(chan []assay.Event, 2)
	go func() { distant <- undoFar(g.over, now) }()
	go func() { distant <- g.undoLast(last) }()
	undoing, cancel := context.WithTimeout(g.over, undoBudget)
	defer cancel()
	// The run itself says when its faults are clear, since it may be about to apply one of them: the notes only say what was done.
	var log []assay.Event
	for _, u := range undoNear(undoing, near, func(e assay.Event) {
		e.Time = time.Now().UnixNano()
		if e.Kind == assay.EventFaultClear {
			rep.Reverted = append(rep.Reverted, e.Fault)
		} else {
			log = append(log, e)
		}
	}) {
		rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: not seen to be away; by hand: %s", u.ID, &u))
	}
	go g.insist()
	go g.insistFar(stopAgainFar)
	text := fmt.Sprintf("%s: %d of %d faults on this machine seen to be away", why, len(rep.Reverted), len(near))
	if len(far) > 0 {
		text += fmt.Sprintf("; %d beyond it are being undone", len(far))
	}
	_ = g.note(append([]assay.Event{{Kind: assay.EventAnnotation, Text: text, Attrs: map[string]string{attrStop: why}}}, log...)...) // the answer tells too
	log = nil
	for _, e := range append(<-distant, <-distant...) {
		switch e.Kind {
		case assay.EventFaultClear:
			rep.Reverted = append(rep.Reverted, e.Fault)
			continue
		case assay.EventFaultRemaining:
			rep.Remaining = append(rep.Remaining, e.Fault+": "+e.Text)
		}
		log = append(log, e)
	}
	_ = g.note(log...)
	g.report = rep
	close(g.stopped)
	return rep
}

// insist keeps what is armed from being in force until the run takes it back, and ends the load of a run that hangs.
func (g *guard) insist() {
	tick := time.NewTicker(stopAgain)
	defer tick.Stop()
	deaf := time.NewTimer(stopHeard)
	defer deaf.Stop()
	heard := g.heard
	for {
		select {
		case <-g.over.Done():
			return
		case <-heard:
			deaf.Stop()
			heard = nil
		case <-deaf.C:
			g.killLoad()
			close(g.deaf)
		case <-tick.C:
		}
		g.mu.Lock()
		near, _ := split(g.armed)
		g.mu.Unlock()
		for _, u := range near {
			look, cancel := context.WithTimeout(g.over, stopAgain)
			if u.away(look) != nil {
				_ = u.Do(look) // looked at again
			}
			cancel()
		}
	}
}

// undoLast undoes what the run may still be doing: it leaves that to a run that has heard, for as long as the run may take, and does it itself where the
// run does not answer.
func (g *guard) undoLast(undos []Undo) (log []assay.Event) {
	if len(undos) == 0 {
		return nil
	}
	select {
	case <-g.heard:
		limit := 2 * toolkit.Arrival // for what is under way, and for what comes between
		for _, u := range undos {
			limit = max(limit, 2*toolkit.Arrival+u.Patience)
		}
		waiting, cancel := context.WithTimeout(g.over, limit)
		defer cancel()
		_ = until(waiting, stopPoll, func() error {
			if left := g.stillArmed(undos); len(left) > 0 {
				return fmt.Errorf("%d left", len(left))
			}
			return nil
		})
	case <-g.deaf:
	case <-g.over.Done():
		return nil
	}
	left := g.stillArmed(undos)
	for _, u := range undos {
		if !slices.ContainsFunc(left, func(l Undo) bool { return l.ID == u.ID }) {
			log = append(log, assay.Event{Kind: assay.EventFaultClear, Fault: u.ID})
		}
	}
	return append(log, undoFar(g.over, left)...)
}

// stillArmed returns those of the undos that the run has not taken back.
func (g *guard) stillArmed(undos []Undo) (left []Undo) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range undos {
		if slices.ContainsFunc(g.armed, func(a Undo) bool { return a.ID == u.ID }) {
			left = append(left, u)
		}
	}
	return left
}

// insistFar does the same beyond this machine, where what a run had sent may arrive after the undo was done.
func (g *guard) insistFar(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-g.over.Done():
			return
		case <-tick.C:
		}
		g.mu.Lock()
		_, far := split(g.armed)
		g.mu.Unlock()
		far, _ = splitLast(far) // what comes last is the run's own to do, or that of whoever finds that it does not answer
		var wg sync.WaitGroup
		for _, u := range far {
			wg.Go(func() {
				look, cancel := context.WithTimeout(g.over, healTimeout+every)
				defer cancel()
				if u.away(look) != nil {
					_ = u.Do(look) // looked at again
				}
			})
		}
		wg.Wait()
	}
}

// killLoad kills the processes that make load for a run that hangs.
func (g *guard) killLoad() {
	g.mu.Lock()
	load := slices.Clone(g.load)
	g.mu.Unlock()
	for _, p := range load {
		text := fmt.Sprintf("the run does not answer: process group %d, which makes its load, was killed", p.PID)
		if err := p.killGroup(); err != nil {
			text = err.Error()
		}
		_ = g.note(assay.Event{Kind: assay.EventWarning, Text: text})
	}
}

// split parts undos on this machine from those beyond it.
func split(undos []Undo) (near, far []Undo) {
	for _, u := range undos {
		if u.remote() {
			far = append(far, u)
		} else {
			near = append(near, u)
		}
	}
	return near, far
}

// splitLast parts undos that can be done at once from those that are done after what they undo is over.
func splitLast(undos []Undo) (now, last []Undo) {
	for _, u := range undos {
		if u.last() {
			last = append(last, u)
		} else {
			now = append(now, u)
		}
	}
	return now, last
}

// Stopped returns what the guardian of the run in dir noted of the stop that it heard; "" if it has heard none.
func Stopped(dir string) (string, error) {
	notes, err := ReadNotes(dir, func(ns int64) int64 { return ns })
	for i := range notes {
		if notes[i].Attrs[attrStop] != "" {
			return notes[i].Text, err
		}
	}
	return "", err
}
