package plan

// WrongAt returns what the parts found wrong with a setting, given by its path in the plan, as an [*Error] with its place in the file. A setting that
// does not stand there gets the place of the nearest one above it.
func (p *Plan) WrongAt(path, msg string) error {
	c := &checker{d: p.src}
	c.bad(path, "%s", msg)
	return c.errs[0]
}
