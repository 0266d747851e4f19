package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"
)

// The kinds of undo.
const (
	UndoNone    = "none"    // there is nothing to undo
	UndoSignal  = "signal"  // send Signal to the process, unless it is gone
	UndoGroup   = "killpg"  // kill the process group that the process leads or led
	UndoLimit   = "limit"   // give the process its Limit of Resource back, unless it is gone
	UndoMarked  = "marked"  // kill what has Mark among its arguments
	UndoRemove  = "remove"  // remove the file at Path, one that was made to fill a disk
	UndoCgroup  = "cgroup"  // move what is in the control group at Path back to that at Home, and remove it
	UndoRule    = "rule"    // remove the table Mark, and the rules in it, from the packet filter
	UndoUnmount = "unmount" // take the file system with Mark from over Path
	UndoSilence = "silence" // end the silences that the run in Mark has made at the Alertmanager at URL
	UndoClock   = "clock"   // put the Code of the process back, unless it is gone
	UndoHTTP    = "http"    // send Method to URL; done when a GET there gives Want
	UndoKube    = "kube"    // send Method to Path of a cluster's API server; done when a GET there gives Want
	UndoGPU     = "gpu"     // give the GPU its Value of Resource back
)

// An Undo takes a fault away. It is data, so that whoever is left can do it, and it may be
// done any number of times, whether or not the fault was ever put in force.
type Undo struct {
	ID       string   `json:"id"` // of the fault within the run
	Kind     string   `json:"kind"`
	Process  *Process `json:"process,omitempty"` // signal, killpg, limit: whom; http: who holds the fault, so that its end undoes it too
	Signal   int      `json:"signal,omitempty"`
	Resource string   `json:"resource,omitempty"`
	Limit    *limit   `json:"limit,omitempty"`
	OurLimit *limit   `json:"our_limit,omitempty"` // limit: what we set; where it is another, somebody else changed it and it is left alone
	Code     []patch  `json:"code,omitempty"`
	GPU      string   `json:"gpu,omitempty"`   // its UUID
	Value    float64  `json:"value,omitempty"` // gpu: of power, what it was; of clocks, the lock
	Ours     float64  `json:"ours,omitempty"`  // gpu: of power, what we set, as OurLimit
	Mark     string   `json:"mark,omitempty"`
	Path     string   `json:"path,omitempty"` // remove: of the file; cgroup: of the group; kube: of the object below the API server's URL
	Home     string   `json:"home,omitempty"`
	Method   string   `json:"method,omitempty"`
	URL      string   `json:"url,omitempty"`
	Body     string   `json:"body,omitempty"`
	Want     string   `json:"want,omitempty"` // JSON object whose fields GET URL gives when the fault is away; kube: or [Gone]
	Text     string   `json:"text,omitempty"` // what a person could do instead

	Patience time.Duration `json:"patience_ns,omitempty"` // how long it may take where that is longer than for others
	Longest  time.Duration `json:"longest_ns,omitempty"`  // how long after it was armed the fault may last before the guardian ends it though the run lives; 0: no bound

	Flight time.Duration `json:"flight_ns,omitempty"` // how long what makes the fault may still be carried out after it was sent, since its answer is not known; 0: it is

	// silence: where the bearer token is.
	TokenEnv  string `json:"token_env,omitempty"`
	TokenFile string `json:"token_file,omitempty"` // absolute path

	// kube: which cluster, and what is known of the object there. Credentials are fetched by whoever does the undo.
	Kubeconfig string            `json:"kubeconfig,omitempty"` // absolute path; empty for the pod's service account or the default file
	Context    string            `json:"context,omitempty"`    // empty for the current one
	Finalizer  string            `json:"finalizer,omitempty"`  // whoever recovers the object sets it; before, the object must not be deleted
	Empty      []string          `json:"empty,omitempty"`      // paths of lists in which nothing is left once what the object had made is gone too
	EmptyOf    map[string]string `json:"empty_of,omitempty"`   // and of lists in which nothing is left whose name begins so
	Labels     map[string]string `json:"labels,omitempty"`     // what the object bears if it is ours; another of its name is left alone
	Expires    int64             `json:"expires,omitempty"`    // Unix ns at which the cluster itself ends the fault, or 0
	Pod        string            `json:"pod,omitempty"`        // path of the pod that it lies on, for an object whose finalizer was forced away
	PodUID     string            `json:"podUID,omitempty"`
	Object     *objectUndo       `json:"object,omitempty"`
	Function   *functionUndo     `json:"function,omitempty"`
}

// An undoKind is how one kind of undo is done. Each function may be called any number of times.
type undoKind struct {
	// remote: it is done beyond this machine, takes seconds rather than milliseconds, and is not over with a restart of the machine.
	remote bool
	// last: the run may still be doing what it undoes, so that it is done only once the run is over with it, or does not answer, or is dead.
	last bool
	// outlives: it is not over with a restart of the machine although it lies on it.
	outlives bool
	// blind reports that away cannot always look, so that Heal does it in any case; nil for never.
	blind func(u *Undo) bool
	check func(u *Undo) error                      // why nobody could do it; nil for no reason
	do    func(ctx context.Context, u *Undo) error // nil if nothing is left to be done, or seems to be
	away  func(ctx context.Context, u *Undo) error // looks once whether the fault is away
	text  func(u *Undo) string                     // for people who have to do it by hand
}

// undoKinds is the table of the kinds of undo.
var undoKinds = map[string]undoKind{
	UndoNone:     {check: func(*Undo) error { return nil }, do: undoNothing, away: undoNothing, text: func(*Undo) string { return "nothing" }},
	UndoSignal:   signalUndo,
	UndoGroup:    groupUndo,
	UndoLimit:    limitUndo,
	UndoMarked:   markedUndo,
	UndoRemove:   removeUndo,
	UndoCgroup:   cgroupUndo,
	UndoUnmount:  unmountUndo,
	UndoSilence:  silenceUndo,
	UndoRule:     ruleUndo,
	UndoHTTP:     httpUndo,
	UndoKube:     kubeUndo,
	UndoObject:   objectUndoKind,
	UndoFunction: functionUndoKind,
	UndoClock:    clockUndo,
	UndoGPU:      gpuUndo,

	UndoRollbacks: rollbacksUndo,
}

func undoNothing(context.Context, *Undo) error { return nil }

// check returns why the undo cannot be done by anyone.
func (u *Undo) check() error {
	k, ok := undoKinds[u.Kind]
	if !ok {
		return fmt.Errorf("undo %s: kind %q is not known", u.ID, u.Kind)
	}
	if err := k.check(u); err != nil {
		return fmt.Errorf("undo %s: %w", u.ID, err)
	}
	return nil
}

// remote reports whether the undo is done beyond this machine.
func (u *Undo) remote() bool { return undoKinds[u.Kind].remote }

// last reports whether the run may still be doing what is undone.
func (u *Undo) last() bool { return undoKinds[u.Kind].last }

// within returns how long the undo is given where others are given limit.
func (u *Undo) within(limit time.Duration) time.Duration {
	if u.Patience > 0 {
		limit = max(limit, u.Patience+5*time.Second)
	}
	return limit + u.Flight
}

// blind reports whether nobody can always see if the fault is away.
func (u *Undo) blind() bool {
	blind := undoKinds[u.Kind].blind
	return blind != nil && blind(u)
}

// Do takes the fault away. It returns nil if nothing is left to be done, or seems to be: Verify tells.
func (u *Undo) Do(ctx context.Context) error {
	if err := u.check(); err != nil {
		return err
	}
	if err := u.landed(ctx); err != nil {
		return err
	}
	return undoKinds[u.Kind].do(ctx, u)
}

// Verify returns nil once the fault is seen to be away, or why it may not be when ctx is done.
func (u *Undo) Verify(ctx context.Context) error {
	if err := u.check(); err != nil {
		return err
	}
	pause := 2 * time.Millisecond
	if u.remote() {
		pause = 200 * time.Millisecond
	}
	return until(ctx, pause, func() error { return u.away(ctx) })
}

// away looks once.
func (u *Undo) away(ctx context.Context) error { return undoKinds[u.Kind].away(ctx, u) }

// String says what the undo does, for people.
func (u *Undo) String() string {
	k, ok := undoKinds[u.Kind]
	if !ok || k.check(u) != nil {
		return "nothing that is known"
	}
	return k.text(u)
}

// needsProcess is the check of an undo that is done to a process.
func needsProcess(u *Undo) error {
	if u.Process == nil || u.Process.PID <= 1 || u.Process.Start == 0 {
		return errors.New("no process")
	}
	return nil
}

// unlessGone is err, or nil if it says that the process is gone and the fault with it.
func unlessGone(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

var signalUndo = undoKind{
	check: func(u *Undo) error {
		if u.Signal <= 0 {
			return errors.New("no signal")
		}
		return needsProcess(u)
	},
	do: func(_ context.Context, u *Undo) error {
		return unlessGone(u.Process.signal(syscall.Signal(u.Signal), func() {}))
	},
	away: func(_ context.Context, u *Undo) error {
		s, err := u.Process.look()
		if err == nil && s.stopped() {
			err = fmt.Errorf("%v is still stopped", *u.Process)
		}
		return unlessGone(err)
	},
	text: func(u *Undo) string { return fmt.Sprintf("kill -%d %d", u.Signal, u.Process.PID) },
}

var groupUndo = undoKind{
	check: needsProcess,
	do:    func(_ context.Context, u *Undo) error { return u.Process.killGroup() },
	away: func(_ context.Context, u *Undo) error {
		pids, err := u.Process.members()
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("processes %v of the group of %v still live", pids, *u.Process)
		}
		return err
	},
	text: func(u *Undo) string { return fmt.Sprintf("kill -9 -- -%d", u.Process.PID) },
}

var limitUndo = undoKind{
	check: func(u *Undo) error {
		if u.Limit == nil || u.Resource == "" {
			return errors.New("no limit")
		}
		return needsProcess(u)
	},
	do: func(_ context.Context, u *Undo) error {
		now, err := u.Process.limit(u.Resource)
		switch {
		case err != nil:
			return unlessGone(err)
		case now == *u.Limit:
			return nil
		case u.OurLimit != nil && now != *u.OurLimit:
			return fmt.Errorf("the limit of %s of %v is %d now, was %d before the fault and %d in it: somebody else changed it meanwhile, so it is left as it is",
				u.Resource, *u.Process, now.Soft, u.Limit.Soft, u.OurLimit.Soft)
		}
		return unlessGone(u.Process.setLimit(u.Resource, *u.Limit, func() {}))
	},
	away: func(_ context.Context, u *Undo) error {
		now, err := u.Process.limit(u.Resource)
		if err == nil && now != *u.Limit {
			err = fmt.Errorf("the limit of %s of %v is %d, want %d", u.Resource, *u.Process, now.Soft, u.Limit.Soft)
		}
		return unlessGone(err)
	},
	text: func(u *Undo) string {
		return fmt.Sprintf("prlimit --pid %d --%s=%d:%d", u.Process.PID, u.Resource, u.Limit.Soft, u.Limit.Hard)
	},
}

var markedUndo = undoKind{
	check: func(u *Undo) error {
		if !isMark(u.Mark) {
			return fmt.Errorf("%q is no mark of ours", u.Mark)
		}
		return nil
	},
	do: func(_ context.Context, u *Undo) error {
		list, err := marked(u.Mark)
		for _, p := range list {
			err = errors.Join(err, unlessGone(p.signal(syscall.SIGKILL, func() {})))
		}
		return err
	},
	away: func(_ context.Context, u *Undo) error {
		list, err := marked(u.Mark)
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("%v still lives", list)
		}
		return err
	},
	text: func(u *Undo) string { return "pkill -9 -f " + u.Mark },
}

var removeUndo = undoKind{
	outlives: true,
	check: func(u *Undo) error {
		if !isFiller(u.Path) {
			return fmt.Errorf("%q is no file of ours", u.Path)
		}
		return nil
	},
	do: func(_ context.Context, u *Undo) error {
		if err := os.Remove(u.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	},
	away: func(_ context.Context, u *Undo) error {
		if _, err := os.Lstat(u.Path); err == nil {
			return fmt.Errorf("%s is still there", u.Path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	},
	text: func(u *Undo) string { return "rm " + u.Path },
}

var httpUndo = undoKind{
	check: func(u *Undo) error {
		if v, err := url.Parse(u.URL); err != nil || v.Host == "" || u.Method == "" {
			return fmt.Errorf("%s %q is no request", u.Method, u.URL)
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		if u.holderGone() {
			return nil
		}
		status, _, err := u.request(ctx, u.Method, u.Body)
		switch {
		case nobody(err, u.URL) || unknown(status):
			return nil
		case err != nil:
			return err
		case status/100 != 2:
			return fmt.Errorf("%s %s: status %d", u.Method, u.URL, status)
		}
		return nil
	},
	away: func(ctx context.Context, u *Undo) error {
		if u.holderGone() {
			return nil
		}
		status, body, err := u.request(ctx, http.MethodGet, "")
		switch {
		case nobody(err, u.URL) || unknown(status):
			return nil
		case err != nil:
			return err
		case status != http.StatusOK:
			return fmt.Errorf("GET %s: status %d", u.URL, status)
		case !covers(body, []byte(u.Want)):
			return fmt.Errorf("GET %s: %.200s, want %s", u.URL, bytes.TrimSpace(body), u.Want)
		}
		return nil
	},
	text: func(u *Undo) string { return strings.TrimSpace(fmt.Sprintf("%s %s %s", u.Method, u.URL, u.Body)) },
}

// unknown reports whether the holder says that it no longer knows what the fault lay on: an
// instance that has exited took its link with it.
func unknown(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

func (u *Undo) holderGone() bool { return u.Process != nil && u.Process.Gone() }

// plainClient talks to the platform on the same machine: no proxy, no connection kept, no redirect.
var plainClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

const maxAnswer = 1 << 20

func (u *Undo) request(ctx context.Context, method, body string) (int, []byte, error) {
	return send(ctx, plainClient, method, u.URL, body, nil)
}

// send makes one request and returns status and body. It calls stamp, if not nil, right before.
func send(ctx context.Context, client *http.Client, method, url, body string, stamp func()) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if stamp != nil {
		stamp()
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return resp.StatusCode, nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	return resp.StatusCode, b, nil
}

// nobody reports whether err says that nothing listens at a loopback address: the process that
// held the fault there, and the fault with it, are gone.
func nobody(err error, rawURL string) bool {
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	u, _ := url.Parse(rawURL)
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// covers reports whether got has every field of want, a JSON object, with the same value.
func covers(got, want []byte) bool {
	var g, w map[string]any
	if json.Unmarshal(got, &g) != nil || json.Unmarshal(want, &w) != nil {
		return false
	}
	for k, v := range w {
		if x, ok := g[k]; !ok || !reflect.DeepEqual(x, v) {
			return false
		}
	}
	return true
}
