package plan

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Canary is a request with a known answer that rides along load and faults. Its failures count for availability.
type Canary struct {
	Prompt  string       `yaml:"prompt" json:"prompt,omitempty" jsonschema:"description=Fixed prompt."`
	Payload string       `yaml:"payload" json:"payload,omitempty" jsonschema:"description=File that is sent; for kinds whose requests carry payloads."`
	Every   Duration     `yaml:"every" json:"every,omitempty" jsonschema:"description=Time from one to the next. Default 5s."`
	Output  int          `yaml:"output" json:"output,omitempty" jsonschema:"minimum=1,description=Length of the answer asked for. Default 16 tokens."`
	Class   string       `yaml:"class" json:"class,omitempty" jsonschema:"description=Class written on the canaries. Default canary."`
	Expect  CanaryExpect `yaml:"expect" json:"expect" jsonschema:"description=What a good answer holds. What is set must all hold."`
}

// CanaryExpect says what the canary's answer must hold. What is set must all hold.
type CanaryExpect struct {
	Contains  string  `yaml:"contains" json:"contains,omitempty" jsonschema:"description=Text that the answer contains."`
	Regexp    string  `yaml:"regexp" json:"regexp,omitempty" jsonschema:"description=RE2 pattern found in the answer."`
	Schema    Members `yaml:"schema" json:"schema,omitempty" jsonschema:"description=JSON schema that the answer fits."`
	SHA256    string  `yaml:"sha256" json:"sha256,omitempty" jsonschema:"pattern=^[0-9a-fA-F]{64}$,description=Digest of the answer: for a model that answers the same at temperature 0."`
	Stable    bool    `yaml:"stable" json:"stable,omitempty" jsonschema:"description=Take the digest of the first good answer before the first fault and demand it from then on."`
	MinTokens int     `yaml:"minTokens" json:"minTokens,omitempty" jsonschema:"minimum=1,description=Fewest tokens of the answer."`
	MaxTokens int     `yaml:"maxTokens" json:"maxTokens,omitempty" jsonschema:"minimum=1,description=Most tokens of the answer."`
	Model     string  `yaml:"model" json:"model,omitempty" jsonschema:"description=Model that the answer names."`
	Version   string  `yaml:"version" json:"version,omitempty" jsonschema:"description=Version of the model that the answer names; for kinds openinference and openinference-grpc and triton."`
}

// canaryDefaults fills in what the plan leaves out.
func (p *Plan) canaryDefaults() {
	c := p.Canary
	if c == nil {
		return
	}
	if c.Every == 0 {
		c.Every = Duration(5 * time.Second)
	}
	if c.Output == 0 {
		c.Output = 16
	}
	if c.Class == "" {
		c.Class = "canary"
	}
}

var digestForm = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// canary checks the canary's settings.
func (c *checker) canary(p *Plan) {
	k := p.Canary
	for i, o := range p.Objectives {
		if k == nil && strings.HasPrefix(o.Metric, "canary/") {
			c.bad(fmt.Sprintf("objectives[%d].metric", i), "%s needs a canary; the plan has none", o.Metric)
		}
	}
	for i, g := range p.Guards {
		if k == nil && g.Metric == "canary_ratio" {
			c.bad(fmt.Sprintf("guards[%d].metric", i), "canary_ratio needs a canary; the plan has none")
		}
	}
	if k == nil {
		return
	}
	switch t := &p.Target; {
	case k.Payload != "" && k.Prompt != "":
		c.bad("canary", "has a prompt and a payload; give one of them")
	case t.Payloads != nil && k.Payload == "":
		c.bad("canary", "has no payload; requests carry payloads here: give the file whose answer is known")
	case k.Prompt == "" && k.Payload == "" && t.Kind != "http" && t.Body == "":
		c.bad("canary", "has no prompt; give the one whose answer is known")
	}
	if k.Every.D() < 100*time.Millisecond || k.Every.D() > time.Hour {
		c.bad("canary.every", "%v is out of range; 100ms to 1h", k.Every.D())
	}
	if k.Output < 1 || k.Output > maxTokens {
		c.bad("canary.output", "%d is out of range; 1 to %d", k.Output, maxTokens)
	}
	e := &k.Expect
	if reflect.ValueOf(*e).IsZero() {
		c.bad("canary", "expects nothing; give expect, for example {contains: text} or {stable: true}")
	}
	c.version("canary.expect.version", e.Version, &p.Target)
	if e.Regexp != "" {
		if _, err := regexp.Compile(e.Regexp); err != nil {
			c.bad("canary.expect.regexp", "%v", err)
		}
	}
	if e.SHA256 != "" && !digestForm.MatchString(e.SHA256) {
		c.bad("canary.expect.sha256", "%q is no digest; write 64 hexadecimal digits", e.SHA256)
	}
	if e.SHA256 != "" && e.Stable {
		c.bad("canary.expect", "has sha256 and stable; the digest is known or learnt, not both")
	}
	if e.MinTokens < 0 || e.MaxTokens < 0 || e.MaxTokens > 0 && e.MaxTokens < e.MinTokens {
		c.bad("canary.expect", "minTokens %d and maxTokens %d leave no answer; want minTokens <= maxTokens", e.MinTokens, e.MaxTokens)
	}
}
