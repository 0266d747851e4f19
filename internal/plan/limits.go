package plan

// Limits bound what faults may hurt at once.
type Limits struct {
	Instances int      `yaml:"instances" json:"instances,omitempty" jsonschema:"minimum=1,description=Most instances hurt at once; one that a fault ended counts until it is replaced."`
	Share     Fraction `yaml:"share" json:"share,omitempty" jsonschema:"description=Largest share of the instances hurt at once as with instances; more than 0 and at most 1."`
	Faults    int      `yaml:"faults" json:"faults,omitempty" jsonschema:"minimum=1,description=Most faults at once; one on several instances counts for each."`
}

// limits checks the blast radius.
func (c *checker) limits(p *Plan) {
	l := p.Limits
	if l == nil {
		return
	}
	if *l == (Limits{}) {
		c.bad("limits", "limits nothing; give instances, share or faults")
	}
	if l.Instances < 0 {
		c.bad("limits.instances", "%d is out of range; 1 or more", l.Instances)
	}
	if l.Faults < 0 {
		c.bad("limits.faults", "%d is out of range; 1 or more", l.Faults)
	}
	if !(l.Share >= 0 && l.Share <= 1) {
		c.bad("limits.share", "%v is out of range; more than 0 and at most 1", float64(l.Share))
	}
}
