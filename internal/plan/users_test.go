package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsers(t *testing.T) {
	load := func(text string) (*Plan, error) {
		return Parse("p.yaml", []byte("apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox}\nload:\n  - {name: a, for: 5s, "+text+"}\n"))
	}
	const open = "arrivals: {poisson: {rate: 2/s}}, "
	for text, want := range map[string]*Users{
		open + "users: 1000":                 {N: 1000},
		open + "users: {n: 1000, skew: 1.1}": {N: 1000, Skew: 1.1},
		open + "class: a":                    nil,
	} {
		p, err := load(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, p.Load[0].Users); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	for text, want := range map[string]string{
		open + "users: many":              `"many" is no number of users; write for example 1000 or {n: 1000, skew: 1.1}`,
		open + "users: 0":                 "load[0].users.n: 0 is out of range; 1 to 16777216",
		open + "users: {n: 5, skew: 0.5}": "load[0].users.skew: 0.5 is out of range; more than 1 and at most 10",
		"closed: {n: 2}, users: 5":        "load[0].users: does not go with closed, each of whose slots is a user; leave one out",
		"role: idle, users: 5":            "load[0].users: stands in a phase without load; leave it out",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"{kind: openai, url: 'http://h', userHeader: 'a b'}": `target.userHeader: "a b" is not the name of an HTTP header`,
		"{kind: http, url: 'http://h', userField: true}":     "target.userField: kind http does not know it; it belongs to sandbox, openai",
	} {
		_, err := Parse("p.yaml", []byte("apiVersion: assay/v1\nname: p\ntarget: "+text+"\nload:\n  - {name: a, for: 5s, "+open+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
