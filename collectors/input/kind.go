package input

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/suggest"
)

// A Kind is one format of recordings.
type Kind struct {
	Name    string // also its flag of assay import
	Help    string // one sentence
	Things  string // what is counted, in the plural: spans, lines, samples
	Proven  collectors.Proof
	By      string   // what exactly was proven
	Options []Option // those that an input may set beside Common

	// Hop says that the kind is of what stands behind the client, a proxy or the platform, and sees the requests that others tell of: see Set.settle.
	Hop bool

	// Is reports whether a file is of this kind by how it begins, at most MaxHead bytes; nil: cannot be told.
	Is func(path string, head []byte) bool

	// Read emits the records of an input, stamped in Unix time. It is called twice for each input.
	Read func(ctx context.Context, in *Input, emit func(assay.Record) error) error

	// Finish is called after Read of the last input of the kind, with that, and emits what only all of them together tell. The inputs of a kind
	// that has it share their State, which Finish leaves as the next reading shall find it. Nil: each input stands for itself.
	Finish func(ctx context.Context, in *Input, emit func(assay.Record) error) error

	// Fetch gets what Read reads from a store at a URL, for the window, as if it had been recorded. Nil: the kind reads files only.
	Fetch func(ctx context.Context, f *Fetching, to io.Writer) error
}

// An Option is a setting of one input.
type Option struct{ Name, Help string }

// Common are the options of all kinds.
var Common = []Option{
	{"zone", "time zone of stamps that name none, such as Europe/Berlin; UTC where none is given"},
	{"shift", "duration to add to each stamp, for a clock known to be wrong"},
	{"member", "of a tar archive, the files whose names fit this pattern, such as *.csv; all where none is given"},
}

// A Fetching is what to get from a store.
type Fetching struct {
	URL      string
	From, To int64  // Unix ns
	Token    string // for Authorization: Bearer; "" for none
	Options  map[string]string
}

// A Spec is an input as a person names it.
type Spec struct {
	Kind    *Kind
	Path    string // a file, or a URL where the kind can fetch
	Options map[string]string
}

// ParseSpec reads PATH or PATH,option=value,... for a kind. A comma that no option follows belongs to the path.
func ParseSpec(k *Kind, text string) (Spec, error) {
	s := Spec{Kind: k, Path: text}
	for {
		i := strings.LastIndexByte(s.Path, ',')
		if i < 0 {
			break
		}
		name, value, ok := strings.Cut(s.Path[i+1:], "=")
		if !ok || name == "" || strings.ContainsAny(name, "/.") {
			break
		}
		if known := k.options(); !slices.Contains(known, name) {
			return s, fmt.Errorf("--%s %s: option %q is unknown; %s", k.Name, ask.Shown(text), name, suggest.Meant(name, known))
		}
		if s.Options == nil {
			s.Options = map[string]string{}
		}
		if _, ok := s.Options[name]; ok {
			return s, fmt.Errorf("--%s %s: option %q is given twice", k.Name, ask.Shown(text), name)
		}
		s.Options[name], s.Path = value, s.Path[:i]
	}
	if s.Path == "" {
		return s, fmt.Errorf("--%s %s: want a file before the options", k.Name, text)
	}
	return s, nil
}

func (k *Kind) options() []string {
	var names []string
	for _, o := range slices.Concat(k.Options, Common) {
		names = append(names, o.Name)
	}
	return names
}

// remote reports whether the input is to be fetched.
func (s *Spec) remote() bool {
	return s.Kind.Fetch != nil && (strings.HasPrefix(s.Path, "http://") || strings.HasPrefix(s.Path, "https://"))
}

// reads says what an input of the kind can be.
func (k *Kind) reads() string {
	if k.Fetch != nil {
		return "files, and URLs of http and https"
	}
	return "files only"
}

// An Input is one recording while its kind reads it.
type Input struct {
	*File
	Tally *Tally
	From  int64 // Unix ns: what was before is left out, but what began before and holds may be told as of this instant; 0: no bound
	State any   // the kind's own, kept from the first reading to the second; shared by the inputs of a kind with a Finish

	options map[string]string
	set     *Set  // nil: none, so that each stamp may be true
	shift   int64 // of its stamps
	told    *told // by the inputs of the kind
}

// Option returns a setting of the input, "" where none was given.
func (in *Input) Option(name string) string { return in.options[name] }

// A Tally counts what became of the things in an input. The zero value is ready.
type Tally struct {
	Kept       int64
	Rejected   map[string]int64 // by reason
	Resolution int64            // ns: of the stamps of its requests
	Untimed    bool             // some of its requests have no time, and were laid end to end

	out   int64 // of those rejected: read well, and not of this run
	notes map[string]int64
	order []string
}

// Keep counts n things as kept.
func (t *Tally) Keep(n int64) { t.Kept += n }

// Reject counts n things as rejected. Reasons are few: no values of the input in them.
func (t *Tally) Reject(reason string, n int64) {
	if t.Rejected == nil {
		t.Rejected = map[string]int64{}
	}
	t.Rejected[reason] += n
}

// Omit counts n things as rejected that were read well and are not of this run.
func (t *Tally) Omit(reason string, n int64) {
	t.Reject(reason, n)
	t.out += n
}

// Read returns the number of things seen.
func (t *Tally) Read() int64 {
	n := t.Kept
	for _, r := range t.Rejected {
		n += r
	}
	return n
}

// Note counts n occurrences of something that a reader of the report has to know. The text follows from the format's %d, if it has one.
func (t *Tally) Note(format string, n int64) {
	if t.notes == nil {
		t.notes = map[string]int64{}
	}
	if _, ok := t.notes[format]; !ok {
		t.order = append(t.order, format)
	}
	t.notes[format] += n
}

// Notes returns what was noted, in words.
func (t *Tally) Notes() []string {
	var out []string
	for _, f := range t.order {
		if strings.Contains(f, "%d") {
			f = fmt.Sprintf(f, t.notes[f])
		}
		out = append(out, f)
	}
	return out
}
