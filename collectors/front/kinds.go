package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

var options = []input.Option{
	{Name: "format", Help: "the log_format (nginx) or the format (Envoy), or @FILE with one in it: for nginx also a configuration, with the name of the log_format after a colon"},
	{Name: "path", Help: "count only requests whose path begins so, such as /v1/"},
	{Name: "requests", Help: "auto (the default: requests count where no other input tells of any), yes or no"},
	{Name: "instance", Help: "upstream: the address of the upstream that answered is the instance that served"},
}

// Kinds are the formats of this package.
var Kinds = []input.Kind{
	{Name: "nginx", Things: "lines", Help: "Access logs of nginx: combined, those of its ingress controller, any log_format given as format=, JSON.", Hop: true, Options: options,
		Proven: collectors.Live, By: "nginx 1.22.1 before the sandbox, with TLS", Is: isNginx, Read: reader("nginx")},
	{Name: "envoy", Things: "lines", Help: "Access logs of Envoy: its own format, Istio's, any format given as format=, JSON.", Hop: true, Options: options,
		Proven: collectors.Documents, By: "Envoy's documentation of access logs, and lines of public repositories", Is: isEnvoy, Read: reader("envoy")},
}

// Sources is the table of this package's live collectors.
var Sources = []collectors.Kind{
	{Name: "nginx", Help: "Follows the access log of an nginx in front of the platform, over rotation, and looks at its stub_status page: times of the hop and of its upstream, retries, connections, spans.",
		Proven: collectors.Live, By: "nginx 1.22.1 before the sandbox, with TLS", New: func(c collectors.Clock) assay.Source { return &Log{Kind: "nginx", Clock: c} }},
	{Name: "envoy", Help: "Follows the access log of an Envoy in front of the platform and scrapes its admin interface.",
		Proven: collectors.Documents, By: "Envoy's documentation of access logs and statistics", New: func(c collectors.Clock) assay.Source { return &Log{Kind: "envoy", Clock: c} }},
}

func isNginx(_ string, head []byte) bool {
	line := firstLine(head)
	var v values
	for _, l := range layouts()["nginx"] {
		if !l.match(line, &v) {
			continue
		}
		if l.json {
			return len(v[status]) > 0 && (len(v[requestTime]) > 0 || len(v[upstreamResponse]) > 0) && (len(v[stampMsec]) > 0 || len(v[stampISO]) > 0 || len(v[stampLocal]) > 0)
		}
		return len(v[stampLocal]) > 20
	}
	return false
}

func isEnvoy(_ string, head []byte) bool {
	line := firstLine(head)
	var v values
	for _, l := range layouts()["envoy"] {
		if l.match(line, &v) {
			return len(v[stampStart]) > 0 && len(v[flags]) > 0 && len(v[durationMS]) > 0
		}
	}
	return false
}

func firstLine(head []byte) []byte {
	head = bytes.TrimLeft(head, "\r\n")
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	}
	return bytes.TrimSpace(head)
}

// reader returns the Read of a kind.
func reader(kind string) func(context.Context, *input.Input, func(assay.Record) error) error {
	return func(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
		d := &decoder{kind: kind, log: filepath.Base(in.Path), zone: in.Zone, requests: true, run: unmoved, emit: emit,
			fits: in.Untrue, omit: in.Tally.Omit, keep: in.Tally.Keep, reject: in.Tally.Reject, note: in.Tally.Note}
		if err := d.options(in.Option); err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		begin, end := int64(math.MaxInt64), int64(0)
		d.emit = func(r assay.Record) error {
			if q, ok := r.(*assay.Request); ok {
				begin, end = min(begin, q.Due), max(end, q.Due, q.End)
			}
			return emit(r)
		}
		l := input.Lines{File: in.File}
		for {
			in.Row()
			b, err := l.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if err := d.line(b); err != nil {
				return err
			}
		}
		if err := d.finish(); err != nil {
			return err
		}
		in.Tally.Resolution = d.coarse
		if end == 0 {
			return nil
		}
		return errors.Join(
			emit(&assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Source: "import", Phase: recorded, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
			emit(&assay.Event{Time: end, Kind: assay.EventPhaseEnd, Source: "import", Phase: recorded}))
	}
}

func unmoved(unix int64) int64 { return unix }

// finish tells what is left to tell at the end of a log.
func (d *decoder) finish() error {
	if n := d.counts.gone; n > 0 {
		d.note(fmt.Sprintf("%d requests ended because their client went away: neither served nor failed", n), 1)
	}
	if n := d.counts.retries; n > 0 {
		d.note(fmt.Sprintf("%s asked another upstream %d times behind its clients' backs", d.kind, n), 1)
	}
	return d.counts.tell(d)
}

// options reads the settings of an input.
func (d *decoder) options(option func(string) string) error {
	if f := option("format"); f != "" {
		l, err := parseFormat(d.kind, f)
		if err != nil {
			return err
		}
		d.given = l
	}
	if p := option("path"); p != "" {
		d.below = []byte(p)
	}
	switch v := option("requests"); v {
	case "", "auto", "yes":
	case "no":
		d.requests = false
	default:
		return fmt.Errorf("requests %q: want auto, yes or no", v)
	}
	switch v := option("instance"); v {
	case "":
	case "upstream":
		d.servers = true
	default:
		return fmt.Errorf("instance %q: want upstream", v)
	}
	return nil
}

// maxConfig bounds the file that a format is read from.
const maxConfig = 4 << 20

// parseFormat reads a format, or the file that holds it: @FILE or, for nginx, @FILE:NAME.
func parseFormat(kind, text string) (*layout, error) {
	at, ok := strings.CutPrefix(text, "@")
	if !ok {
		return compile(kind, text)
	}
	name := ""
	if i := strings.LastIndexByte(at, ':'); i > 0 && !strings.Contains(at[i:], "/") {
		at, name = at[:i], at[i+1:]
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("format: read %s: %w", at, err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("format: %s has more than %d MiB", at, maxConfig>>20)
	}
	if kind == "nginx" && bytes.Contains(b, []byte("log_format")) {
		format, err := configured(string(b), name)
		if err != nil {
			return nil, fmt.Errorf("format: %s: %w", at, err)
		}
		return compile(kind, format)
	}
	return compile(kind, string(b))
}

var (
	comment   = regexp.MustCompile(`(?m)^\s*#.*$`)
	directive = regexp.MustCompile(`(?s)\blog_format\s+(\S+)\s+(?:escape=\w+\s+)?((?:'(?:[^'\\]|\\.)*'\s*|"(?:[^"\\]|\\.)*"\s*)+);`)
	quoted    = regexp.MustCompile(`(?s)'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"`)
	escaped   = regexp.MustCompile(`\\(.)`)
)

// configured returns the log_format of a name in a configuration of nginx, or the only one.
func configured(text, name string) (string, error) {
	var names []string
	found := ""
	for _, m := range directive.FindAllStringSubmatch(comment.ReplaceAllString(text, ""), -1) {
		names = append(names, m[1])
		if name != "" && m[1] != name {
			continue
		}
		var b strings.Builder
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			b.WriteString(escaped.ReplaceAllString(q[1]+q[2], "$1"))
		}
		found = b.String()
	}
	if found == "" || name == "" && len(names) > 1 {
		return "", fmt.Errorf("want the name of one log_format after a colon: it has %s", strings.Join(names, ", "))
	}
	return found, nil
}
