package logs

// A cursor is how far a store was read: the instant of the line that was read last, in the store's own unit, and the lines that bear it. Lines are read oldest
// first, so all before that instant were. The zero value has read nothing.
type cursor struct {
	at   int64
	seen map[string]bool
}

// fresh reports whether a line was not read yet, and goes on to it.
func (c *cursor) fresh(at int64, key string) bool {
	switch {
	case at < c.at || at == c.at && c.seen[key]:
		return false
	case at > c.at || c.seen == nil:
		c.at, c.seen = at, map[string]bool{}
	}
	c.seen[key] = true
	return true
}
