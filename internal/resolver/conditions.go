package resolver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The modes.
const (
	None     = ""
	NXDomain = "nxdomain" // the name is said not to exist
	ServFail = "servfail" // the server says that it failed
	Drop     = "drop"     // no answer
	Delay    = "delay"    // the answer comes Delay later
	Wrong    = "wrong"    // the answer is Answer
)

// Modes returns the modes that hurt.
func Modes() []string { return []string{NXDomain, ServFail, Drop, Delay, Wrong} }

// Nobody is the wrong answer where none is given: an address of loopback on which nobody listens.
const Nobody = "127.255.255.254"

// Conditions say what happens to which questions. The zero value does nothing.
type Conditions struct {
	Mode        string        `json:"mode"`
	Names       []string      `json:"names"`       // which names, "*.x" for all below x; none: all
	Delay       time.Duration `json:"delay_ns"`    // for delay
	Answer      string        `json:"answer"`      // for wrong: an IP address
	Probability float64       `json:"probability"` // each question with this chance, by Seed and its number alone; 0: each
	Seed        uint64        `json:"seed"`
}

// Equal reports whether two conditions are the same.
func (c Conditions) Equal(o Conditions) bool {
	return slices.Equal(c.Names, o.Names) && reflect.DeepEqual(c.without(), o.without())
}

func (c Conditions) without() Conditions { c.Names = nil; return c }

// IsZero reports whether the conditions do nothing.
func (c Conditions) IsZero() bool { return c.Equal(Conditions{}) }

// Check returns an error that names the first field out of range.
func (c Conditions) Check() error {
	switch {
	case c.Mode == None && !c.IsZero():
		return fmt.Errorf("mode: is missing; one of %q", Modes())
	case c.Mode != None && !slices.Contains(Modes(), c.Mode):
		return fmt.Errorf("mode: %q is not one of %q", c.Mode, Modes())
	case c.Mode == Delay && c.Delay <= 0:
		return fmt.Errorf("delay_ns: %v delays nothing; want more than 0", c.Delay)
	case c.Mode != Delay && c.Delay != 0:
		return fmt.Errorf("delay_ns: belongs to mode delay, not %q", c.Mode)
	case c.Mode != Wrong && c.Answer != "":
		return fmt.Errorf("answer: belongs to mode wrong, not %q", c.Mode)
	case !(c.Probability >= 0 && c.Probability <= 1):
		return fmt.Errorf("probability: %v is out of range; want 0 to 1", c.Probability)
	}
	if c.Mode == Wrong {
		if _, err := netip.ParseAddr(c.Answer); err != nil {
			return fmt.Errorf("answer: %q is no IP address; for example %s", c.Answer, Nobody)
		}
	}
	for _, n := range c.Names {
		if bare := strings.TrimPrefix(n, "*."); bare == "" || strings.Contains(bare, "*") || strings.ContainsAny(bare, " /:") {
			return fmt.Errorf("names: %q is no name; for example weights.example or *.example", n)
		} else if _, err := dnsmessage.NewName(absolute(bare)); err != nil {
			return fmt.Errorf("names: %q is too long", n)
		}
	}
	return nil
}

// Covers reports whether questions for the name are meant.
func (c Conditions) Covers(name string) bool {
	name = canonical(name)
	for _, n := range c.Names {
		if below, ok := strings.CutPrefix(n, "*"); ok && strings.HasSuffix(name, canonical(below)) || canonical(n) == name {
			return true
		}
	}
	return len(c.Names) == 0
}

// strikes reports whether question n about a name, from 1, is struck.
func (c *Conditions) strikes(n int64) bool {
	return c.Probability == 0 || rand.New(rand.NewPCG(c.Seed, uint64(n))).Float64() < c.Probability
}

// Sample returns a name that the conditions mean; otherwise where they mean all.
func (c Conditions) Sample(otherwise string) string {
	if len(c.Names) == 0 {
		return otherwise
	}
	if below, ok := strings.CutPrefix(c.Names[0], "*."); ok {
		return "assay." + below
	}
	return c.Names[0]
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func absolute(name string) string { return strings.TrimSuffix(name, ".") + "." }

// A Report is the conditions and what they did.
type Report struct {
	Conditions
	Addr   string `json:"addr"`   // where the server is asked
	Name   string `json:"name"`   // that its users ask for
	Asked  int64  `json:"asked"`  // questions for the names meant since the conditions were set, without probes
	Struck int64  `json:"struck"` // of these, hurt
}

// Admin shows (GET), sets (PUT) and resets (DELETE) the conditions.
func (s *Server) Admin() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "": // a web page must not be able to talk to it through a browser
			http.Error(w, "this server does not serve browsers", http.StatusForbidden)
			return
		case r.Method == http.MethodGet:
		case r.Method == http.MethodPut:
			var c Conditions
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
			d.DisallowUnknownFields()
			err := d.Decode(&c)
			if err == nil {
				err = c.Check()
			}
			if err != nil {
				http.Error(w, fmt.Sprintf("read the conditions: %v", err), http.StatusBadRequest)
				return
			}
			s.Set(c)
		case r.Method == http.MethodDelete:
			s.Set(Conditions{})
		default:
			w.Header().Set("Allow", "GET, PUT, DELETE")
			http.Error(w, r.Method+" is not allowed here", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s.Report())
	})
}
