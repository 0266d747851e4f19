// Package webhook tells others of what happens in a run, by HTTP. Whoever tells never waits: what cannot be delivered in time is given up and
// counted.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A Notice is what is posted, as JSON.
type Notice struct {
	Schema   string    `json:"schema"` // assay/notice/v1
	Run      string    `json:"run"`    // id of the run
	Name     string    `json:"name"`   // of the plan
	Target   string    `json:"target"`
	Kind     string    `json:"kind"` // run.begin, run.end, or the kind of an event
	At       time.Time `json:"at"`
	Text     string    `json:"text"` // one sentence for people
	Fault    string    `json:"fault,omitempty"`
	Victim   string    `json:"victim,omitempty"`
	Decision string    `json:"decision,omitempty"` // run.end
	Exit     *int      `json:"exit,omitempty"`     // run.end
}

// Schema names the form of a Notice.
const Schema = "assay/notice/v1"

// Bounds of what one hook may cost.
const (
	backlog = 64
	tries   = 3
	patient = 5 * time.Second        // for one try
	pause   = 500 * time.Millisecond // before the second, and twice that before the third
)

// A Hook posts notices to one URL, in the order in which they were told. Set the exported fields before Start.
type Hook struct {
	URL   string
	Run   string                                    // id of the run, sent as a header
	Token func(ctx context.Context) (string, error) // bearer token; nil for none
	HTTP  *http.Client                              // nil for one of its own

	// Failed is called when a notice was given up: with why for the first, and at the end with how many more there were. It must not call back.
	Failed func(why string)

	queue  chan Notice
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	lost   int
}

// Start begins to deliver what is told.
func (h *Hook) Start() {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.queue = make(chan Notice, backlog)
	h.wg.Go(func() {
		for n := range h.queue {
			if err := h.deliver(ctx, &n); err != nil {
				h.lose(n.Kind, err)
			}
		}
	})
}

// Tell hands over a notice and returns at once.
func (h *Hook) Tell(n Notice) {
	h.mu.Lock()
	full := false
	if !h.closed {
		select {
		case h.queue <- n:
		default:
			full = true
		}
	}
	h.mu.Unlock()
	if full {
		h.lose(n.Kind, fmt.Errorf("%d notices wait already", backlog))
	}
}

// Close gives what was told until ctx is done to be delivered, and ends the hook.
func (h *Hook) Close(ctx context.Context) {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.queue)
	}
	h.mu.Unlock()
	defer context.AfterFunc(ctx, h.stop)()
	h.wg.Wait()
	h.stop()
	h.mu.Lock()
	more := h.lost - 1
	h.lost = 0
	h.mu.Unlock()
	if more > 0 {
		h.Failed(fmt.Sprintf("%s: %d more notices were not delivered", where(h.URL), more))
	}
}

func (h *Hook) lose(kind string, err error) {
	h.mu.Lock()
	h.lost++
	first := h.lost == 1
	h.mu.Unlock()
	if first {
		h.Failed(fmt.Sprintf("%s: notice of %s was not delivered: %v", where(h.URL), kind, err))
	}
}

func (h *Hook) deliver(ctx context.Context, n *Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		again, err := h.post(ctx, body)
		if ctx.Err() != nil {
			return errors.New("the run ended first")
		}
		if err == nil || !again || try == tries {
			return err
		}
		select {
		case <-time.After(pause << (try - 1)):
		case <-ctx.Done():
			return err
		}
	}
}

// post tries once and reports whether another try may help.
func (h *Hook) post(ctx context.Context, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("its URL is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "assay")
	req.Header.Set("X-Assay-Run", h.Run)
	if h.Token != nil {
		token, err := h.Token(ctx)
		if err != nil {
			return false, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := h.HTTP
	if client == nil {
		client = plain
	}
	resp, err := client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the URL, whose path may be a secret
		}
		return true, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("status %d", resp.StatusCode)
}

// plain follows no redirect: a token must not travel to another host.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// where names a hook without its path and query, which may be a secret.
func where(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "webhook"
	}
	return u.Scheme + "://" + u.Host
}
