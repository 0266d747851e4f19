package collectors

import (
	"cmp"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/assay-dev/assay"
)

// clip returns s as valid UTF-8 of at most max bytes, and whether it had to be shortened.
func clip(s string, max int) (string, bool) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= max {
		return s, false
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return strings.Clone(s[:max]), true // the clone lets go of the long string
}

// loopback reports whether addr ("host:port") can be reached from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// warning returns an event that tells the run what it did not get. Attribute pairs are names and values.
func warning(c Clock, source, text string, pairs ...string) *assay.Event {
	e := &assay.Event{Time: cmp.Or(c.Now(), 1), Kind: assay.EventWarning, Source: source, Text: text}
	for i := 0; i+1 < len(pairs); i += 2 {
		if e.Attrs == nil {
			e.Attrs = make(map[string]string, len(pairs)/2)
		}
		e.Attrs[pairs[i]] = pairs[i+1]
	}
	return e
}
