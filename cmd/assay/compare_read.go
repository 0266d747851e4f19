package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/analyzers/compare"
	"github.com/assay-dev/assay/internal/store"
)

// sideBy are what runs can be told apart by.
var sideBy = map[string]func(*assay.Manifest) string{
	"release": func(m *assay.Manifest) string { return m.Target.Release },
	"target":  func(m *assay.Manifest) string { return m.Target.Name },
	"model":   func(m *assay.Manifest) string { return m.Target.Model },
	"name":    func(m *assay.Manifest) string { return m.Name },
}

// isRun reports whether a directory is a run.
func isRun(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "run.json"))
	return err == nil
}

// runDirs returns the runs that arguments name, each once: lists with commas and patterns are taken apart, and of a directory of runs all are taken.
func runDirs(args []string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	add := func(dir string) {
		key, err := filepath.Abs(dir)
		if err != nil {
			key = dir
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, dir)
		}
	}
	for _, arg := range args {
		for _, name := range namesOf(arg) {
			if isRun(name) {
				add(name)
				continue
			}
			entries, err := os.ReadDir(name)
			if err != nil {
				return nil, exit(assay.ExitUsage, "%s: no run and no directory of runs: %v", name, errors.Unwrap(err))
			}
			found := 0
			for _, e := range entries {
				if dir := filepath.Join(name, e.Name()); isRun(dir) {
					add(dir)
					found++
				}
			}
			if found == 0 {
				return nil, exit(assay.ExitUsage, "%s holds no run: neither it nor a directory in it has a run.json", name)
			}
		}
	}
	return out, nil
}

// namesOf takes an argument apart. What is there by that very name is not.
func namesOf(arg string) []string {
	if _, err := os.Stat(arg); err == nil {
		return []string{arg}
	}
	var out []string
	for name := range strings.SplitSeq(arg, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if matches, err := filepath.Glob(name); err == nil && len(matches) > 0 {
			out = append(out, matches...)
			continue
		}
		out = append(out, name)
	}
	return out
}

// readers is how many runs are computed at once: each already uses several cores.
const readers = 2

// readRuns computes what each run came to, by the definitions of this very program, since those of a result.json may be older. Metrics
// that are asked for are computed besides.
func readRuns(ctx context.Context, io stdio, dirs []string, gates []assay.Objective) ([]compare.Run, error) {
	out := make([]compare.Run, len(dirs))
	if len(dirs) > 3 {
		fmt.Fprintf(io.err, "reading %d runs\n", len(dirs))
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, dir := range dirs {
		g.Go(func() error {
			r, err := readRun(ctx, dir, gates)
			out[i] = r
			return err
		})
	}
	return out, g.Wait()
}

func readRun(ctx context.Context, dir string, gates []assay.Objective) (compare.Run, error) {
	run, err := store.Open(dir)
	if err != nil {
		return compare.Run{}, openError(err)
	}
	defer run.Close()
	m := *run.Manifest()
	var opts analyzers.Options
	if len(gates) > 0 { // they have no bound here: any will do, for their metric to be computed
		opts.Objectives = slices.Clone(m.Objectives)
		for _, g := range gates {
			zero := 0.0
			g.Min = &zero
			opts.Objectives = append(opts.Objectives, g)
		}
	}
	r, err := analyzers.Assess(ctx, run, opts)
	if err != nil {
		return compare.Run{}, &status{assay.ExitError, fmt.Errorf("assess %s: %w", dir, err)}
	}
	return compare.Run{Dir: dir, Manifest: &m, Report: r}, nil
}

// sides reads the runs of each side.
func (o *compareOptions) sides(ctx context.Context, io stdio, args []string, gates []assay.Objective) (base compare.Side, others []compare.Side, err error) {
	if o.by != "" {
		return o.sidesBy(ctx, io, args, gates)
	}
	var sides []compare.Side
	ids := map[string]string{} // of runs, with their directory
	for _, arg := range args {
		dirs, err := runDirs([]string{arg})
		if err != nil {
			return base, nil, err
		}
		runs, err := readRuns(ctx, io, dirs, gates)
		if err != nil {
			return base, nil, err
		}
		for i := range runs {
			if other, ok := ids[runs[i].Manifest.ID]; ok {
				return base, nil, exit(assay.ExitUsage, "%s and %s are the same run; each counts once", other, runs[i].Dir)
			}
			ids[runs[i].Manifest.ID] = runs[i].Dir
		}
		sides = append(sides, compare.Side{Name: arg, Runs: runs})
	}
	nameSides(sides)
	return sides[0], sides[1:], nil
}

// longName is how long a list of runs may be to serve as the name of its side.
const longName = 40

// nameSides calls sides by their release where that tells them apart, and by their part where what they were called is long.
func nameSides(sides []compare.Side) {
	for i := range sides {
		switch {
		case len(sides[i].Name) <= longName:
		case i == 0:
			sides[i].Name = "base"
		case len(sides) == 2:
			sides[i].Name = "candidate"
		default:
			sides[i].Name = fmt.Sprintf("candidate %d", i)
		}
	}
	names := map[string]bool{}
	byRelease := make([]string, len(sides))
	for i := range sides {
		for j := range sides[i].Runs {
			r := sides[i].Runs[j].Manifest.Target.Release
			if r == "" || j > 0 && r != byRelease[i] {
				return
			}
			byRelease[i] = r
		}
		if names[byRelease[i]] {
			return
		}
		names[byRelease[i]] = true
	}
	for i := range sides {
		sides[i].Name = byRelease[i]
	}
}

// sidesBy reads one heap of runs and tells the sides apart.
func (o *compareOptions) sidesBy(ctx context.Context, io stdio, args []string, gates []assay.Objective) (base compare.Side, others []compare.Side, err error) {
	dirs, err := runDirs(args)
	if err != nil {
		return base, nil, err
	}
	runs, err := readRuns(ctx, io, dirs, gates)
	if err != nil {
		return base, nil, err
	}
	slices.SortStableFunc(runs, func(a, b compare.Run) int { return cmp.Compare(a.Manifest.Epoch, b.Manifest.Epoch) })
	var sides []compare.Side
	for _, r := range runs {
		name := sideBy[o.by](r.Manifest)
		if name == "" {
			return base, nil, exit(assay.ExitUsage, "%s has no %s; name its side by its directory instead", r.Dir, o.by)
		}
		i := slices.IndexFunc(sides, func(s compare.Side) bool { return s.Name == name })
		if i < 0 {
			i = len(sides)
			sides = append(sides, compare.Side{Name: name})
		}
		sides[i].Runs = append(sides[i].Runs, r)
	}
	var names []string
	for _, s := range sides {
		names = append(names, s.Name)
	}
	if len(sides) < 2 {
		return base, nil, exit(assay.ExitUsage, "all %d runs have the same %s, %s: there is nothing to compare it with", len(runs), o.by, names[0])
	}
	at := 0
	if o.base != "" {
		if at = slices.Index(names, o.base); at < 0 {
			return base, nil, exit(assay.ExitUsage, "--base %q: no run has this %s; one of %s", o.base, o.by, strings.Join(names, ", "))
		}
	}
	base = sides[at]
	return base, slices.Delete(sides, at, at+1), nil
}
