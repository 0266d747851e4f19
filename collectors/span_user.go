package collectors

import (
	"github.com/assay-dev/assay"
)

// UserAttr is the attribute of a span that holds the pseudonym of the user or session that it was made for.
const UserAttr = "assay.user"

// tells returns how well an attribute of that name tells who a span was made for: the less the better, 0 for not at all. A person counts before a session, since one who
// comes twice is the same who was hurt twice; a conversation is what is left. Names are those of OpenTelemetry's conventions, present and past.
func tells(key string) int {
	switch key {
	case "enduser.id":
		return 1
	case "user.id":
		return 2
	case "enduser.pseudo.id":
		return 3
	case "user.hash":
		return 4
	case "session.id":
		return 5
	case "gen_ai.conversation.id":
		return 6
	}
	return 0
}

// A teller keeps who a span was made for while its attributes are read. None of them is kept as it stands.
type teller struct {
	id   string
	rank int
}

// hear takes an attribute.
func (t *teller) hear(rank int, value string) {
	if value != "" && (t.rank == 0 || rank < t.rank) {
		t.id, t.rank = value, rank
	}
}

// told adds who it was to the attributes of the span.
func (t *teller) told(attrs []assay.Attr) []assay.Attr {
	if t.rank == 0 {
		return attrs
	}
	return put(attrs, UserAttr, assay.Pseudonym(t.id))
}
