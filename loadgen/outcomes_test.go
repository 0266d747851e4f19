package loadgen

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// outcome is one misbehaviour of a server and what a client has to make of it.
type outcome struct {
	name   string
	stream bool
	answer string // raw bytes of the response
	then   func(*net.TCPConn)
	want   seen
}

func abort(c *net.TCPConn) { c.SetLinger(0) }

// reply is a raw response with a body of known length.
func reply(status, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
}

const jsonType = "Content-Type: application/json\r\n"

// opener makes a client.
type opener func(Endpoint) (Closer, error)

func testOutcomes(t *testing.T, open opener, cases []outcome) {
	t.Helper()
	for _, c := range append(cases, usual...) {
		t.Run(c.name, func(t *testing.T) {
			url := rude(t, func(conn *net.TCPConn, _ int) {
				io.WriteString(conn, c.answer)
				if c.then != nil {
					if c.answer != "" {
						lullNow()
					}
					c.then(conn)
				}
			})
			client, err := open(Endpoint{URL: url, Clock: clock.New()})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			unhurried(t, func(time.Duration) string {
				r := do(t, client, c.stream, pacetest.Patience)
				got := see(r)
				got.In, got.FirstByte = 0, false
				if c.want.In != 0 {
					got.In = r.TokensIn
				}
				return cmp.Diff(c.want, got)
			})
		})
	}
}

// usual is what every client over HTTP makes of the same troubles.
var usual = []outcome{
	{"reset before the answer", true, "", abort, seen{Outcome: assay.Reset, Error: "connection reset by peer"}},
	{"closed before the answer", true, "", nil, seen{Outcome: assay.Reset, Error: "connection closed by the server"}},
	{"throttled", true, reply("429 Too Many Requests", "Retry-After: 3\r\n", ""), nil,
		seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests", Retry: 3 * time.Second}},
	{"loading", true, reply("503 Service Unavailable", "Retry-After: 1\r\nX-State: model loading\r\n", ""), nil,
		seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable", Retry: time.Second}},
	{"unavailable", true, reply("503 Service Unavailable", "", "no capacity"), nil,
		seen{Outcome: assay.Unavailable, Status: 503, Error: "503 Service Unavailable"}},
	{"server error", true, reply("500 Internal Server Error", "", "<html>"), nil,
		seen{Outcome: assay.ServerError, Status: 500, Error: "500 Internal Server Error"}},
	{"credential", true, reply("401 Unauthorized", jsonType, `{"error":"bad key sk-123"}`), nil,
		seen{Outcome: assay.Credential, Status: 401, Error: "401 Unauthorized"}},
	{"compressed", true, reply("200 OK", jsonType+"Content-Encoding: gzip\r\n", "zz"), nil,
		seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is compressed, which was not asked for"}},
	{"redirect", true, reply("301 Moved Permanently", "Location: http://elsewhere/\r\n", ""), nil,
		seen{Outcome: assay.ClientError, Status: 301, Error: "301 Moved Permanently"}},
}

const (
	closedText = "connection closed by the server"
	resetText  = "connection reset by peer"
)

// testStall checks that a stream that falls silent is cut_stall and one that never begins a timeout.
func testStall(t *testing.T, open opener, head, token string) {
	t.Helper()
	hold := make(chan struct{})
	defer close(hold)
	for answer, want := range map[string]assay.Outcome{head + token: assay.CutStall, head: assay.Timeout, "": assay.Timeout} {
		url := rude(t, func(conn *net.TCPConn, _ int) {
			io.WriteString(conn, answer)
			<-hold
		})
		client, err := open(Endpoint{URL: url, Clock: clock.New()})
		if err != nil {
			t.Fatal(err)
		}
		unhurried(t, func(lull time.Duration) string {
			if r := do(t, client, true, 5*lull); r.Outcome != want {
				return fmt.Sprintf("%d bytes and silence: %v (%s), want %v", len(answer), r.Outcome, r.Error, want)
			}
			return ""
		})
		client.Close()
	}
}

// sent returns what a client sends for do's call: path with query, header and body.
func sent(t *testing.T, open func(Endpoint) (Closer, error), path string, stream bool) (uri, body string) {
	t.Helper()
	server := newEcho(t)
	c, err := open(Endpoint{URL: server.URL + path, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, stream, 5*time.Second)
	return server.uri, server.body
}
