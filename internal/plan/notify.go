package plan

import "fmt"

// Webhook is who is told of what happens in a run: its begin and end, faults, and the breach of a guard.
type Webhook struct {
	URL   string `yaml:"url" json:"url" jsonschema:"description=Where JSON is posted to. What cannot be delivered is a warning in the run; nothing waits for it."`
	Token *Auth  `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is."`
}

const maxHooks = 10

// notify checks who is told.
func (c *checker) notify(hooks []Webhook) {
	if len(hooks) > maxHooks {
		c.bad("notify", "%d are too many; at most %d", len(hooks), maxHooks)
	}
	for i, h := range hooks {
		at := fmt.Sprintf("notify[%d]", i)
		if h.URL == "" {
			c.bad(at, "needs url")
		} else {
			c.url(at+".url", h.URL)
		}
		c.tokenRef(at+".token", h.Token, false)
	}
}
