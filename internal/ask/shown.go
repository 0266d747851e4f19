package ask

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Shown returns a URL as people and records may see it: scheme, host and path. User, password, query and fragment may hold secrets. A text that is no URL
// is returned as it is.
func Shown(text string) string {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return scheme + "://…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Parse reads a URL. Its error does not show it, as that of net/url does.
func Parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no URL: want one such as http://HOST:PORT/PATH", Shown(text))
	}
	return u, nil
}

// Queried reads a URL whose query may have the parameters named and no other: another would not reach the API behind it. Its error does not
// name the URL: whoever asks does.
func Queried(text string, names ...string) (*url.URL, error) {
	u, err := Parse(text)
	if err != nil {
		return nil, err
	}
	for name := range u.Query() {
		if slices.Contains(names, name) {
			continue
		}
		want := "no query"
		if len(names) > 0 {
			want = "only " + strings.Join(names, ", ") + " in it"
		}
		return nil, fmt.Errorf("its query has %.40q: want %s; a token is told apart from the URL", name, want)
	}
	return u, nil
}
