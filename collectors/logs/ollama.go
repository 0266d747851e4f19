package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// loadStep is how exactly Ollama knows how long loading took: it polls its runner at this period.
const loadStep = int64(250 * time.Millisecond)

// coldAfter is the load time from which an answer waited for the model. Ollama looks whether a model is loaded at steps of this length, the first
// after one; a warm answer says about a millisecond, and on a busy machine a hundred and more.
const coldAfter = int64(250 * time.Millisecond)

// unloads is why an answer to keep_alive 0 without a prompt is no request.
const unloads = "unloads a model and asks nothing"

const recorded = "recorded" // the phase of requests that a server recorded

var ollamaKind = input.Kind{
	Name: "ollama", Things: "answers", Proven: collectors.Recorded, By: "answers of Ollama 0.6.8",
	Help:    "Answers of Ollama's own API, one JSON object a line: as they were, or as body beside http and total_s. Loading makes them cold.",
	Options: []input.Option{{Name: "instance", Help: "name of the server; the file's where none is given"}, {Name: "requests", Help: "yes: its requests count though another input tells of requests"}},
	Hop:     true,
	Is:      isOllama, Read: readOllama,
}

var ollamaLine = regexp.MustCompile(`^\s*\{.*"load_duration"\s*:`)

func isOllama(_ string, head []byte) bool { return ollamaLine.Match(head) }

// An answer is one of Ollama's, as it was or within what a client noted of it. Durations are ns.
type answer struct {
	Model      string `json:"model"`
	CreatedAt  string `json:"created_at"` // when it was complete
	Done       *bool  `json:"done"`
	DoneReason string `json:"done_reason"`
	Error      string `json:"error"`
	Total      *int64 `json:"total_duration"`
	Load       *int64 `json:"load_duration"`
	In         *int32 `json:"prompt_eval_count"`
	Out        *int32 `json:"eval_count"`

	HTTP    *int32   `json:"http"`
	Seconds *float64 `json:"total_s"` // as the client saw it
	Body    *answer  `json:"body"`
}

// An exchange is an answer with what is known of the request.
type exchange struct {
	assay.Request
	took int64
	load int64 // -1: not told
	at   int64 // Unix ns of its end; 0: not told
}

// parse reads one line. Where it is no request, why says so.
func parse(raw []byte) (x exchange, why string) {
	var a answer
	if json.Unmarshal(raw, &a) != nil {
		return x, "no answer of Ollama"
	}
	body := &a
	if a.Body != nil {
		body = a.Body
	}
	if t, err := time.Parse(time.RFC3339, cmp.Or(a.CreatedAt, body.CreatedAt)); err == nil && t.Year() > 1970 && t.Year() < 2250 {
		x.at = t.UnixNano()
	}
	switch {
	case body.DoneReason == "unload":
		return x, unloads
	case body.DoneReason == "load":
		return x, "loads a model and asks nothing"
	case body.Done != nil && !*body.Done:
		return x, "a part of an answer"
	}
	x.load = -1
	if body.Load != nil && *body.Load >= 0 {
		x.load = *body.Load
	}
	switch {
	case a.Seconds != nil && *a.Seconds >= 0 && *a.Seconds < 1e6:
		x.took = int64(math.Round(*a.Seconds * 1e9))
	case body.Total != nil && *body.Total >= 0 && *body.Total < 1e15:
		x.took = *body.Total
	default:
		return x, "says not how long it took"
	}
	x.judge(&a, body)
	return x, ""
}

// judge fills in how the exchange ended. Status 200 does not make an answer good.
func (x *exchange) judge(a, body *answer) {
	x.NoSchedule, x.Phase, x.Outcome = true, recorded, assay.OK
	if a.HTTP != nil && *a.HTTP >= 0 && *a.HTTP < 1000 {
		x.Status = *a.HTTP
		x.Outcome = assay.OutcomeOf(int(*a.HTTP), false)
	}
	if text := cmp.Or(body.Error, a.Error); text != "" {
		switch {
		case strings.Contains(text, "server busy"):
			x.Outcome = assay.Throttled
		case x.Outcome == assay.OK:
			x.Outcome, x.Error = assay.ServerError, "an error in the answer"
		}
	}
	if x.load >= coldAfter {
		x.Cold = assay.ColdYes
	} else if x.load >= 0 {
		x.Cold = assay.ColdNo
	}
	if body.In != nil && *body.In > 0 {
		x.TokensIn = *body.In
	}
	if body.Out != nil && *body.Out > 0 {
		x.TokensOut = *body.Out
	}
}

// readOllama reads answers. Those without a stamp are laid end to end, the last ending when the file was changed last.
func readOllama(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	next, ok := in.State.(int64)
	if !ok {
		var err error
		if next, err = layOut(in.Path); err != nil {
			return err
		}
		in.State = next
	}
	name := cmp.Or(in.Option("instance"), instanceFrom(in.Path))
	lives := 0
	var begin, end int64
	l := input.Lines{File: in.File}
	for {
		raw, err := l.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		x, why := parse(raw)
		if why == unloads && lives > 0 && x.at != 0 { // what was loaded ended because it was asked to
			in.Tally.Keep(1)
			if err := emit(&assay.Event{Time: x.at, Resolution: loadStep, Kind: assay.EventInstanceExited, Source: "ollama", Instance: name + "#" + strconv.Itoa(lives), Attrs: map[string]string{"reason": "scale_in"}}); err != nil {
				return err
			}
			continue
		}
		if odd := in.Untrue(x.at); x.at != 0 && why == "" && odd != "" {
			in.Tally.Omit(odd, 1)
			continue
		}
		if why != "" {
			in.Tally.Reject(why, 1)
			continue
		}
		in.Tally.Keep(1)
		r := &x.Request
		if x.at != 0 {
			r.Due, r.End = x.at-x.took, x.at
		} else {
			r.Due, r.End = next, next+x.took
			next = r.End
			in.Tally.Untimed = true
			in.Tally.Note("%d answers tell no time: they were laid end to end, up to when the file was changed last", 1)
		}
		if begin == 0 || r.Due < begin {
			begin = r.Due
		}
		end = max(end, r.End)
		if r.Cold == assay.ColdYes {
			lives++
			if err := start(name+"#"+strconv.Itoa(lives), &x, emit); err != nil {
				return err
			}
		}
		if lives > 0 {
			r.Instance = name + "#" + strconv.Itoa(lives)
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	if begin == 0 {
		return nil
	}
	in.Tally.Note("load times stand at steps of 250 ms, at which Ollama polls its runner", 1)
	return errors.Join(
		emit(&assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Source: "import", Phase: recorded, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
		emit(&assay.Event{Time: end, Kind: assay.EventPhaseEnd, Source: "import", Phase: recorded}))
}

// start tells of the runner that was started for an answer: it was ready when the model was loaded.
func start(id string, x *exchange, emit func(assay.Record) error) error {
	at := x.Due + min(x.load, x.took)
	event := func(kind string, at int64, attrs map[string]string) error {
		return emit(&assay.Event{Time: at, Resolution: loadStep, Kind: kind, Source: "ollama", Instance: id, Attrs: attrs})
	}
	return errors.Join(
		event(assay.EventInstanceCreated, x.Due, nil),
		event(assay.EventInstancePhase, at, map[string]string{"phase": "weights_load", "start_ns": strconv.FormatInt(x.Due, 10), "end_ns": strconv.FormatInt(at, 10), "source": "load_duration"}),
		event(assay.EventInstanceReady, at, nil))
}

// layOut returns when the first of the answers without a stamp began, if they followed one another.
func layOut(path string) (int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, nil // read from something that is no file: the stamps have to be there
	}
	f, err := input.OpenFile(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	at := st.ModTime().UnixNano()
	l := input.Lines{File: f}
	for {
		raw, err := l.Next()
		if err == io.EOF {
			return at, nil
		}
		if err != nil {
			return 0, err
		}
		if x, why := parse(raw); why == "" && x.at == 0 {
			if at -= x.took; at < 0 {
				return 0, fmt.Errorf("%s: its answers take longer than there was time", path)
			}
		}
	}
}
