package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine bounds one line: the longest known are those of a thousand hash blocks and of 1440 minutes.
const maxLine = 4 << 20

// A source opens the files of a trace for a reader.
type source struct {
	Settings
	kind *Kind
	seed uint64
	open []*lines
}

// file opens one more file.
func (s *source) file(path string) (*lines, error) {
	l, err := openLines(path)
	if err == nil {
		s.open = append(s.open, l)
	}
	return l, err
}

func (s *source) close() {
	for _, l := range s.open {
		l.close()
	}
}

// lines reads a file line by line.
type lines struct {
	path  string
	n     int // number of the line that was read last
	in    *bufio.Reader
	long  []byte
	close func()
}

func openLines(path string) (*lines, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("read trace %s: %w", path, err)
		}
	}
	return newLines(path, in, func() { f.Close() }), nil
}

func newLines(path string, in io.Reader, close func()) *lines {
	return &lines{path: path, in: bufio.NewReaderSize(in, 64<<10), close: close}
}

// next returns the next line that is not empty, without its end; it is valid until the call after. It returns io.EOF at the end.
func (l *lines) next() ([]byte, error) {
	for {
		b, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long[:0], b...)
			for errors.Is(err, bufio.ErrBufferFull) {
				if len(l.long) > maxLine {
					return nil, fmt.Errorf("%s:%d: a line of more than %d MiB", l.path, l.n+1, maxLine>>20)
				}
				b, err = l.in.ReadSlice('\n')
				l.long = append(l.long, b...)
			}
			b = l.long
		}
		if err != nil && (err != io.EOF || len(b) == 0) {
			if err == io.EOF {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read trace %s: %w", l.path, err)
		}
		l.n++
		if l.n == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if b = bytes.TrimRight(b, "\r\n"); len(bytes.TrimSpace(b)) > 0 {
			return b, nil
		}
	}
}

// bad says what is wrong with a value in the current line.
func (l *lines) bad(what string, value []byte, want string) error {
	if len(value) > 60 {
		value = append(bytes.Clone(value[:57]), "..."...)
	}
	return fmt.Errorf("%s:%d: %s %q: want %s", l.path, l.n, what, value, want)
}

// detect finds the kind of a trace by its first line. Where it is none that is known, columns that are named say how to read it.
func detect(path string, named bool) (string, error) {
	l, err := openLines(path)
	if err != nil {
		return "", err
	}
	defer l.close()
	b, err := l.next()
	if err == io.EOF {
		return "", fmt.Errorf("read trace %s: it is empty", path)
	}
	if err != nil {
		return "", err
	}
	first := strings.ToLower(string(b))
	for kind, words := range map[string][]string{
		"azure-llm": {"timestamp", "contexttokens", "generatedtokens"}, "burstgpt": {"timestamp", "request tokens", "response tokens"},
		"functions-2021": {"end_timestamp", "duration", "func"}, "functions-2019": {"hashfunction", "trigger", ",1,2,3"},
		"mooncake": {`"timestamp"`, `"input_length"`, `"hash_ids"`},
	} {
		all := true
		for _, w := range words {
			all = all && strings.Contains(first, w)
		}
		if all {
			return kind, nil
		}
	}
	if name := strings.TrimSuffix(path, ".gz"); named && (strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".ndjson")) {
		return "jsonl", nil
	} else if named {
		return "csv", nil
	}
	return "", l.bad("the first line", b, "that of a known trace; else say its kind")
}
