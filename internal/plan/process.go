package plan

import (
	"net"
	"slices"
	"strconv"
)

// ProcessDeployment names the one process on this machine that serves the target.
type ProcessDeployment struct {
	Listen  string `yaml:"listen" json:"listen,omitempty" jsonschema:"description=Address that the process listens on; for example 127.0.0.1:8000."`
	PIDFile string `yaml:"pidfile" json:"pidfile,omitempty" jsonschema:"description=File that holds the pid of the process; relative to the plan. Probes then ask target.url."`
}

// process returns the process that serves the target, or nil.
func (t *Target) process() *ProcessDeployment {
	if t.Deployment == nil {
		return nil
	}
	return t.Deployment.Process
}

// spare takes from the drivers on offer the local one where it cannot do a kind to a process that runs by itself.
func (t *Target) spare(drivers []string, k *FaultKind) []string {
	if t.process() == nil || !k.Platform {
		return drivers
	}
	return slices.DeleteFunc(drivers, func(by string) bool { return by == byLocal })
}

// unofferedLocal says why the target does not offer the local driver.
func (t *Target) unofferedLocal() string {
	if t.process() != nil {
		return "no link of ours stands in front of target.deployment.process and nothing of ours starts it"
	}
	return "target.kind is not sandbox and target.deployment does not say process"
}

// process checks what the plan says of the process that serves the target.
func (c *checker) process(t *Target) {
	const at = "target.deployment.process"
	p := t.process()
	switch {
	case p == nil || t.Kind == "sandbox":
	case t.Deployment.Kubernetes != nil:
		c.bad(at, "is beside kubernetes; one of them serves the target")
	case (p.Listen == "") == (p.PIDFile == ""):
		c.bad(at, "needs either listen or pidfile; for example listen: 127.0.0.1:8000")
	case p.Listen != "":
		_, port, err := net.SplitHostPort(p.Listen)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 1 || n > 65535 {
			c.bad(at+".listen", "%q is no address; for example 127.0.0.1:8000", p.Listen)
		}
	}
}
