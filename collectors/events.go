package collectors

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/ask"
)

// Events follows a platform's stream of life-cycle events: newline-delimited JSON at URL, which takes the
// number of the first event wanted as the query parameter "from" and stays open. Each line is an
// assay.Event with its time as time_unix_ns and its number as seq. A stream that breaks off is taken up again after the last
// event seen; no event is emitted twice, and a gap in the numbers is told to the run.
//
// Attributes whose names end in _unix_ns are converted like the time and lose the unix_ of their names; so are values of
// attributes ending in _ns that can only be Unix times. A line that is no event is told to the run and passed over.
type Events struct {
	URL      string        `yaml:"url"`
	Name     string        `yaml:"name"`     // Source of events that name none; "platform" by default
	MaxLine  int           `yaml:"max_line"` // bytes
	Patience time.Duration `yaml:"patience"` // how long the stream may be away before the run is told
	Clock    Clock         `yaml:"-"`

	next   uint64 // number of the first event not seen
	began  bool
	bad    int // lines that were no events
	emit   func(assay.Record) error
	client *http.Client
}

// Defaults of the settings of Events.
const (
	eventsMaxLine  = 64 << 10
	eventsPatience = 2 * time.Second
	badLinesTold   = 20 // the run is told of so many bad lines; the rest are counted
)

var _ assay.Source = (*Events)(nil)

// Run follows the stream until ctx is done.
func (e *Events) Run(ctx context.Context, emit func(assay.Record) error) error {
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("events: %q is no URL such as http://host:port/admin/events", ask.Shown(e.URL))
	}
	transport := &http.Transport{DisableCompression: true, ResponseHeaderTimeout: 5 * time.Second}
	defer transport.CloseIdleConnections()
	e.client = &http.Client{Transport: transport, CheckRedirect: sameHost}
	e.emit = emit
	patience := int64(cmp.Or(e.Patience, eventsPatience))

	const first, last = 20 * time.Millisecond, time.Second
	wait, told := first, false
	away := e.Clock.Now()
	for {
		got, err := e.follow(ctx, *u, func() {
			if told {
				e.tell(fmt.Sprintf("event stream %s is back after %s", ask.Shown(e.URL), time.Duration(e.Clock.Now()-away).Round(time.Millisecond)))
			}
			told = false
		})
		if ctx.Err() != nil {
			break
		}
		if got { // the stream was open: it is away since now
			wait, away = first, e.Clock.Now()
		}
		if !told && e.Clock.Now()-away >= patience {
			told = true
			e.tell(fmt.Sprintf("event stream %s is away: %v", ask.Shown(e.URL), err))
		}
		if !sleep(ctx, wait) {
			break
		}
		wait = min(2*wait, last)
	}
	if n := e.bad - badLinesTold; n > 0 {
		e.tell(fmt.Sprintf("%d more lines of the event stream were no events", n))
	}
	return nil
}

func (e *Events) tell(text string) { e.emit(warning(e.Clock, "events", text)) }

// follow reads the stream until it ends. It reports whether it was open, and why it ended.
func (e *Events) follow(ctx context.Context, u url.URL, opened func()) (open bool, err error) {
	q := u.Query()
	q.Set("from", strconv.FormatUint(e.next, 10))
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %s", resp.Status)
	}
	opened()
	limit := cmp.Or(e.MaxLine, eventsMaxLine)
	r := bufio.NewReaderSize(resp.Body, max(limit, 4096))
	for {
		line, long, err := readLine(r, limit)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the platform closed it")
			}
			return true, err
		}
		switch {
		case long:
			e.badLine(fmt.Errorf("longer than max_line, %d bytes", limit))
		case len(line) > 0:
			ev, seq, err := parseEvent(line, e.Clock.FromUnix)
			if err != nil {
				e.badLine(err)
				continue
			}
			if err := e.take(ev, seq); err != nil {
				return true, fmt.Errorf("emit: %w", err)
			}
		}
	}
}

// take emits an event that was not seen before. If the run pushes back, the event will be asked for again.
func (e *Events) take(ev *assay.Event, seq uint64) error {
	if e.began && seq < e.next {
		return nil
	}
	if e.began && seq > e.next {
		e.tell(fmt.Sprintf("%d events are missing from the stream before number %d", seq-e.next, seq))
	}
	ev.Source = cmp.Or(ev.Source, e.Name, "platform")
	if err := e.emit(ev); err != nil {
		return err
	}
	e.next, e.began = seq+1, true
	return nil
}

func (e *Events) badLine(err error) {
	if e.bad++; e.bad <= badLinesTold {
		e.tell("line of the event stream is no event: " + err.Error())
	}
}

// readLine returns the next whole line without its end. Of one longer than limit it reads on to the end and returns long.
func readLine(r *bufio.Reader, limit int) (line []byte, long bool, err error) {
	for {
		b, err := r.ReadSlice('\n')
		long = long || len(b) > limit+1
		switch {
		case err == nil && long:
			return nil, true, nil
		case err == nil:
			return []byte(strings.TrimRight(string(b), "\r\n")), false, nil
		case errors.Is(err, bufio.ErrBufferFull):
			long = true
		default:
			return nil, false, err // a torn last line is not a line
		}
	}
}

// unixLeast tells Unix nanoseconds from run times: it is the year 1973, or a run of three years.
const unixLeast = 1e17

// parseEvent reads one line.
func parseEvent(line []byte, fromUnix func(int64) int64) (*assay.Event, uint64, error) {
	var w struct {
		assay.Event
		Unix *int64  `json:"time_unix_ns"`
		Seq  *uint64 `json:"seq"`
	}
	switch err := json.Unmarshal(line, &w); {
	case err != nil:
		return nil, 0, err
	case w.Kind == "":
		return nil, 0, errors.New("kind is missing")
	case w.Unix == nil || *w.Unix <= 0:
		return nil, 0, errors.New("time_unix_ns is missing")
	case w.Seq == nil:
		return nil, 0, errors.New("seq is missing")
	}
	w.Time = cmp.Or(fromUnix(*w.Unix), 1)
	for k, v := range w.Attrs {
		base, ok := strings.CutSuffix(k, "_ns")
		if !ok {
			continue
		}
		base, named := strings.CutSuffix(base, "_unix")
		ns, err := strconv.ParseInt(v, 10, 64)
		if err != nil || !named && ns < unixLeast {
			continue
		}
		delete(w.Attrs, k)
		w.Attrs[base+"_ns"] = strconv.FormatInt(fromUnix(ns), 10)
	}
	return &w.Event, *w.Seq, nil
}
