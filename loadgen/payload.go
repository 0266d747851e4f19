package loadgen

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

const (
	maxPayload  = 64 << 20  // one body
	maxPayloads = 512 << 20 // all of them: they are kept in memory, so that no disk delays a send
)

// A Payload is the body of a request, made ready before the run.
type Payload struct {
	Body    []byte
	Type    string      // content type; "": application/json
	Headers [][2]string // that describe the body
}

// Payloads are bodies that requests take in turn: request n takes the body number n-1 modulo their count, whatever the order in which
// requests are sent, so that the same plan sends the same bodies.
type Payloads struct{ list []Payload }

// NewPayloads returns the payloads given.
func NewPayloads(list ...Payload) (*Payloads, error) {
	if len(list) == 0 {
		return nil, errors.New("payloads: there is none")
	}
	for _, p := range list {
		if !safe(p.Type) {
			return nil, fmt.Errorf("payloads: content type %q: not valid in a header", p.Type)
		}
	}
	return &Payloads{list}, nil
}

// ReadPayloads reads bodies from files. A path may be a file, a pattern (images/*.jpg) or a directory, whose files are taken in order of
// their names. Each line of a file whose name ends in .jsonl is a body of its own. kind is the content type; "" takes it from each file's name.
func ReadPayloads(kind string, paths ...string) (*Payloads, error) {
	var files []string
	for _, path := range paths {
		found, err := expand(path)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var list []Payload
	total := 0
	for _, file := range files {
		b, err := readBounded(file)
		if err != nil {
			return nil, fmt.Errorf("read payload: %w", err)
		}
		if total += len(b); total > maxPayloads {
			return nil, fmt.Errorf("read payload %s: all together are larger than %d bytes", file, maxPayloads)
		}
		as := kind
		if as == "" {
			as = contentType(file)
		}
		if !strings.EqualFold(filepath.Ext(file), ".jsonl") {
			list = append(list, Payload{Body: b, Type: as})
			continue
		}
		for line := range bytes.Lines(b) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				list = append(list, Payload{Body: line, Type: as})
			}
		}
	}
	return NewPayloads(list...)
}

// InstancePayload returns the body of a KServe v1 call with data as its one instance, in base64: how the protocol carries images.
func InstancePayload(data []byte) Payload {
	b := append([]byte(nil), `{"instances":[{"b64":"`...)
	b = base64.StdEncoding.AppendEncode(b, data)
	return Payload{Body: append(b, `"}]}`...)}
}

// Each returns the payloads with each body in the form given, for example [InstancePayload].
func (p *Payloads) Each(form func(data []byte) Payload) *Payloads {
	out := &Payloads{}
	for _, one := range p.list {
		out.list = append(out.list, form(one.Body))
	}
	return out
}

// Images reports whether all bodies are images.
func (p *Payloads) Images() bool {
	return !slices.ContainsFunc(p.list, func(one Payload) bool { return !strings.HasPrefix(one.Type, "image/") })
}

// expand returns the files that a path names.
func expand(path string) ([]string, error) {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return []string{path}, nil
		}
		path = filepath.Join(path, "*")
	}
	found, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("payload %s: %w", path, err)
	}
	files := found[:0]
	for _, f := range found {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("payload %s: no such file", path)
	}
	sort.Strings(files)
	return files, nil
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPayload {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxPayload)
	}
	return os.ReadFile(file)
}

// Len returns how many bodies there are.
func (p *Payloads) Len() int { return len(p.list) }

// of returns the body of request id, which counts from 1.
func (p *Payloads) of(id uint64) *Payload {
	return &p.list[(max(id, 1)-1)%uint64(len(p.list))]
}

// load makes p the body of the request.
func (t *trip) load(p *Payload) {
	t.q.body = p.Body
	if p.Type != "" {
		t.q.kind = p.Type
	}
	if len(p.Headers) > 0 {
		t.headers = append(append(t.headers[:0], t.q.headers...), p.Headers...)
		t.q.headers = t.headers
	}
}

// contentTypes by the end of a file's name: the list is our own, since the system's differs from machine to machine.
var contentTypes = map[string]string{
	".json": "application/json", ".jsonl": "application/json", ".txt": "text/plain", ".csv": "text/csv", ".xml": "application/xml",
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff",
	".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp4": "video/mp4",
	".npy": "application/x-npy", ".npz": "application/x-npz", ".pb": "application/x-protobuf",
}

func contentType(file string) string {
	if kind, ok := contentTypes[strings.ToLower(filepath.Ext(file))]; ok {
		return kind
	}
	return "application/octet-stream"
}
