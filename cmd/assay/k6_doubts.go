package main

import (
	"fmt"

	"github.com/assay-dev/assay/internal/plan"
)

// k6Doubts says which k6 phases of a plan may run out of credential: a script is told the token of its begin, and nothing of keys.
func k6Doubts(p *plan.Plan) []string {
	a := &p.Target.Auth
	why := ""
	switch {
	case a.AWS != nil:
		why = "k6 is given no keys, and its requests are not signed: target.auth.aws does not reach the script"
	case a.Exec != nil:
		why = "k6 is given the token of its begin and cannot ask for another: where one of target.auth.exec lasts shorter, the script fails"
	case a.OIDC != nil:
		why = "k6 is given the token of its begin and cannot ask for another: where one of target.auth.oidc lasts shorter, the script fails"
	default:
		return nil
	}
	var out []string
	for i := range p.Load {
		if l := &p.Load[i]; l.K6 != "" {
			out = append(out, fmt.Sprintf("phase %s: %s", l.Name, why))
		}
	}
	return out
}
