package plan

import (
	"fmt"
	"time"
)

// Log is a log of an engine on this machine.
type Log struct {
	File     string `yaml:"file" json:"file" jsonschema:"description=Log to follow; relative to the plan. It may be wrapped in CRI or JSON lines and be rotated."`
	Instance string `yaml:"instance" json:"instance,omitempty" jsonschema:"description=Instance that writes it. Default: the pod that its lines or its name tell."`
	Zone     string `yaml:"zone" json:"zone,omitempty" jsonschema:"description=Time zone of stamps that name none such as Europe/Berlin. Default: this machine's."`
}

// collectLogs tests the logs that are followed.
func (c *checker) collectLogs(logs []Log) {
	for i, l := range logs {
		at := fmt.Sprintf("collect.logs[%d]", i)
		if l.File == "" {
			c.bad(at, "names no file; write file: PATH")
		}
		if _, err := time.LoadLocation(l.Zone); err != nil {
			c.bad(at+".zone", "%q is unknown; write a name such as Europe/Berlin, or UTC", l.Zone)
		}
	}
}
