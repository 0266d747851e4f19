package gpu

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Class says what an error of a GPU counts as.
type Class string

// The classes. The first five are failures, in order of how far they reach; the others are none.
const (
	ClassApp          Class = "app"          // an application died, the card goes on
	ClassPlatform     Class = "platform"     // software around the card would not start
	ClassLink         Class = "link"         // cards cannot reach one another
	ClassGPU          Class = "gpu"          // the card is of no use until it is reset or replaced
	ClassNode         Class = "node"         // the machine must be restarted
	ClassInformation  Class = "information"  // says nothing against anybody
	ClassWarning      Class = "warning"      // early: it still works
	ClassFollows      Class = "follows"      // consequence of the first error around it
	ClassAction       Class = "action"       // its text names a recovery action, which has a class
	ClassUnclassified Class = "unclassified" // nobody told
)

var failures = []Class{ClassApp, ClassPlatform, ClassLink, ClassGPU, ClassNode}

var otherClasses = []Class{ClassInformation, ClassWarning, ClassFollows, ClassAction, ClassUnclassified}

// Failure reports whether errors of the class are failures.
func (c Class) Failure() bool { return slices.Contains(failures, c) }

// Graver reports whether c reaches further than d.
func (c Class) Graver(d Class) bool { return slices.Index(failures, c) > slices.Index(failures, d) }

// Severity puts the class into a word: failure, warning, information or unclassified.
func (c Class) Severity() string {
	switch {
	case c.Failure():
		return "failure"
	case c == ClassWarning:
		return "warning"
	case c == ClassUnclassified:
		return "unclassified"
	}
	return "information"
}

// An XID is what the table says of one error of the driver.
type XID struct {
	Code    int    `yaml:"-" json:"code"`
	Meaning string `yaml:"meaning" json:"meaning"`
	Action  string `yaml:"action" json:"action"` // what to do: how far the damage reaches
	Cause   string `yaml:"cause" json:"cause"`   // who is at fault, as far as a code can tell
	Class   Class  `yaml:"class" json:"class"`
}

// MaxXID bounds the codes.
const MaxXID = 999

// maxRows bounds a table.
const maxRows = 1000

// Table is what is known of errors, by code.
type Table struct {
	Version int
	Date    string
	Source  string
	Rows    map[int]XID
}

//go:embed xid.yaml
var xidYAML []byte

//go:embed reasons.yaml
var reasonsYAML []byte

//go:embed recovery.yaml
var recoveryYAML []byte

// XIDs returns the built-in table. It must not be changed.
var XIDs = sync.OnceValue(func() *Table {
	t, err := ParseTable(xidYAML)
	if err != nil {
		panic("xid.yaml: " + err.Error()) // embedded, so a bug
	}
	return t
})

// ParseTable reads a table as YAML: rows with codes ("13 39-41"), meaning, action, cause and class. Version, date and source may be left out.
func ParseTable(b []byte) (*Table, error) {
	var file struct {
		Version int    `yaml:"version"`
		Date    string `yaml:"date"`
		Source  string `yaml:"source"`
		Rows    []struct {
			Codes string `yaml:"codes"`
			XID   `yaml:",inline"`
		} `yaml:"rows"`
	}
	if err := decode(b, &file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(file.Rows) == 0 {
		return nil, errors.New("want rows, as in rows: [{codes: \"79\", meaning: fallen off the bus, action: restart machine, cause: hardware, class: node}]")
	}
	t := &Table{Version: file.Version, Date: file.Date, Source: file.Source, Rows: map[int]XID{}}
	for i, r := range file.Rows {
		xids, err := r.XID.For(r.Codes)
		if err != nil {
			return nil, fmt.Errorf("rows[%d]: %w", i, err)
		}
		for _, x := range xids {
			if _, twice := t.Rows[x.Code]; twice {
				return nil, fmt.Errorf("rows[%d]: code %d stands twice", i, x.Code)
			}
			if len(t.Rows) == maxRows {
				return nil, fmt.Errorf("more than %d codes", maxRows)
			}
			t.Rows[x.Code] = x
		}
	}
	return t, nil
}

// decode reads YAML of a person. The library panics at some that it cannot read.
func decode(b []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no YAML that can be read: %v", r)
		}
	}()
	return yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(v)
}

// For returns the row for each of some codes ("13 39-41").
func (x XID) For(codes string) ([]XID, error) {
	list, err := parseCodes(codes)
	if err != nil {
		return nil, err
	}
	if !x.Class.Failure() && !slices.Contains(otherClasses, x.Class) {
		return nil, fmt.Errorf("class %q is unknown: want one of %v", x.Class, slices.Concat(failures, otherClasses))
	}
	var out []XID
	for _, c := range list {
		x.Code = c
		out = append(out, x)
	}
	return out, nil
}

// parseCodes reads "13 39-41".
func parseCodes(text string) (codes []int, err error) {
	for _, word := range strings.Fields(text) {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || a < 0 || a > b || b > MaxXID {
			return nil, fmt.Errorf("codes %q: want numbers and ranges up to %d, such as \"13 39-41\"", text, MaxXID)
		}
		for ; a <= b; a++ {
			codes = append(codes, a)
		}
	}
	if len(codes) == 0 {
		return nil, errors.New("want codes, such as \"13 39-41\"")
	}
	return codes, nil
}

// With returns the table with the rows of another in place of its own.
func (t *Table) With(rows []XID) *Table {
	if len(rows) == 0 {
		return t
	}
	out := *t
	out.Rows = make(map[int]XID, len(t.Rows))
	for c, x := range t.Rows {
		out.Rows[c] = x
	}
	for _, x := range rows {
		out.Rows[x.Code] = x
	}
	return &out
}

// Of returns what the table says of a code; one that it does not have is unclassified.
func (t *Table) Of(code int) XID {
	if x, ok := t.Rows[code]; ok {
		return x
	}
	return XID{Code: code, Meaning: "not in the table", Action: "unknown", Cause: "unknown", Class: ClassUnclassified}
}

// Sorted returns the rows in order of their codes.
func (t *Table) Sorted() []XID {
	var out []XID
	for _, x := range t.Rows {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b XID) int { return a.Code - b.Code })
	return out
}

// A Reason is why a GPU's clocks are lower than they could be.
type Reason struct {
	Bit   uint64 `yaml:"bit"` // of the driver's mask; 0: a counter only
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	Class string `yaml:"class"` // fault, capacity, environment, configuration, warning or none
}

// Reasons returns the table of reasons.
var Reasons = sync.OnceValue(func() []Reason {
	var file struct {
		Version int      `yaml:"version"`
		Date    string   `yaml:"date"`
		Source  string   `yaml:"source"`
		Reasons []Reason `yaml:"reasons"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(reasonsYAML), yaml.Strict()).Decode(&file); err != nil {
		panic("reasons.yaml: " + err.Error()) // embedded, so a bug
	}
	return file.Reasons
})

// ReasonsIn returns the reasons whose bits a mask has.
func ReasonsIn(mask uint64) (out []Reason) {
	for _, r := range Reasons() {
		if r.Bit&mask != 0 {
			out = append(out, r)
		}
	}
	return out
}

// ReasonNamed returns the reason of a name.
func ReasonNamed(name string) (Reason, bool) {
	rs := Reasons()
	i := slices.IndexFunc(rs, func(r Reason) bool { return r.Name == name })
	if i < 0 {
		return Reason{}, false
	}
	return rs[i], true
}

// A Recovery is an action that the driver recommends.
type Recovery struct {
	Code  int      `yaml:"code"`
	Name  string   `yaml:"name"`
	Words []string `yaml:"words"` // lower case, as texts have it
	Class Class    `yaml:"class"` // of what needs it
}

// Recoveries returns the table of actions.
var Recoveries = sync.OnceValue(func() []Recovery {
	var file struct {
		Version int        `yaml:"version"`
		Date    string     `yaml:"date"`
		Source  string     `yaml:"source"`
		Actions []Recovery `yaml:"actions"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(recoveryYAML), yaml.Strict()).Decode(&file); err != nil {
		panic("recovery.yaml: " + err.Error()) // embedded, so a bug
	}
	return file.Actions
})

// RecoveryIn finds the action that a text names: the longest words that occur in it.
func RecoveryIn(text string) (Recovery, bool) {
	text = strings.ToLower(text)
	var best Recovery
	longest := 0
	for _, r := range Recoveries() {
		for _, w := range r.Words {
			if len(w) > longest && hasWords(text, w) {
				best, longest = r, len(w)
			}
		}
	}
	return best, longest > 0
}

var changedTo = regexp.MustCompile(`(?i)\bto 0x([0-9a-f]{1,4})\b`)

// RecoveryTo returns the action that a line of XID 154 changed to: by its number, since the words differ from driver to driver.
func RecoveryTo(text string) (Recovery, bool) {
	if m := changedTo.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseInt(m[1], 16, 32)
		i := slices.IndexFunc(Recoveries(), func(r Recovery) bool { return int64(r.Code) == n })
		if i < 0 {
			return Recovery{}, false
		}
		return Recoveries()[i], true
	}
	return RecoveryIn(text)
}

// hasWords reports whether words stand in text between other characters than letters.
func hasWords(text, words string) bool {
	letter := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= 'a' && text[i] <= 'z' }
	for from := 0; ; {
		i := strings.Index(text[from:], words)
		if i < 0 {
			return false
		}
		if i += from; !letter(i-1) && !letter(i+len(words)) {
			return true
		}
		from = i + 1
	}
}
