package secret

import (
	"regexp"
	"strings"
)

const gone = "…"

var (
	user   = regexp.MustCompile(`//[^/\s"'<>@]*@`)                                                           // of a URL
	scheme = regexp.MustCompile(`(?i)\b(bearer|basic|apikey|digest)(\s+|%20|\+)[A-Za-z0-9._~+/=%-]{4,}`)     // of Authorization
	named  = regexp.MustCompile(`(%[0-9a-fA-F]{2})?([A-Za-z0-9_.-]+)(\\?["']?\s*(?:=|:|%3[dD])\s*\\?["']?)`) // of a query, a header or JSON
)

// Text is what a server said, in one line of at most most bytes, without the users of URLs and the values of names that Key knows.
func Text(said string, most int) string {
	if len(said) > 16*most {
		said = said[:16*most]
	}
	said = strings.ToValidUTF8(strings.Join(strings.Fields(said), " "), "\uFFFD")
	said = user.ReplaceAllString(said, "//"+gone+"@")
	said = scheme.ReplaceAllString(said, "$1 "+gone)
	said = unnamed(said)
	if len(said) > most {
		said = strings.ToValidUTF8(said[:most], "") + gone
	}
	return said
}

// unnamed replaces the values of names that Key knows.
func unnamed(said string) string {
	var b strings.Builder
	at := 0
	for _, m := range named.FindAllStringSubmatchIndex(said, -1) {
		if m[0] < at || !Key(said[m[4]:m[5]]) {
			continue
		}
		end := m[1]
		if n := strings.IndexAny(said[end:], " \"'&,;<>}\\"); n >= 0 {
			end += n
		} else {
			end = len(said)
		}
		if end > m[1] {
			b.WriteString(said[at:m[1]])
			b.WriteString(gone)
			at = end
		}
	}
	b.WriteString(said[at:])
	return b.String()
}
