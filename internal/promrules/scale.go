package promrules

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Scaled returns groups with every length of time divided by speed: windows, offsets, steps of subqueries, for, keep_firing_for and intervals. Names of
// recordings stay as they are. So rules over hours can be tried on a run of minutes; what they then say is of rules that nobody runs.
func Scaled(groups []rulefmt.RuleGroup, speed float64) ([]rulefmt.RuleGroup, error) {
	if speed == 1 {
		return groups, nil
	}
	less := func(d time.Duration) time.Duration {
		if d == 0 {
			return 0
		}
		return max(time.Millisecond, time.Duration(float64(d)/speed).Round(time.Millisecond))
	}
	out := make([]rulefmt.RuleGroup, len(groups))
	for i, g := range groups {
		out[i] = g
		out[i].Interval = model.Duration(less(time.Duration(g.Interval)))
		out[i].Rules = make([]rulefmt.Rule, len(g.Rules))
		for j, r := range g.Rules {
			tree, err := promqlParser.ParseExpr(r.Expr)
			if err != nil {
				return nil, fmt.Errorf("rule %s%s: %w", r.Record, r.Alert, err)
			}
			parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
				switch x := n.(type) {
				case *parser.MatrixSelector:
					x.Range = less(x.Range)
				case *parser.SubqueryExpr:
					x.Range, x.Step, x.OriginalOffset = less(x.Range), less(x.Step), signed(x.OriginalOffset, less)
				case *parser.VectorSelector:
					x.OriginalOffset = signed(x.OriginalOffset, less)
				}
				return nil
			})
			r.Expr = tree.String()
			r.For, r.KeepFiringFor = model.Duration(less(time.Duration(r.For))), model.Duration(less(time.Duration(r.KeepFiringFor)))
			out[i].Rules[j] = r
		}
	}
	return out, nil
}

func signed(d time.Duration, less func(time.Duration) time.Duration) time.Duration {
	if d < 0 {
		return -less(-d)
	}
	return less(d)
}

// reach is how far an expression looks back.
func reach(tree parser.Expr, recorded map[string]time.Duration) time.Duration {
	var most time.Duration
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		var own time.Duration
		switch x := n.(type) {
		case *parser.MatrixSelector:
			own = x.Range
		case *parser.SubqueryExpr:
			own = x.Range + x.OriginalOffset
		case *parser.VectorSelector:
			own = x.OriginalOffset + recorded[x.Name]
		default:
			return nil
		}
		for _, p := range path { // an inner range comes on top of those around it
			if s, ok := p.(*parser.SubqueryExpr); ok && n != parser.Node(s) {
				own += s.Range
			}
		}
		most = max(most, own)
		return nil
	})
	return most
}

// reaches returns how far each recording looks back, through those before it, and how far any rule does.
func reaches(groups []rulefmt.RuleGroup) (recorded map[string]time.Duration, most time.Duration, err error) {
	recorded = map[string]time.Duration{}
	for _, g := range groups {
		for _, x := range g.Rules {
			tree, err := promqlParse(x)
			if err != nil {
				return nil, 0, err
			}
			own := reach(tree, recorded)
			if most = max(most, own); x.Record != "" {
				recorded[x.Record] = max(recorded[x.Record], own)
			}
		}
	}
	return recorded, most, nil
}

// Reach returns how far the rules look back at most.
func Reach(groups []rulefmt.RuleGroup) (time.Duration, error) {
	_, most, err := reaches(groups)
	return most, err
}
