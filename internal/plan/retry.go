package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Retry says which failed requests are sent again, as the clients of a service do.
type Retry struct {
	Attempts   int       `yaml:"attempts" json:"attempts" jsonschema:"minimum=2,maximum=100,description=Attempts of a request at most; the first included."`
	On         []Outcome `yaml:"on" json:"on,omitempty" jsonschema:"description=Outcomes that are tried again. Default throttled; loading; unavailable; refused; reset."`
	Backoff    Duration  `yaml:"backoff" json:"backoff,omitempty" jsonschema:"description=Wait before the second attempt. Default 200ms."`
	Factor     float64   `yaml:"factor" json:"factor,omitempty" jsonschema:"minimum=1,description=Ratio of each further wait to the one before. Default 2."`
	Max        Duration  `yaml:"max" json:"max,omitempty" jsonschema:"description=Longest wait. Default 10s."`
	RetryAfter bool      `yaml:"retryAfter" json:"retryAfter,omitempty" jsonschema:"description=Wait at least as long as the target asks. A request that is asked to wait longer than max is given up."`
}

// Outcome is an outcome that speaks of the target, by its name.
type Outcome assay.Outcome

// outcomes are those that a request may be sent again for.
func outcomes() []string {
	var names []string
	for o := assay.OutcomeUnknown; !strings.HasPrefix(o.String(), "invalid"); o++ {
		if o.Failed() || o == assay.Throttled {
			names = append(names, o.String())
		}
	}
	return names
}

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(b []byte) error {
	if !slices.Contains(outcomes(), string(b)) {
		return fmt.Errorf("%q is no outcome to try again on; %s", b, suggest.Meant(string(b), outcomes()))
	}
	return (*assay.Outcome)(o).UnmarshalText(b)
}

// MarshalText returns the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return assay.Outcome(o).MarshalText() }

// JSONSchema describes an outcome.
func (Outcome) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, n := range outcomes() {
		s.Enum = append(s.Enum, n)
	}
	return s
}

// retryDefaults fills in what the plan leaves out.
func (p *Plan) retryDefaults() {
	r := p.Target.Retry
	if r == nil {
		return
	}
	if len(r.On) == 0 {
		r.On = []Outcome{Outcome(assay.Throttled), Outcome(assay.Loading), Outcome(assay.Unavailable), Outcome(assay.Refused), Outcome(assay.Reset)}
	}
	if r.Backoff == 0 {
		r.Backoff = Duration(200 * time.Millisecond)
	}
	if r.Factor == 0 {
		r.Factor = 2
	}
	if r.Max == 0 {
		r.Max = Duration(max(10*time.Second, r.Backoff.D()))
	}
}

// retry checks the settings of retries.
func (c *checker) retry(r *Retry) {
	if r == nil {
		return
	}
	if r.Attempts < 2 || r.Attempts > 100 {
		c.bad("target.retry.attempts", "%d is out of range; 2 to 100, the first included", r.Attempts)
	}
	if r.Factor < 1 || r.Factor > 100 {
		c.bad("target.retry.factor", "%g is out of range; 1 to 100", r.Factor)
	}
	if r.Max < r.Backoff {
		c.bad("target.retry.max", "%v is below backoff, %v", r.Max.D(), r.Backoff.D())
	}
}
