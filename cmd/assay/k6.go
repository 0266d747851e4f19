package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// This file finds assay-k6 and asks it about scripts before a run begins.

const (
	k6Name = "assay-k6"
	k6Env  = "ASSAY_K6" // path of the binary

	k6Asking = 30 * time.Second // what it may take to read a script
)

// k6Build says how to come by the binary.
const k6Build = "build it in a checkout with `cd loadgen/k6 && go build -o ../../assay-k6 ./cmd/assay-k6`, and put it on PATH, beside assay, or into --k6-binary or " + k6Env

// k6Binary finds assay-k6: as the flag or the environment say, else on PATH, else beside this binary.
func k6Binary(flag string) (string, error) {
	for _, given := range []string{flag, os.Getenv(k6Env)} {
		if given == "" {
			continue
		}
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("find %s: %w; %s", k6Name, err, k6Build)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath(k6Name); err == nil {
		return filepath.Abs(path)
	}
	if exe, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(exe), k6Name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is neither on PATH nor beside assay; %s", k6Name, k6Build)
}

// k6Environ is the environment of k6: ours, without what makes it talk to the network by itself.
func k6Environ(more map[string]string) []string {
	env := append(os.Environ(), "K6_NO_USAGE_REPORT=true", "K6_AUTO_EXTENSION_RESOLUTION=false")
	for name, value := range more {
		env = append(env, name+"="+value)
	}
	return env
}

// ask runs a command of k6 that touches nothing and returns what it prints.
func (k *k6Load) ask(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, k6Asking)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.binary, args...)
	cmd.Env = k6Environ(k.environment())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text := k6Complaint(errs.Bytes()); text != "" {
			return nil, errors.New(text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

// k6Complaint finds the last error in what k6 wrote, and the first line of it.
func k6Complaint(log []byte) string {
	last := ""
	for line := range strings.Lines(string(log)) {
		_, text, ok := strings.Cut(line, "level=error msg=")
		if !ok {
			continue
		}
		last = strings.TrimSpace(text)
		if quoted, err := strconv.QuotedPrefix(text); err == nil {
			last, _ = strconv.Unquote(quoted)
		}
	}
	last, _, _ = strings.Cut(strings.TrimSpace(last), "\n")
	return last
}

// readable reports why a file cannot be read.
func readable(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%s is a directory; want a script", path)
	}
	return nil
}

// prepareK6 finds the binary and has it read the scripts of the plan, so that what is wrong with them shows before the run.
func (s *session) prepareK6(ctx context.Context) error {
	for i := range s.plan.Load {
		l := &s.plan.Load[i]
		if l.K6 == "" {
			continue
		}
		k := &k6Load{s: s, load: l, script: s.plan.Path(l.K6)}
		var err error
		if k.binary, err = k6Binary(s.opt.k6); err != nil {
			return &status{assay.ExitPreflight, fmt.Errorf("load phase %s: %w", l.Name, err)}
		}
		version, err := k.ask(ctx, "version")
		if err == nil && !bytes.Contains(version, []byte("k6/x/assay")) {
			err = fmt.Errorf("it is a k6 without assay; %s", k6Build)
		}
		if err != nil {
			return &status{assay.ExitPreflight, fmt.Errorf("load phase %s: %s: %w", l.Name, k.binary, err)}
		}
		raw, err := k.ask(ctx, "inspect", "--execution-requirements", k.script)
		if err != nil {
			return &status{assay.ExitUsage, s.plan.Wrong(i, "k6", fmt.Errorf("k6 refuses the script: %w", err))}
		}
		var of struct {
			Total string `json:"totalDuration"`
		}
		if err := json.Unmarshal(raw, &of); err != nil {
			return &status{assay.ExitPreflight, fmt.Errorf("load phase %s: read what k6 says of the script: %w", l.Name, err)}
		}
		total, _ := time.ParseDuration(of.Total) // else the plan's word counts alone
		for j := range s.phases {
			if s.phases[j].Name == l.Name {
				s.phases[j].External = k.run
				if bound := total + k6Slack; total > 0 && bound < s.phases[j].For {
					s.phases[j].For = bound
				}
			}
		}
	}
	return nil
}

// unprepared stands for a script while nothing is run.
func unprepared(context.Context, int64, func(assay.Record) error) error {
	return errors.New("the script was not prepared")
}

// k6Slack is what k6 gets beyond the length of its script: to start, for setup, teardown and the last writes.
const k6Slack = 2 * time.Minute
