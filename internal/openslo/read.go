package openslo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay"
)

// A File is one file by name.
type File struct {
	Name string
	Data []byte
}

// A Set is what a set of files asks for.
type Set struct {
	SLOs  []assay.SLO // one for each objective, in order of the files
	Notes []string    // what has no use in a run
}

// ReadFiles reads the files at the paths, which lie relative to dir.
func ReadFiles(dir string, paths ...string) (*Set, error) {
	var files []File
	for _, p := range paths {
		at := p
		if dir != "" && !filepath.IsAbs(p) {
			at = filepath.Join(dir, p)
		}
		data, err := readBounded(at)
		if err != nil {
			return nil, fmt.Errorf("read OpenSLO file: %w", err)
		}
		files = append(files, File{p, data})
	}
	return Read(files...)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Is reports whether a file begins as one of OpenSLO.
func Is(head []byte) bool { return versionLine.Match(head) }

var versionLine = regexp.MustCompile(`(?m)^\s*(?:- +)?["']?apiVersion["']?\s*:\s*["']?openslo(\.com)?/v`)

// Read decodes files. The error joins one *Error for each thing wrong.
func Read(files ...File) (*Set, error) {
	s := &set{known: map[ref]node{}, used: map[ref]bool{}}
	for _, f := range files {
		r := &reader{file: f.Name}
		s.readers = append(s.readers, r)
		s.documents(r, f.Data)
	}
	for _, d := range s.docs {
		s.check(d)
	}
	for _, d := range s.docs {
		if d.kind == "SLO" {
			s.slo(d)
		}
	}
	var errs []error
	for _, r := range s.readers {
		errs = append(errs, r.errs...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.unused()
	return &s.out, nil
}

var kinds = []string{"Service", "SLI", "SLO", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"}

type ref struct{ kind, name string }

// A document is one object of a file.
type document struct {
	v1       bool
	kind     string
	name     string
	metadata object
	spec     node
	at       node
}

func (d *document) from() string { return fmt.Sprintf("%s:%d", d.at.r.file, d.at.y.Line) }

// set is a set of files while it is read.
type set struct {
	readers []*reader
	docs    []*document
	known   map[ref]node // spec by kind and name
	used    map[ref]bool
	out     Set
}

// documents takes a file apart.
func (s *set) documents(r *reader, data []byte) {
	if len(data) > maxFile {
		r.bad(nil, "", "is too large; at most %d bytes", maxFile)
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	found, nodes := 0, 0
	for {
		var y yaml.Node
		err := dec.Decode(&y)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.syntax(err)
			return
		}
		if len(y.Content) == 0 || y.Content[0].Kind == yaml.ScalarNode && y.Content[0].Tag == "!!null" {
			continue
		}
		if found++; found > maxDocs {
			r.bad(&y, "", "has more than %d documents", maxDocs)
			return
		}
		if !r.resolve(&y, 0, &nodes) {
			return
		}
		objects := []*yaml.Node{y.Content[0]}
		if y.Content[0].Kind == yaml.SequenceNode { // as OpenSLO's own tools write several
			objects = y.Content[0].Content
		}
		if found += len(objects) - 1; found > maxDocs {
			r.bad(&y, "", "has more than %d documents", maxDocs)
			return
		}
		for _, o := range objects {
			s.document(node{r: r, y: o})
		}
	}
	if found == 0 {
		r.bad(nil, "", "is empty; want documents with apiVersion openslo/v1 or openslo/v1alpha")
	}
}

var lineOfError = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)`)

// syntax reports what the parser says.
func (r *reader) syntax(err error) {
	text, _, _ := strings.Cut(err.Error(), "\n")
	e := &Error{File: r.file, Msg: "is not YAML: " + strings.TrimPrefix(text, "yaml: ")}
	if m := lineOfError.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Msg = "is not YAML: " + m[2]
	}
	r.errs = append(r.errs, e)
}

func (s *set) document(n node) {
	o := n.object("apiVersion", "kind", "metadata", "spec")
	version := o.need("apiVersion", "openslo/v1 or openslo/v1alpha")
	d := &document{at: n, v1: true}
	switch v := version.text(); v {
	case "openslo/v1", "":
	case "openslo/v1alpha":
		d.v1 = false
	default:
		version.bad("%q is not read; want openslo/v1 or openslo/v1alpha", v)
		return
	}
	d.kind = o.need("kind", "one of "+strings.Join(kinds, ", ")).oneOf(false, kinds...)
	d.metadata = s.metadata(o.need("metadata", "with at least name"), true)
	d.name = d.metadata.get("name").text()
	d.spec = o.need("spec", "what it is")
	if d.kind == "" || d.name == "" || !d.spec.there() {
		return
	}
	at := ref{d.kind, d.name}
	if old, ok := s.known[at]; ok {
		n.bad("a second %s %q; the first stands in %s:%d", d.kind, d.name, old.r.file, old.y.Line)
		return
	}
	s.known[at] = d.spec
	s.docs = append(s.docs, d)
}

func (s *set) metadata(n node, named bool) object {
	o := n.object("name", "displayName", "labels", "annotations")
	if named {
		if name := o.need("name", "of the object").text(); n.there() && name != "" && !nameForm.MatchString(name) {
			o.get("name").bad("%q is no name; want letters, digits, dots and dashes, at most 255 of them", name)
		}
	}
	return o
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._|/\\-]{0,254}$`)

// words returns a mapping of texts; of a list of texts the items, joined.
func words(n node) map[string]string {
	if !n.there() || n.y.Kind != yaml.MappingNode {
		if n.there() {
			n.bad("want a mapping, not %s", kindOf(n.y))
		}
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		k, v := n.y.Content[i].Value, n.y.Content[i+1]
		switch v.Kind {
		case yaml.ScalarNode:
			out[k] = v.Value
		case yaml.SequenceNode:
			var items []string
			for _, c := range v.Content {
				items = append(items, c.Value)
			}
			out[k] = strings.Join(items, ",")
		default:
			n.r.bad(v, join(n.path, k), "want a text or a list of texts, not %s", kindOf(v))
		}
	}
	return out
}

// lookup follows a reference to an object of a kind.
func (s *set) lookup(n node, kind string) (node, bool) {
	name := n.text()
	if name == "" {
		return node{}, false
	}
	spec, ok := s.known[ref{kind, name}]
	if !ok {
		n.bad("there is no %s %q in these files", kind, name)
		return node{}, false
	}
	s.used[ref{kind, name}] = true
	return spec, true
}

// unused notes what nothing refers to, and what a run has no use for.
func (s *set) unused() {
	for _, d := range s.docs {
		at := d.from() + ": "
		switch {
		case d.kind == "SLO" || d.kind == "Service":
		case d.kind == "AlertNotificationTarget":
			s.out.Notes = append(s.out.Notes, at+"AlertNotificationTarget "+d.name+": nobody is told; Alertmanager routes by the labels of the rules")
		case !s.used[ref{d.kind, d.name}]:
			s.out.Notes = append(s.out.Notes, at+d.kind+" "+d.name+": no SLO refers to it")
		}
	}
	slices.Sort(s.out.Notes)
	s.out.Notes = slices.Compact(s.out.Notes)
}
