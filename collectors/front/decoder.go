package front

import (
	"bytes"
	"cmp"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// A decoder makes records of the lines of one access log, recorded or followed.
type decoder struct {
	kind     string // nginx or envoy
	log      string // base name of the file, the label of its series
	given    *layout
	zone     *time.Location
	below    []byte // paths that count; nil: all
	servers  bool   // the address of the upstream is the instance
	requests bool
	run      func(unix int64) int64       // to the time of the records
	now      func() int64                 // Unix ns; nil for what was recorded
	fits     func(at int64) string        // why a stamp, in Unix ns, cannot be true; nil: all can
	omit     func(reason string, n int64) // told of lines whose stamps cannot
	emit     func(assay.Record) error
	keep     func(n int64)
	reject   func(reason string, n int64)
	note     func(format string, n int64)

	layout *layout // the one that fitted last
	values values
	entry  entry
	stamp  string // the stamp that was read last, and what it is
	at     int64
	fine   bool // stamps that name whole seconds have been seen to name parts of one
	coarse int64
	counts counts
	req    assay.Request
	span   assay.Span
	attrs  []assay.Attr
	names  map[string]string // texts that come again and again
}

// slack is how far, in ns, a stamp of a line that is written now may lie ahead: clocks differ.
const slack = int64(time.Minute)

// ahead is why a line that is written now is left out.
const ahead = "stamped more than a minute ahead"

// Why a line cannot be taken apart.
const (
	unlike  = "not of the format that was given"
	unknown = "of no format that is known: option format may give it"
)

// line takes one line.
func (d *decoder) line(b []byte) error {
	if !d.fit(b) {
		if d.given != nil {
			d.reject(unlike, 1)
		} else {
			d.reject(unknown, 1)
		}
		return nil
	}
	e := &d.entry
	if why := d.read(&d.values, e); why != "" {
		d.reject(why, 1)
		return nil
	}
	if d.now != nil && cmp.Or(e.end, e.begin) > d.now()+slack {
		d.reject(ahead, 1)
		return nil
	}
	if d.fits != nil {
		if why := cmp.Or(d.fits(e.begin), d.fits(cmp.Or(e.end, e.begin))); why != "" {
			d.omit(why, 1)
			return nil
		}
	}
	d.keep(1)
	if d.coarse = max(d.coarse, e.resolution); e.took < 0 {
		d.note(untimed[d.kind], 1)
	}
	if err := d.counts.add(d, e); err != nil {
		return err
	}
	if err := d.spans(e); err != nil {
		return err
	}
	if !d.requests {
		return nil
	}
	return d.request(e)
}

// untimed is what is said of lines without the time of their request.
var untimed = map[string]string{
	"nginx": "%d lines do not tell how long their requests took: $request_time in the log_format would",
	"envoy": "%d lines do not tell how long their requests took: %%DURATION%% in the format would",
}

// fit takes a line apart by the layout that was given, or by one that is in common use.
func (d *decoder) fit(b []byte) bool {
	if d.given != nil {
		return d.given.match(b, &d.values)
	}
	if d.layout != nil && d.layout.match(b, &d.values) {
		return true
	}
	for _, l := range layouts()[d.kind] {
		if l != d.layout && l.match(b, &d.values) {
			d.layout = l
			return true
		}
	}
	return false
}

// probePaths are those that platforms, balancers and scrapers ask. Agents are how some of them name themselves.
var (
	probePaths  = []string{"/health", "/healthz", "/health/live", "/health/ready", "/livez", "/readyz", "/live", "/ready", "/ping", "/metrics", "/stub_status", "/nginx_status", "/v2/health/live", "/v2/health/ready"}
	probeAgents = []string{"kube-probe/", "GoogleHC/", "ELB-HealthChecker/", "Envoy/HC", "Prometheus/", "Consul Health Check", "HealthCheck"}
)

// probing is why a line is no request of a user.
const probing = "probes and scrapes"

// unwanted says why what was asked for is no request of the model, or "".
func (d *decoder) unwanted(e *entry, v *values) string {
	for _, p := range probePaths {
		if string(e.path) == p {
			return probing
		}
	}
	for _, a := range probeAgents {
		if bytes.HasPrefix(v[agent], []byte(a)) {
			return probing
		}
	}
	if d.below != nil && !bytes.HasPrefix(e.path, d.below) {
		return "of another path"
	}
	return ""
}

// request emits the request that a line is.
func (d *decoder) request(e *entry) error {
	d.req = assay.Request{Due: d.run(e.begin), Sent: d.run(e.begin), Phase: recorded, Outcome: e.outcome, Status: e.code, Error: d.name(e.why),
		TraceID: e.trace, SpanID: e.parent, BytesIn: e.bytesOut, BytesOut: e.bytesIn, NoSchedule: true}
	if len(e.user) > 0 {
		d.req.User = assay.Pseudonym(string(e.user))
	}
	if e.end != 0 {
		d.req.End = d.run(e.end)
	}
	if e.firstByte >= 0 {
		d.req.FirstByte = d.run(e.begin + e.firstByte)
	}
	if d.servers && len(e.server) > 0 {
		d.req.Instance = d.text(e.server)
	}
	return d.emit(&d.req)
}

// recorded is the phase of requests that a hop recorded: all of them are one steady stretch.
const recorded = "recorded"

// maxNames bounds the texts that are kept because they come again.
const maxNames = 4096

// name returns s without keeping another copy of it.
func (d *decoder) name(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := d.names[s]; ok {
		return known
	}
	if d.names == nil || len(d.names) >= maxNames {
		d.names = map[string]string{}
	}
	s = strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
	d.names[s] = s
	return s
}

// text returns b as name does, without a copy where it is known.
func (d *decoder) text(b []byte) string {
	if known, ok := d.names[string(b)]; ok {
		return known
	}
	return d.name(string(b))
}

// other reads a stamp in a form that is not the common ones.
func (d *decoder) other(s string) int64 {
	ns, _, ok := input.Instant(s, 1e9, d.zone)
	if !ok {
		return 0
	}
	return ns
}
