package tail

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFile does to a log what programs and logrotate do, with a look after each step.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	write := func(text string, flag int) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rename := func() {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		before string
		steps  []func()
		want   []string
		wrong  []string
	}{
		"what was there is not of this run": {"old\n", []func(){func() { write("one\ntw", os.O_APPEND) }, func() { write("o\n\n three \r\n", os.O_APPEND) }}, []string{"one", "two", "three"}, nil},
		"not there yet":                     {"", []func(){func() {}, func() { write("one\n", os.O_APPEND) }}, []string{"one"}, []string{"no such file"}},
		"rotated": {"old\n", []func(){
			func() { write("one\n", os.O_APPEND) },
			func() { write("two\n", os.O_APPEND); rename(); write("three\n", os.O_APPEND) },
			func() { write("four\n", os.O_APPEND) }}, []string{"one", "two", "three", "four"}, nil},
		"away and back": {"old\n", []func(){rename, func() { write("one\n", os.O_APPEND) }}, []string{"one"}, nil},
		"cut":           {"old and long\n", []func(){func() { write("one\n", os.O_TRUNC) }, func() { write("two\n", os.O_APPEND) }}, []string{"one", "two"}, nil},
		"a long line":   {"old\n", []func(){func() { write("one\n"+strings.Repeat("x", 5000), os.O_APPEND) }, func() { write("x\ntwo\n", os.O_APPEND) }}, []string{"one", "two"}, []string{"more than 4 KiB"}},
		"a directory":   {"", []func(){func() { _ = os.Mkdir(path, 0o755) }, func() { _ = os.Remove(path) }}, nil, []string{"no such file", "no file that can be followed", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			path = filepath.Join(t.TempDir(), "a.log")
			if tt.before != "" {
				write(tt.before, 0)
			}
			var got, wrong []string
			f := &File{Path: path, MaxLine: 4096, Line: func(b []byte) error { got = append(got, string(b)); return nil }, Wrong: func(err error) error { wrong = append(wrong, err.Error()); return nil }}
			if err := f.look(true); err != nil {
				t.Fatal(err)
			}
			for _, step := range tt.steps {
				step()
				if err := f.look(false); err != nil {
					t.Fatal(err)
				}
			}
			if f.file != nil {
				f.file.Close()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if len(wrong) != len(tt.wrong) {
				t.Fatalf("wrong: %q, want %q", wrong, tt.wrong)
			}
			for i := range wrong {
				if !strings.Contains(wrong[i], tt.wrong[i]) {
					t.Errorf("wrong: %q, want …%s…", wrong[i], tt.wrong[i])
				}
			}
		})
	}
}

// TestRun reads what was written before its context was done, and hands on an error.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	looks, lines, stop := 0, 0, errors.New("stop")
	f := &File{Path: path, Interval: time.Hour, Line: func([]byte) error { lines++; return nil }, Look: func() error {
		if looks++; looks == 1 {
			if err := os.WriteFile(path, []byte("old\nnew\n"), 0o644); err != nil {
				t.Error(err)
			}
			cancel()
		}
		return nil
	}}
	if err := f.Run(ctx); err != nil || lines != 1 || looks != 2 {
		t.Errorf("%d lines in %d looks (%v), want 1 in 2", lines, looks, err)
	}
	f = &File{Path: path, Look: func() error { return stop }}
	if err := f.Run(t.Context()); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of Look", err)
	}
}
