package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Limits of what one plan may ask: beyond them a mistake is likelier than a wish.
const (
	maxRate     = 200_000 // requests per second
	maxFor      = 30 * 24 * time.Hour
	maxTokens   = 1 << 20
	maxSchedule = 50_000_000 // requests
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

func (p *Plan) defaults() {
	def := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	if p.Seed == 0 {
		p.Seed = 1
	}
	p.Target.defaults()
	for i := range p.Load {
		l := &p.Load[i]
		l.k6Defaults()
		if l.Role == "" {
			switch {
			case l.Search != nil:
				l.Role = assay.RoleStress
			case l.Cold != nil:
				l.Role = assay.RoleCold
			case l.idle():
				l.Role = assay.RoleIdle
			default:
				l.Role = assay.RoleSteady
			}
		}
		if l.Arrivals != nil {
			l.Arrivals.defaults()
		}
		l.workloadDefaults()
		if l.Hold != nil {
			orElse(&l.Hold.Share, 0.8)
		}
		if l.Search != nil {
			l.Search.defaults()
		}
	}
	p.soakDefaults()
	p.canaryDefaults()
	p.hypothesisDefaults()
	p.retryDefaults()
	for i := range p.Chaos {
		orElse(&p.Chaos[i].Instances, Count{N: 1})
	}
	p.guardDefaults()
	p.stopDefaults()
	p.Collect.Probes.defaults()
	p.readBackDefaults()
	p.logStoreDefaults()
	p.cloudDefaults()
	for i := range p.Collect.Prometheus {
		def(&p.Collect.Prometheus[i].Interval, time.Second)
	}
	for _, every := range p.Collect.gpuIntervals() {
		def(every, time.Second)
	}
}

// checker gathers what is wrong with the meaning of a plan, each with the place of its setting.
type checker struct {
	d    *decoder
	errs []error
}

func (c *checker) bad(path, format string, args ...any) {
	e := &Error{File: c.d.file, Path: path, Msg: fmt.Sprintf(format, args...)}
	for at := path; ; {
		if w, ok := c.d.where[at]; ok {
			e.Line, e.Column = w[0], w[1]
			break
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			break
		}
		at = at[:i]
	}
	c.errs = append(c.errs, e)
}

// err joins what was found, in the order of the file.
func (c *checker) err() error {
	slices.SortStableFunc(c.errs, func(a, b error) int {
		x, y := a.(*Error), b.(*Error)
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Path, y.Path))
	})
	return errors.Join(c.errs...)
}

func (c *checker) oneOf(path, got string, allowed ...string) {
	if !slices.Contains(allowed, got) {
		c.bad(path, "%q is unknown; %s", got, suggest.Meant(got, allowed))
	}
}

// check tests what needs no knowledge of the parts.
func (p *Plan) check() error {
	c := &checker{d: p.src}
	if p.APIVersion != APIVersion {
		c.bad("apiVersion", "is %q; write %s", p.APIVersion, APIVersion)
	}
	if !nameForm.MatchString(p.Name) {
		c.bad("name", "%q is not a name; use 1 to 63 letters, digits, dots, dashes and underscores", p.Name)
	}
	if p.Mode != "" {
		c.oneOf("mode", p.Mode, "gameday")
	}
	c.target(&p.Target)
	c.canary(p)
	c.retry(p.Target.Retry)
	c.coldBy(&p.Target)
	c.deployment(&p.Target)
	c.limits(p)
	c.hypothesis(p)
	if len(p.Load) == 0 {
		c.bad("load", "is empty; a plan needs at least one load phase")
	}
	phases := map[string]bool{}
	total := 0.0
	for i := range p.Load {
		if n := c.load(p, i, phases); n > 0 {
			total += n
		}
	}
	if total > maxSchedule {
		c.bad("load", "plans %.0f requests; at most %d", total, maxSchedule)
	}
	lengths, begins, whole, open := map[string]time.Duration{}, map[string]time.Duration{}, time.Duration(0), false
	for _, l := range p.Load {
		d, ok := l.length()
		lengths[l.Name], begins[l.Name] = d, whole
		whole += d
		open = open || !ok
	}
	if open {
		whole = 0 // a trace tells its length when it is read
	}
	c.schedule(p, lengths, whole, phases)
	c.cuts(p, begins, whole)
	for i := range p.Chaos {
		c.fault(p.Chaos[i].path(i), &p.Chaos[i], phases)
	}
	for i, o := range p.Objectives {
		at := o.path(i)
		if o.Max == nil && o.Min == nil && o.Target == nil {
			c.bad(at, "asks nothing; give max or min, or target for a share of requests")
		}
		if o.Phase != "" && !phases[o.Phase] && !p.k6Phase(o.Phase) {
			c.bad(at+".phase", "%q is no load phase; %s", o.Phase, suggest.Meant(o.Phase, names(phases)))
		}
		if o.Cold != "" {
			c.oneOf(at+".cold", o.Cold, "cold", "all")
		}
		if o.Cause != "" {
			c.oneOf(at+".cause", o.Cause, assay.FailureCauses...)
			if !strings.HasPrefix(o.Metric, "failure_rate/") {
				c.bad(at+".cause", "belongs to failure_rate/service and failure_rate/instance, not %s", o.Metric)
			}
		}
		if o.Forced && !strings.HasPrefix(o.Metric, "cold/") {
			c.bad(at+".forced", "belongs to metrics of cold starts, not %s", o.Metric)
		}
		if o.By != "" && !strings.HasPrefix(o.Metric, "neighbour/") {
			c.oneOf(at+".by", o.By, "request", "time", "user", "fault")
		}
	}
	c.soak(p)
	c.promises(p)
	c.guards(p)
	c.stop(p.Stop)
	c.notify(p.Notify)
	c.alerts(p.Alerts)
	c.budget(p)
	c.probes(p.Collect.Probes, &p.Target)
	c.collectLogs(p.Collect.Logs)
	c.logStores(p)
	c.clouds(p)
	c.collectKubernetes(p.Collect.Kubernetes)
	c.readBack(p)
	c.collectFront(p)
	c.remoteWrite(p.Collect.RemoteWrite)
	for i, s := range p.Collect.Prometheus {
		at := fmt.Sprintf("collect.prometheus[%d]", i)
		if (s.URL == "") == (s.HTTPSD == "") {
			c.bad(at, "needs exactly one of url and httpSD")
		}
		for _, u := range []string{s.URL, s.HTTPSD} {
			if u != "" {
				c.url(at, u)
			}
		}
		if s.Interval.D() < 100*time.Millisecond {
			c.bad(at+".interval", "%v is too short; at least 100ms", s.Interval.D())
		}
	}
	c.gpus(&p.Collect)
	return c.err()
}

func names(m map[string]bool) []string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	return out
}

func (c *checker) url(path, raw string) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		c.bad(path, "%q is not a URL; write for example http://host:8000", redact(raw))
		return
	}
	if u.User != nil {
		c.bad(path, "a URL in a plan must not carry credentials; %s", credentialsOf(path))
	}
	if name := secretIn(u.RawQuery); name != "" {
		c.bad(path, "%q in the query of a URL may carry a credential, which no plan holds; %s", name, credentialsOf(path))
	}
}

// api checks the URL of a server whose API lies behind it: a query would not reach it.
func (c *checker) api(path, raw string) {
	c.url(path, raw)
	if u, err := url.Parse(raw); err == nil && u.RawQuery != "" && secretIn(u.RawQuery) == "" {
		c.bad(path, "has a query, which would not reach the API behind it; leave it out")
	}
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
