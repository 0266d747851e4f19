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
	UndoNone   = "none"   // there is nothing to undo
	UndoSignal = "signal" // send Signal to the process, unless it is gone
	UndoGroup  = "killpg" // kill the process group that the process leads or led
	UndoLimit  = "limit"  // give the process its Limit of Resource back, unless it is gone
	UndoMarked = "marked" // kill what has Mark among its arguments
	UndoRemove = "remove" // remove the file at Path, one that was made to fill a disk
	UndoHTTP   = "http"   // send Method to URL; done when a GET there gives Want
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
	Mark     string   `json:"mark,omitempty"`
	Path     string   `json:"path,omitempty"`
	Method   string   `json:"method,omitempty"`
	URL      string   `json:"url,omitempty"`
	Body     string   `json:"body,omitempty"`
	Want     string   `json:"want,omitempty"` // JSON object whose fields GET URL gives when the fault is away
	Text     string   `json:"text,omitempty"` // what a person could do instead
}

// check returns why the undo cannot be done by anyone.
func (u *Undo) check() error {
	switch u.Kind {
	case UndoNone:
	case UndoSignal, UndoGroup, UndoLimit:
		if u.Process == nil || u.Process.PID <= 1 || u.Process.Start == 0 {
			return fmt.Errorf("undo %s: no process", u.ID)
		}
		if u.Kind == UndoSignal && u.Signal <= 0 {
			return fmt.Errorf("undo %s: no signal", u.ID)
		}
		if u.Kind == UndoLimit && (u.Limit == nil || u.Resource == "") {
			return fmt.Errorf("undo %s: no limit", u.ID)
		}
	case UndoMarked:
		if !isMark(u.Mark) {
			return fmt.Errorf("undo %s: %q is no mark of ours", u.ID, u.Mark)
		}
	case UndoRemove:
		if !isFiller(u.Path) {
			return fmt.Errorf("undo %s: %q is no file of ours", u.ID, u.Path)
		}
	case UndoHTTP:
		if v, err := url.Parse(u.URL); err != nil || v.Host == "" || u.Method == "" {
			return fmt.Errorf("undo %s: %s %q is no request", u.ID, u.Method, u.URL)
		}
	default:
		return fmt.Errorf("undo %s: kind %q is not known", u.ID, u.Kind)
	}
	return nil
}

// Do takes the fault away. It returns nil if nothing is left to be done, or seems to be: Verify tells.
func (u *Undo) Do(ctx context.Context) error {
	if err := u.check(); err != nil {
		return err
	}
	switch u.Kind {
	case UndoSignal:
		if err := u.Process.signal(syscall.Signal(u.Signal), func() {}); err != nil && !errors.Is(err, errGone) {
			return err
		}
	case UndoGroup:
		return u.Process.killGroup()
	case UndoMarked:
		list, err := marked(u.Mark)
		for _, p := range list {
			if e := p.signal(syscall.SIGKILL, func() {}); e != nil && !errors.Is(e, errGone) {
				err = errors.Join(err, e)
			}
		}
		return err
	case UndoRemove:
		if err := os.Remove(u.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	case UndoLimit:
		if err := u.Process.setLimit(u.Resource, *u.Limit, func() {}); err != nil && !errors.Is(err, errGone) {
			return err
		}
	case UndoHTTP:
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
	}
	return nil
}

// Verify returns nil once the fault is seen to be away, or why it may not be when ctx is done.
func (u *Undo) Verify(ctx context.Context) error {
	if err := u.check(); err != nil {
		return err
	}
	return until(ctx, 2*time.Millisecond, func() error { return u.away(ctx) })
}

// away looks once.
func (u *Undo) away(ctx context.Context) error {
	switch u.Kind {
	case UndoSignal:
		s, err := u.Process.look()
		switch {
		case errors.Is(err, errGone):
			return nil
		case err != nil:
			return err
		case s.stopped():
			return fmt.Errorf("%v is still stopped", *u.Process)
		}
	case UndoGroup:
		pids, err := u.Process.members()
		if err != nil {
			return err
		}
		if len(pids) > 0 {
			return fmt.Errorf("processes %v of the group of %v still live", pids, *u.Process)
		}
	case UndoMarked:
		switch list, err := marked(u.Mark); {
		case err != nil:
			return err
		case len(list) > 0:
			return fmt.Errorf("%v still lives", list)
		}
	case UndoRemove:
		if _, err := os.Lstat(u.Path); err == nil {
			return fmt.Errorf("%s is still there", u.Path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	case UndoLimit:
		switch now, err := u.Process.limit(u.Resource); {
		case errors.Is(err, errGone):
			return nil
		case err != nil:
			return err
		case now != *u.Limit:
			return fmt.Errorf("the limit of %s of %v is %d, want %d", u.Resource, *u.Process, now.Soft, u.Limit.Soft)
		}
	case UndoHTTP:
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
	}
	return nil
}

// String says what the undo does, for people.
func (u *Undo) String() string {
	switch u.Kind {
	case UndoSignal:
		return fmt.Sprintf("kill -%d %d", u.Signal, u.Process.PID)
	case UndoGroup:
		return fmt.Sprintf("kill -9 -- -%d", u.Process.PID)
	case UndoMarked:
		return "pkill -9 -f " + u.Mark
	case UndoRemove:
		return "rm " + u.Path
	case UndoLimit:
		return fmt.Sprintf("prlimit --pid %d --%s=%d:%d", u.Process.PID, u.Resource, u.Limit.Soft, u.Limit.Hard)
	case UndoHTTP:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", u.Method, u.URL, u.Body))
	}
	return "nothing"
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
