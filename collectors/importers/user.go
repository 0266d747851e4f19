package importers

import (
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// userColumns are what tables call the user or session of a request, best first: a person before a session, and a tenant, of which many people are one, last.
var userColumns = []string{"user", "user_id", "userid", "userId", "enduser.id", "user.id", "customer_id", "account_id", "session_id", "sessionid", "sessionId", "session", "session.id",
	"conversation_id", "tenant", "tenant_id"}

// users finds the column that tells the user, where none is named. Of objects, each may have another.
func (c *columned) users(taken map[string]bool, has func(string) bool, open bool) {
	delete(c.columns, "user")
	var free []string
	for _, name := range userColumns {
		if !taken[name] {
			free = append(free, name)
		}
	}
	if open {
		c.aliases = free
		return
	}
	i := slices.IndexFunc(free, has)
	if i < 0 {
		return
	}
	c.columns["user"] = Column{Name: free[i]}
	if free[i] != "user" {
		c.tally.note(fmt.Sprintf("users are those of the column %s: user=NAME names another", free[i]), 1)
	}
}

// user returns the pseudonym of a row's user, "" where it tells none.
func (c *columned) user() string {
	id := c.of("user")
	for i := 0; id == "" && i < len(c.aliases); i++ {
		id = c.get(c.aliases[i])
	}
	return pseudonym(id)
}

// pseudonym is assay.Pseudonym of what a file says of a user; a dash says nothing.
func pseudonym(id string) string {
	if id == "-" || id == "null" {
		return ""
	}
	return assay.Pseudonym(id)
}
