package plan

import "net"

// Stop is how the run is stopped at once other than by a signal. It works even when the run hangs.
type Stop struct {
	File string    `yaml:"file" json:"file,omitempty" jsonschema:"description=The run stops when this file appears and is refused while it is there; relative to the plan."`
	HTTP *StopHTTP `yaml:"http" json:"http,omitempty" jsonschema:"description=The run stops on POST /stop with the token."`
}

// StopHTTP is where a stop is listened for.
type StopHTTP struct {
	Listen string `yaml:"listen" json:"listen,omitempty" jsonschema:"description=Address. Default 127.0.0.1:0 which is a free port of loopback; it is printed."`
	Token  Auth   `yaml:"token" json:"token" jsonschema:"description=Where the token is that a request must show as a bearer token."`
}

func (p *Plan) stopDefaults() {
	if s := p.Stop; s != nil && s.HTTP != nil {
		orElse(&s.HTTP.Listen, "127.0.0.1:0")
	}
}

// stop checks how the run is stopped.
func (c *checker) stop(s *Stop) {
	if s == nil {
		return
	}
	if s.File == "" && s.HTTP == nil {
		c.bad("stop", "says nothing; give file or http")
	}
	if h := s.HTTP; h != nil {
		if _, _, err := net.SplitHostPort(h.Listen); err != nil {
			c.bad("stop.http.listen", "%q is no address; write for example 127.0.0.1:8099", h.Listen)
		}
		if (h.Token.Env == "") == (h.Token.File == "") {
			c.bad("stop.http", "needs token with exactly one of env and file: without one anyone could stop the run")
		}
	}
}
