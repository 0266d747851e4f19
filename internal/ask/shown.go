package ask

import (
	"fmt"
	"net/url"
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
