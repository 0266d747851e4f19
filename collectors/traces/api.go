package traces

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay/internal/secret"
)

// Bounds of what is read from a store.
const (
	maxAnswer  = maxTrace    // bytes of one answer
	maxAnswers = 4 << 30     // bytes of all answers
	maxAsked   = 100_000     // requests to a store
	maxFetched = 200_000     // traces
	minSlice   = int64(10e6) // ns: a window that holds too many traces is halved down to this
	askTimeout = 30 * time.Second
)

// An api is a tracing system's HTTP interface.
type api struct {
	url    string
	token  string // shown as a bearer token; "" for none
	tenant string // of a store that has several
	run    string // id of the run, so that those who keep the store can tell whose requests these are; "" for none

	asked, read atomic.Int64 // requests, bytes of answers
}

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: askTimeout}

// get asks once, and again where the store is busy. The status is 200 or 404, or else there is an error.
func (a *api) get(ctx context.Context, path string, query url.Values, accept string) (body []byte, contentType string, status int, err error) {
	for try := range 4 {
		body, contentType, status, err = a.once(ctx, path, query, accept)
		if err != nil || status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable || try == 3 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, "", 0, ctx.Err()
		case <-time.After(time.Second << try):
		}
	}
	if err == nil && status != http.StatusOK && status != http.StatusNotFound {
		err = fmt.Errorf("GET %s: status %d%s", path, status, said(body))
	}
	return body, contentType, status, err
}

func (a *api) once(ctx context.Context, path string, query url.Values, accept string) (body []byte, contentType string, status int, err error) {
	if a.asked.Add(1) > maxAsked {
		return nil, "", 0, fmt.Errorf("more than %d requests to the store: want a shorter window or a query that chooses fewer traces", maxAsked)
	}
	at := strings.TrimRight(a.url, "/") + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, "", 0, err
	}
	req.Header.Set("Accept", accept)
	for name, v := range map[string]string{"X-Assay-Run": a.run, "X-Scope-OrgID": a.tenant} {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := plain.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // the caller names the URL
		}
		return nil, "", 0, fmt.Errorf("GET %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	read := a.read.Add(int64(len(body)))
	switch {
	case err != nil:
		return nil, "", 0, fmt.Errorf("GET %s: %w", path, err)
	case len(body) > maxAnswer:
		return nil, "", 0, fmt.Errorf("GET %s: an answer of more than %d MiB", path, maxAnswer>>20)
	case read > maxAnswers:
		return nil, "", 0, fmt.Errorf("more than %d GiB of answers: want a shorter window or a query that chooses fewer traces", int64(maxAnswers)>>30)
	}
	return body, resp.Header.Get("Content-Type"), resp.StatusCode, nil
}

// said returns the beginning of a text in which a store says what is wrong.
func said(body []byte) string {
	s := secret.Text(string(body), 120)
	if s == "" || strings.HasPrefix(s, "<") {
		return ""
	}
	return ": " + s
}

// fetched is what a fetch has to say beside the traces. It stands behind them as one more record.
type fetched struct {
	Traces  int64 `json:"traces"`
	Partial int64 `json:"partial,omitempty"` // came in part, by the store's own word
	Missing int64 `json:"missing,omitempty"` // were found by the search and then not there
	Crowded int64 `json:"crowded,omitempty"` // slices that held more traces than a search gives
}

// fetchedName is the member under which it stands.
const fetchedName = "assayFetched"

func (f *fetched) record() []byte {
	b, _ := json.Marshal(map[string]*fetched{fetchedName: f})
	return b
}

// note tells the reader of the report.
func (f *fetched) note(t *taker) {
	for _, n := range []struct {
		text  string
		count int64
	}{
		{"%d traces came in part, as the store itself says", f.Partial},
		{"%d traces that the search found were not there when they were asked for", f.Missing},
		{"%d slices of the window hold more traces than a search gives: those are a part", f.Crowded},
	} {
		if n.count > 0 {
			t.in.Tally.Note(n.text, n.count)
		}
	}
}

// framed writes a message with its length before it.
func framed(to io.Writer, msg []byte) error {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(msg)))
	if _, err := to.Write(size[:]); err != nil {
		return err
	}
	_, err := to.Write(msg)
	return err
}

// sliced calls search with the window, and with its halves, in multiples of least, where that gave as many as it can give. The search is told
// whether its slice can be halved: what it finds then is not all, and will be found again.
func sliced(from, to, least int64, most int, f *fetched, search func(from, to int64, halves bool) (found int, err error)) error {
	halves := to-from >= 2*least
	n, err := search(from, to, halves)
	if err != nil || n < most {
		return err
	}
	if !halves {
		f.Crowded++
		return nil
	}
	mid := from + (to-from)/2/least*least
	if err := sliced(from, mid, least, most, f, search); err != nil {
		return err
	}
	return sliced(mid, to, least, most, f, search)
}

// limitOf reads the option limit.
func limitOf(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxFetched {
		return 0, fmt.Errorf("limit %q: want a number from 1 to %d", text, maxFetched)
	}
	return n, nil
}
