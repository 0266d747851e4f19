package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/chill"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/store"
)

func healCommand(io stdio) *cobra.Command {
	var parent string
	var opt chaos.HealOptions
	var sweep chaos.Sweep
	cmd := &cobra.Command{
		Use:   "heal [DIR]",
		Short: "Undo faults and end processes that a run may have left behind",
		Long: "Replays the journal of the run in DIR: every fault that was armed and is not known to be clear is undone and the undo is verified. Without DIR, that of every run " +
			"under --dir that is not alive. Of a run that was killed it also puts back what target.cold had changed: the replicas of a Deployment, the environment of a function. An object of Chaos Mesh that its controller does not recover is reported, and taken away only with --force-finalizers. What a killed run had sent to a cluster or a cloud, and nobody heard the answer to, is looked for until it cannot come any more, for a minute at most. It may be called at any time and any number of times. Exit status 14 and a list mean that something may remain.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if sweep.Run != "" {
				return swept(cmd.Context(), io, sweep, args)
			}
			dirs := args
			if len(args) == 0 {
				entries, err := os.ReadDir(parent)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					return &status{assay.ExitError, fmt.Errorf("list runs: %w", err)}
				}
				opt.LeaveAlive = true
				for _, e := range entries {
					if _, err := os.Stat(filepath.Join(parent, e.Name(), "run.json")); err == nil {
						dirs = append(dirs, filepath.Join(parent, e.Name()))
					}
				}
			}
			if len(dirs) == 0 {
				fmt.Fprintf(io.out, "no run under %s/\n", strings.TrimRight(parent, "/"))
			}
			var remaining []string
			var errs []error
			for _, dir := range dirs { // one that cannot be read must not keep the others from being healed
				left, err := healOne(cmd.Context(), io, dir, opt)
				errs = append(errs, err)
				remaining = append(remaining, left...)
			}
			return healed(len(remaining) > 0, errs)
		},
	}
	cmd.Flags().BoolVar(&opt.ForceFinalizers, "force-finalizers", false, "take objects of Chaos Mesh away that their controller does not recover; what they did is NOT recovered, and the exit status stays 14 until the pod is gone")
	cmd.Flags().StringVar(&sweep.Run, "sweep", "", "instead: undo what bears this run's id in a namespace of a cluster, where its directory is lost: objects of Chaos Mesh and of ours, workloads that it changed, Deployments that it made cold")
	cmd.Flags().StringVar(&sweep.Kubeconfig, "kubeconfig", "", "with --sweep: kubeconfig file")
	cmd.Flags().StringVar(&sweep.Context, "context", "", "with --sweep: context of the kubeconfig")
	cmd.Flags().StringVar(&sweep.Namespace, "namespace", "", "with --sweep: namespace to look in")
	cmd.Flags().StringVar(&parent, "dir", "runs", "directory of runs to look through when no DIR is given")
	return cmd
}

// swept undoes what a run has left in a cluster.
func swept(ctx context.Context, io stdio, s chaos.Sweep, args []string) error {
	if len(args) > 0 {
		return exit(assay.ExitUsage, "give a run's directory or --sweep, not both")
	}
	if err := chaos.CheckRunID(s.Run); err != nil {
		return exit(assay.ExitUsage, "--sweep: %v", err)
	}
	if s.Kubeconfig != "" {
		s.Kubeconfig, _ = filepath.Abs(s.Kubeconfig)
	}
	rep, err := s.Do(ctx)
	if err == nil || kube.Forbidden(err) { // else there is nobody to ask
		warmed(ctx, s, &rep)
	}
	for _, line := range rep.Reverted {
		fmt.Fprintf(io.out, "run %s: reverted: %s\n", s.Run, line)
	}
	for _, line := range rep.Remaining {
		fmt.Fprintf(io.out, "run %s: MAY REMAIN: %s\n", s.Run, line)
	}
	switch {
	case len(rep.Remaining) > 0:
		return &status{assay.ExitFaultMayRemain, err}
	case err != nil:
		return &status{assay.ExitPreflight, err}
	case len(rep.Reverted) == 0:
		fmt.Fprintf(io.out, "run %s: nothing of it is there\n", s.Run)
	}
	return nil
}

// warmed gives the Deployments that a run made cold their replicas back, and adds them to the report.
func warmed(ctx context.Context, s chaos.Sweep, rep *chaos.HealReport) {
	api, err := kube.Find(s.Kubeconfig, s.Context)
	if err != nil {
		return // which the sweep of the rest says
	}
	ctx, cancel := context.WithTimeout(ctx, undoLimit)
	defer cancel()
	done, err := chill.Sweep(ctx, api, or(s.Namespace, or(api.Namespace, "default")), s.Run)
	for _, d := range done {
		rep.Reverted = append(rep.Reverted, d+" has its replicas again")
	}
	if err != nil && !kube.NotFound(err) {
		rep.Remaining = append(rep.Remaining, coldRemains+err.Error())
	}
}

// healed is the error of healing runs: what cannot be read may remain.
func healed(remain bool, errs []error) error {
	for _, err := range errs {
		remain = remain || err != nil && !errors.Is(err, store.ErrNotARun)
	}
	err := errors.Join(errs...)
	switch {
	case remain:
		return &status{assay.ExitFaultMayRemain, err}
	case err != nil:
		return openError(err)
	}
	return nil
}

func healOne(ctx context.Context, io stdio, dir string, opt chaos.HealOptions) (remaining []string, err error) {
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", dir, err)
	}
	m := run.Manifest()
	opt.Ended = m.End.Status != assay.EndRunning
	opt.Say = func(text string) { fmt.Fprintf(io.err, "%s: %s\n", dir, text) }
	rep, err := chaos.HealWith(ctx, dir, events, opt)
	if err != nil {
		return nil, fmt.Errorf("heal %s: %w", dir, err)
	}
	unreadable, err := run.Unreadable()
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", dir, err)
	}
	rep.Remaining = append(rep.Remaining, unreadable...)
	if !rep.Running && leftCold(m) {
		if recovered, err := recoverCold(ctx, m); err != nil {
			rep.Remaining = append(rep.Remaining, coldRemains+err.Error())
		} else if recovered != "" {
			rep.Reverted = append(rep.Reverted, recovered)
		}
	}
	for _, group := range []struct {
		what  string
		lines []string
	}{{"reverted", rep.Reverted}, {"already clear", rep.Clear}, {"ended", rep.Killed}, {"MAY REMAIN", rep.Remaining}} {
		for _, line := range group.lines {
			fmt.Fprintf(io.out, "%s: %s: %s\n", dir, group.what, line)
		}
	}
	if rep.Running && opt.LeaveAlive {
		fmt.Fprintf(io.out, "%s: the run is still alive and was left alone: its own guardian cleans up after it; assay heal %[1]s reverts its faults now\n", dir)
	} else if rep.Running {
		fmt.Fprintf(io.out, "%s: the run is still alive; its faults were reverted, its processes left alone\n", dir)
	}
	if len(rep.Reverted)+len(rep.Clear)+len(rep.Killed)+len(rep.Remaining) == 0 && !rep.Running {
		fmt.Fprintf(io.out, "%s: nothing to heal\n", dir)
	}
	return rep.Remaining, nil
}
