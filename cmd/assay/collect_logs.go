package main

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/logs"
)

// followLogs adds what follows the logs that the plan names.
func (s *session) followLogs(out map[string]assay.Source) {
	for i, l := range s.plan.Collect.Logs {
		zone := time.Local
		if l.Zone != "" {
			zone, _ = time.LoadLocation(l.Zone) // checked with the plan
		}
		out[fmt.Sprintf("collect.logs[%d]", i)] = &logs.Tail{Path: s.plan.Path(l.File), Instance: l.Instance, Zone: zone, Clock: s.clock}
	}
}

// examineLogs looks at the logs that the plan names: whether they can be read, and whether an engine that is known writes them.
func examineLogs(_ context.Context, p *patient) {
	for i, l := range p.plan.Collect.Logs {
		path := p.plan.Path(l.File)
		lines, known, err := logs.Known(path)
		switch {
		case err != nil:
			p.try(err, doubt, "the run goes on and reads it once it is there", "")
		case known == 0:
			p.add(doubt, "until an engine that is known starts, there are no phases of starts", "collect.logs[%d]: %s can be read; of its last %d lines none is one that is recorded", i, path, lines)
		default:
			p.ok("collect.logs[%d]: %s can be read; of its last %d lines %d are recorded", i, path, lines, known)
		}
	}
}
