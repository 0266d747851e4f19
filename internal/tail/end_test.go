package tail

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestRotatedWhileRead: what is written between a look's read and the rotation that it finds is not lost, and a line that was never finished is told of.
func TestRotatedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	add(t, path, "old\n")
	var got []string
	f := &File{Path: path, Wrong: func(err error) error { got = append(got, strings.TrimPrefix(err.Error(), path)); return nil }}
	f.Line = func(b []byte) error {
		if got = append(got, string(b)); string(b) == "one" {
			add(t, path, "two\nhalf")
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			add(t, path, "three\nfour")
		}
		return nil
	}
	look := func(first bool) {
		t.Helper()
		if err := f.look(first); err != nil {
			t.Fatal(err)
		}
	}
	look(true)
	add(t, path, "one\n")
	look(false)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	look(false)
	f.file.Close()
	want := []string{"one", "two", ": a line of which 4 bytes were written was not finished before the file was replaced", "three",
		": a line of which 4 bytes were written was not finished before the file was cut"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEndsUnderWrites follows a log that grows faster than its lines are taken: it ends all the same, and says what it left.
func TestEndsUnderWrites(t *testing.T) {
	for name, tt := range map[string]struct {
		line  time.Duration // that taking one takes
		lines int
		took  time.Duration
		left  []string
	}{
		"all that was written by the end": {time.Millisecond, 700, 700 * time.Millisecond, nil},
		"what the time is enough for":     {50 * time.Millisecond, 46, 2300 * time.Millisecond, []string{": its last 132 bytes were not read: the time after the end, 2s, was too short for them"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.log")
			add(t, path, "")
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond+time.Microsecond) // between two lines
				defer cancel()
				lines := 0
				var left []string
				f := &File{Path: path, Interval: time.Millisecond, Wrong: func(err error) error { left = append(left, strings.TrimPrefix(err.Error(), path)); return nil }}
				f.Look = func() error {
					if lines == 0 {
						add(t, path, strings.Repeat("x\n", 100))
					}
					return nil
				}
				f.Line = func([]byte) error {
					if lines++; lines > 2000 {
						return errors.New("it does not end")
					}
					add(t, path, "x\nx\n")
					time.Sleep(tt.line)
					return nil
				}
				begin := time.Now()
				err := f.Run(ctx)
				if took := time.Since(begin).Round(10 * time.Millisecond); err != nil || lines != tt.lines || took != tt.took {
					t.Errorf("ended after %v and %d lines (%v), want %v and %d", took, lines, err, tt.took, tt.lines)
				}
				if diff := cmp.Diff(tt.left, left); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
