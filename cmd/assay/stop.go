package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/store"
)

// stopAnswer is how long the guardian of a run may take to hear a stop; one that lives does within a tenth of a second.
const stopAnswer = 2 * time.Second

func stopCommand(io stdio) *cobra.Command {
	var all bool
	var parent string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "stop [DIR]",
		Short: "Stop a run at once, revert its faults, and wait until all is clear",
		Long: "Stops the run in DIR, or with --all every run under --dir that has not ended: its guardian reverts the faults at once, even when the run itself hangs, and the run ends as interrupted. " +
			"Of a run that was killed what it may have left behind is undone, as assay heal does. Exit status 14 and a list mean that something may remain.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return exit(assay.ExitUsage, "give the directory of a run, or --all")
			}
			dirs := args
			if all {
				var err error
				if dirs, err = unended(parent); err != nil {
					return &status{assay.ExitError, err}
				}
				if len(dirs) == 0 {
					fmt.Fprintf(io.out, "%s: no run is under way\n", parent)
				}
			}
			said := make([]string, len(dirs))
			left := make([]bool, len(dirs))
			errs := make([]error, len(dirs))
			var g errgroup.Group // each may take as long as its faults need
			for i, dir := range dirs {
				g.Go(func() error {
					said[i], left[i], errs[i] = stopOne(cmd.Context(), dir, wait)
					return nil
				})
			}
			_ = g.Wait()
			remain := false
			for i := range dirs {
				fmt.Fprint(io.out, said[i])
				remain = remain || left[i]
			}
			return healed(remain, errs)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "stop every run under --dir that has not ended")
	cmd.Flags().StringVar(&parent, "dir", "runs", "directory of runs to look through with --all")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long a run may take to end before its faults are looked at from here")
	return cmd
}

// unended lists the runs under parent whose end was not written.
func unended(parent string) (dirs []string, err error) {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if m, err := readManifest(dir); err == nil && m.End.Status == assay.EndRunning {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func readManifest(dir string) (*assay.Manifest, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil {
		return nil, err
	}
	var m assay.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &m, nil
}

// stopOne stops a run and returns what became of it, in lines, and whether something may remain.
func stopOne(ctx context.Context, dir string, wait time.Duration) (said string, left bool, err error) {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "%s: "+format+"\n", append([]any{dir}, args...)...) }
	m, err := readManifest(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", false, fmt.Errorf("stop %s: %w", dir, store.ErrNotARun)
	case err != nil:
		return "", false, fmt.Errorf("stop: %w", err)
	}
	began := time.Now()
	if m.End.Status != assay.EndRunning {
		say("the run has ended: %s", cmp.Or(m.End.Status, "imported"))
		if len(m.End.Remaining) == 0 {
			return b.String(), false, nil
		}
		for _, r := range m.End.Remaining {
			say("remained at its end: %s", r)
		}
		remaining, err := healOne(ctx, stdio{out: &b}, dir, chaos.HealOptions{})
		return b.String(), len(remaining) > 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, chaos.StopFile), nil, 0o644); err != nil {
		return "", false, fmt.Errorf("stop: %w", err)
	}
	heard := false
	limit := time.NewTimer(stopAnswer)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if !heard {
			if text, err := chaos.Stopped(dir); err != nil {
				return b.String(), false, err
			} else if text != "" {
				heard = true
				limit.Reset(wait)
				say("%s, %v after it was asked to", text, time.Since(began).Round(time.Millisecond))
			}
		}
		if m, err := readManifest(dir); err == nil && m.End.Status != assay.EndRunning {
			say("the run ended as %s, %v after it was asked to", m.End.Status, time.Since(began).Round(time.Millisecond))
			for _, r := range m.End.Remaining {
				say("MAY REMAIN: %s", r)
			}
			return b.String(), len(m.End.Remaining) > 0, nil
		}
		select {
		case <-look.C:
			continue
		case <-limit.C:
		case <-ctx.Done():
			return b.String(), true, ctx.Err()
		}
		break
	}
	why := "nobody heard it: the run was killed"
	if heard {
		why = fmt.Sprintf("the run did not end within %v: it hangs", wait)
	}
	say("%s; its faults are looked at from here", why)
	remaining, err := healOne(ctx, stdio{out: &b}, dir, chaos.HealOptions{})
	return b.String(), len(remaining) > 0, err
}
