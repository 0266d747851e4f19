package plan

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A plan is recorded with its run and read by many, so it holds no credential: what would carry one is refused by its name.

// secretHeaders are those that carry credentials.
var secretHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token", "X-Auth-Token",
	"X-Functions-Key", "Ocp-Apim-Subscription-Key"}

// ownHeaders are those that the client sets.
var ownHeaders = []string{"Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding"}

// secretQuery are the names in a URL's query that carry credentials: in lower case, without dashes and underscores.
var secretQuery = []string{"code", "key", "apikey", "subscriptionkey", "token", "accesstoken", "idtoken", "authtoken", "sig", "signature", "secret", "clientsecret", "password",
	"xamzsignature", "xamzcredential", "xamzsecuritytoken", "xgoogsignature", "xgoogcredential"}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// headers checks what is sent with requests.
func (c *checker) headers(at string, list map[string]string) {
	for name, value := range list {
		path, key := at+"."+name, http.CanonicalHeaderKey(name)
		switch {
		case slices.Contains(secretHeaders, key):
			c.bad(path, "may carry a credential, which no plan holds; use target.auth, which names where it is, with header for the header's name")
		case key == "Host":
			c.bad(path, "belongs to the whole target: give its name as target.host, or as --host with --url")
		case slices.Contains(ownHeaders, key):
			c.bad(path, "is the client's own; leave it out")
		case !token.MatchString(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			c.bad(path, "is not a valid HTTP header")
		}
	}
}

// tokened are the places whose URLs have a token beside them.
var tokened = regexp.MustCompile(`^(?:collect\.(?:loki|elasticsearch|tempo|jaeger|runpod)\[\d+\]|notify\[\d+\])\.url$|^alerts\.|^(?:guards|hypothesis)\[\d+\].*\.prometheus$`)

// credentialsOf says where the credentials that belong to the URL at a path of the plan can be named.
func credentialsOf(path string) string {
	switch {
	case path == "target.url":
		return "use target.auth, which takes env, file and others, with header for the header that takes the key"
	case tokened.MatchString(path):
		return "use " + path[:strings.LastIndexByte(path, '.')] + ".token with env or file"
	}
	return "leave it out: none can be named here"
}

// secretIn returns the name in a query that may carry a credential; "" where none does. It also reads what net/url leaves out as malformed.
func secretIn(query string) string {
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if slices.Contains(secretQuery, strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))) {
			return name
		}
	}
	return ""
}

// redact cuts what may be a credential out of a URL: all up to an @, and the query.
func redact(raw string) string {
	if i := strings.LastIndex(raw, "@"); i >= 0 {
		raw = "…" + raw[i:]
	}
	if i := strings.IndexAny(raw, "?&"); i >= 0 {
		raw = raw[:i] + "?…"
	}
	return raw
}
