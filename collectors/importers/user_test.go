package importers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestUsers: a table's user, by its own name or another's, is kept as a pseudonym and never as it stands.
func TestUsers(t *testing.T) {
	ann, bob := assay.Pseudonym("ann@example.org"), assay.Pseudonym("bob")
	for _, c := range []struct {
		name string
		s    Settings
		want []string
		note string
	}{
		{"user", Settings{Kind: "csv", Paths: []string{write(t, "a.csv", "due,latency,user,session_id\n1,1,ann@example.org,s1\n2,1,bob,s2\n3,1,-,s3\n")}}, []string{ann, bob, ""}, ""},
		{"another name", Settings{Kind: "csv", Paths: []string{write(t, "b.csv", "due,latency,session_id,tenant\n1,1,ann@example.org,acme\n2,1,,acme\n")}}, []string{ann, ""},
			"users are those of the column session_id: user=NAME names another"},
		{"named", Settings{Kind: "csv", Paths: []string{write(t, "c.csv", "due,latency,who,user\n1,1,bob,x\n")}, Columns: Columns{"user": {Name: "who"}}}, []string{bob}, ""},
		{"taken", Settings{Kind: "csv", Paths: []string{write(t, "d.csv", "due,latency,tenant\n1,1,gold\n")}, Columns: Columns{"class": {Name: "tenant"}}}, []string{""}, ""},
		{"members", Settings{Kind: "jsonl", Paths: []string{write(t, "e.jsonl", `{"due":1,"latency":1,"user":"bob"}`+"\n"+`{"due":2,"latency":1,"session":{"id":"ann@example.org"}}`+"\n"+`{"due":3,"latency":1}`+"\n")}},
			[]string{bob, assay.Pseudonym(`{"id":"ann@example.org"}`), ""}, ""},
		{"k6", Settings{Kind: "k6-json", Paths: []string{write(t, "f.json",
			`{"metric":"http_reqs","type":"Point","data":{"time":"2026-01-01T00:00:00Z","value":1,"tags":{"status":"200","expected_response":"true","user":"bob"}}}`+"\n"+
				`{"metric":"http_req_duration","type":"Point","data":{"time":"2026-01-01T00:00:00Z","value":5,"tags":{}}}`+"\n")}}, []string{bob}, ""},
	} {
		im, got := read(t, c.s)
		var users []string
		for _, r := range got.Requests {
			users = append(users, r.User)
		}
		if d := cmp.Diff(c.want, users); d != "" {
			t.Errorf("%s: users (-want +got):\n%s", c.name, d)
		}
		noted := c.note == ""
		for _, w := range im.Warnings {
			noted = noted || w == c.note
		}
		if !noted {
			t.Errorf("%s: warnings %q, want %q", c.name, im.Warnings, c.note)
		}
	}
}
