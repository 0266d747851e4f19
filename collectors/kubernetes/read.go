package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay/collectors/input"
)

// Bounds of what is read.
const (
	maxObjects = 1_000_000
	maxPods    = 20_000  // whose neighbours are looked at for each
	maxYAML    = 8 << 20 // bytes of one document
	maxDepth   = 100     // of YAML
)

// readJSON calls take for each object of a stream of JSON values: an object, a watch event, or a list, whose items are read one by one. list tells
// which list of the stream an object is of, from 1; 0: of none. bad is called for what is JSON and no object, and for an object that is cut short, as
// the last of a watch is that somebody stopped.
func readJSON(in *input.File, take func(o *Object, verb string, list int) error, bad func(error)) error {
	r := &stream{File: in, d: json.NewDecoder(in), take: take, bad: bad}
	for {
		more, err := r.value()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			bad(errCut)
			return nil
		}
		if err != nil && !r.passed {
			err = fmt.Errorf("%s: %w", in.Path, err)
		}
		if err != nil || !more {
			return err
		}
	}
}

// errCut tells of an object whose end is missing.
var errCut = errors.New("cut short")

// A stream is JSON while it is read.
type stream struct {
	*input.File
	d      *json.Decoder
	take   func(o *Object, verb string, list int) error
	bad    func(error)
	lists  int
	passed bool // the error is take's
}

// value reads the next value, or reports that there is none.
func (r *stream) value() (more bool, err error) {
	r.Row()
	t, err := r.d.Token()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if t != json.Delim('{') {
		return false, errors.New("want objects of Kubernetes, as kubectl get -o json prints them")
	}
	kind := ""             // of the items of a list
	members := []byte("{") // of an object that is no list, to be read as a whole
	list := 0
	for r.d.More() {
		r.Row()
		key, err := r.d.Token()
		if err != nil {
			return false, err
		}
		name, _ := key.(string)
		if name == "items" && list == 0 {
			r.lists++
			list = r.lists
			if err := r.items(list, kind); err != nil {
				return false, err
			}
			continue
		}
		var raw json.RawMessage
		if err := r.d.Decode(&raw); err != nil {
			return false, err
		}
		if name == "kind" {
			kind, _ = strings.CutSuffix(strings.Trim(string(raw), `"`), "List")
		}
		if len(members)+len(raw) > input.MaxRow {
			return false, fmt.Errorf("an object of more than %d MiB", input.MaxRow>>20)
		}
		quoted, _ := json.Marshal(name)
		if len(members) > 1 {
			members = append(members, ',')
		}
		members = append(append(append(members, quoted...), ':'), raw...)
	}
	if _, err := r.d.Token(); err != nil {
		return false, err
	}
	if list != 0 {
		return true, nil
	}
	err = one(append(members, '}'), 0, "", r.take, r.bad)
	r.passed = err != nil
	return true, err
}

// items reads the items of a list, whose key was read. Their kind is the given one where they name none.
func (r *stream) items(list int, kind string) error {
	t, err := r.d.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('[') {
		return errors.New("items: want a list")
	}
	for r.d.More() {
		r.Row()
		var raw json.RawMessage
		if err := r.d.Decode(&raw); err != nil {
			return err
		}
		if err := one(raw, list, kind, r.take, r.bad); err != nil {
			r.passed = true
			return err
		}
	}
	_, err = r.d.Token()
	return err
}

func one(raw []byte, list int, kind string, take func(*Object, string, int) error, bad func(error)) error {
	o, verb, err := parseObject(raw, kind)
	if err != nil {
		bad(err)
		return nil
	}
	return take(o, verb, list)
}

// readYAML calls take for each object of a stream of YAML documents.
func readYAML(in *input.File, take func(o *Object, verb string, list int) error, bad func(error)) error {
	r := &document{in: in}
	d := yaml.NewDecoder(r)
	for lists := 0; ; {
		r.n = 0
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = tame(&doc, 0)
		}
		if r.err != nil {
			err = r.err // the parser does not pass it on as it is
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		var v any
		if err := doc.Decode(&v); err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		if v == nil {
			continue
		}
		items := []any{v}
		list := 0
		if m, ok := v.(map[string]any); ok {
			if of, ok := m["items"].([]any); ok {
				lists++
				list, items = lists, of
			}
		}
		for _, item := range items {
			raw, err := json.Marshal(item)
			if err != nil {
				bad(err)
				continue
			}
			if err := one(raw, list, "", take, bad); err != nil {
				return err
			}
		}
	}
}

// A document reads a file for the YAML parser, and no more than one document may have.
type document struct {
	in  *input.File
	n   int
	err error
}

func (d *document) Read(p []byte) (int, error) {
	d.in.Row()
	n, err := d.in.Read(p)
	if d.n += n; d.n > maxYAML {
		d.err = fmt.Errorf("a document of more than %d MiB: JSON has no such limit", maxYAML>>20)
		return 0, d.err
	}
	return n, err
}

// tame refuses YAML that is small and unfolds to much: anchors and aliases, which kubectl never prints, and deep nesting.
func tame(n *yaml.Node, depth int) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return fmt.Errorf("line %d: anchors and aliases are not read", n.Line)
	case depth > maxDepth:
		return fmt.Errorf("line %d: nested deeper than %d", n.Line, maxDepth)
	}
	for _, c := range n.Content {
		if err := tame(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
