package input

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// addDir takes up the files of a directory and of those in it, by name, without those that are hidden.
func (s *Set) addDir(o *one) error {
	n := 0
	err := filepath.WalkDir(o.path, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != o.path && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		}
		if n++; n > maxFiles {
			return fmt.Errorf("%s holds more than %d files: want it in parts, each in an import of its own", o.path, maxFiles)
		}
		f := *o
		f.path, f.dir = path, o.path
		s.inputs = append(s.inputs, &f)
		return nil
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s holds no file", o.path)
	}
	return err
}

// passOver leaves out a file that was found in a directory and holds nothing of its kind, as a licence beside recordings does, and reports whether it did.
// What gave records is not passed over.
func (s *Set) passOver(ctx context.Context, o *one, err error) bool {
	sum := &o.summary
	if o.dir == "" || ctx.Err() != nil || sum.Requests+sum.Spans+sum.Samples+sum.Events > 0 {
		return false
	}
	o.over, o.left = true, true
	if s.passed == nil {
		s.passed = map[string]error{}
	}
	if s.passed[o.dir] == nil {
		s.passed[o.dir] = err
	}
	o.summary = Summary{Kind: o.spec.Kind.Name, Path: cmp.Or(o.shown, o.path), PassedOver: true, Things: "files", Read: 1, Rejected: map[string]int64{"nothing in it is of the kind " + o.spec.Kind.Name: 1}}
	return true
}

// afterError is why what follows an error in a file that was found in a directory is rejected.
const afterError = "what follows an error was not read"

// finishBefore finishes the kind of an input that was passed over with the last one before it that was not, if it was the one to finish with.
func (s *Set) finishBefore(ctx context.Context, at int) error {
	j := s.joined[s.inputs[at].spec.Kind.Name]
	if j == nil || j.last != s.inputs[at] {
		return nil
	}
	i := at - 1
	for i >= 0 && (s.inputs[i].spec.Kind.Name != s.inputs[at].spec.Kind.Name || s.inputs[i].left) {
		i--
	}
	if i < 0 {
		return nil // none of them gave anything
	}
	o := s.inputs[i]
	j.last = o
	sum := &o.summary
	sum.Joined = false
	begin, end := sum.Begin, sum.End
	if begin == 0 {
		sum.Begin, sum.End = math.MaxInt64, math.MinInt64
	}
	o.late = true
	t, err := s.read(ctx, o, s.count(o))
	o.late = false
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if sum.End < sum.Begin {
		sum.Begin, sum.End = begin, end
	}
	sum.Notes = append(sum.Notes, t.Notes()...)
	return nil
}

// onlyPassed returns why a directory holds nothing that could be read.
func (s *Set) onlyPassed() error {
	for dir, err := range s.passed {
		if !slices.ContainsFunc(s.inputs, func(o *one) bool { return o.dir == dir && !o.over }) {
			return err
		}
	}
	return nil
}
