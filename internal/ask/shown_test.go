package ask

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"http://alice:hunter2@127.0.0.1:3100/loki?query={app=\"x\"}&token=s#f": "http://127.0.0.1:3100/loki",
		"https://t0ken@host/a%20b":              "https://host/a%20b",
		"https://host":                          "https://host",
		"http://alice:hunter2@host:bad port/":   "http://…",
		"http://alice:hun%zzter2@host/":         "http://…",
		"http:///path?token=s":                  "http://…",
		"logs/engine?.txt":                      "logs/engine?.txt",
		`C:\logs\a@b.txt`:                       `C:\logs\a@b.txt`,
		"host:9090 says http://a:hunter2@host/": "host:9090 says http://…",
	} {
		if got := Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseDoesNotTell(t *testing.T) {
	for _, in := range []string{"http://alice:hunter2@host:port/", "http://alice:hunter2@[::1/", "http://al%zz:hunter2@host/"} {
		if _, err := Parse(in); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
	if u, err := Parse("http://a:b@host/p"); err != nil || u.Host != "host" || u.User == nil {
		t.Errorf("got %v, %v", u, err)
	}
}
