package plan

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Alerts are what a drill is meant to raise: whether it would have woken someone, and that it does not.
type Alerts struct {
	Alertmanager string            `yaml:"alertmanager" json:"alertmanager,omitempty" jsonschema:"description=URL of the Alertmanager that is silenced and is asked what fires where there is no prometheus."`
	Prometheus   string            `yaml:"prometheus" json:"prometheus,omitempty" jsonschema:"description=URL of the Prometheus that is asked what fires."`
	Token        *Auth             `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is that both are shown."`
	Expect       []string          `yaml:"expect" json:"expect" jsonschema:"minItems=1,description=Names of the alerts that the faults should raise."`
	Matchers     map[string]string `yaml:"matchers" json:"matchers,omitempty" jsonschema:"description=Labels that these alerts carry. Nothing else is watched or silenced."`
	Silence      Silence           `yaml:"silence" json:"silence,omitzero" jsonschema:"description=Silence these alerts during the run: true until 5m after the planned end and later as a game day waits for its people; or a duration from the first moment. It is ended with the run; Alertmanager ends it in any case."`
}

// Silence is whether alerts are silenced, and for how long; zero is until after the planned end of the run.
type Silence struct {
	On  bool
	For time.Duration
}

// UnmarshalText reads true, false or a duration.
func (s *Silence) UnmarshalText(b []byte) error {
	switch text := strings.TrimSpace(string(b)); text {
	case "true", "false":
		*s = Silence{On: text == "true"}
	default:
		d, err := ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no silence; write true, false or for example 30m", b)
		}
		*s = Silence{true, d}
	}
	return nil
}

// MarshalText writes it as it is read.
func (s Silence) MarshalText() ([]byte, error) {
	if s.For > 0 {
		return []byte(s.For.String()), nil
	}
	return fmt.Append(nil, s.On), nil
}

// JSONSchema describes a silence.
func (Silence) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "boolean"}, Duration(0).JSONSchema()}}
}

// Limits of alerts.
const (
	maxAlerts  = 50
	maxSilence = 24 * time.Hour
)

var labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// alerts checks the alerts that are expected.
func (c *checker) alerts(a *Alerts) {
	if a == nil {
		return
	}
	const at = "alerts"
	for name, u := range map[string]string{"alertmanager": a.Alertmanager, "prometheus": a.Prometheus} {
		if u != "" {
			c.api(at+"."+name, u)
		}
	}
	if a.Alertmanager == "" && a.Prometheus == "" {
		c.bad(at, "needs prometheus or alertmanager: who is asked what fires")
	}
	if len(a.Expect) == 0 || len(a.Expect) > maxAlerts {
		c.bad(at+".expect", "has %d alerts; want 1 to %d: the names of those that the faults should raise", len(a.Expect), maxAlerts)
	}
	for i, name := range a.Expect {
		if name == "" {
			c.bad(fmt.Sprintf("%s.expect[%d]", at, i), "is empty; want the name of an alert")
		}
	}
	for label := range a.Matchers {
		if !labelForm.MatchString(label) || label == "alertname" || label == "alertstate" {
			c.bad(at+".matchers."+label, "is no label that alerts of these names can be told apart by; want for example service")
		}
	}
	c.tokenRef(at+".token", a.Token, false)
	switch {
	case a.Silence.On && a.Alertmanager == "":
		c.bad(at+".silence", "needs alerts.alertmanager: where it is made")
	case a.Silence.For > maxSilence:
		c.bad(at+".silence", "%v is out of range; at most %v", a.Silence.For, maxSilence)
	}
}
