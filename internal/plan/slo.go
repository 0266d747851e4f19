package plan

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// Upper reports which way a bound points that does not say it, that of an slo: up to it where less of the metric is better, from it on
// where more is. It is an error where neither is.
func Upper(d assay.Desc) (bool, error) {
	switch d.Better {
	case "lower":
		return true, nil
	case "higher":
		return false, nil
	}
	return false, fmt.Errorf("neither more nor less of %s is better; ask for it among the objectives of a plan, with max or min", d.Metric)
}

// turn makes the bound that a preset's slo gave the lowest allowed value where more of the metric is better.
func (o *Objective) turn(d assay.Desc) error {
	if o.at == "" || o.Max == nil {
		return nil
	}
	up, err := Upper(d)
	if err == nil && !up {
		o.Max, o.Min = nil, o.Max
	}
	return err
}
