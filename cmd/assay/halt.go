package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// stopAhead refuses a run whose stop was asked for before it began.
func (s *session) stopAhead() error {
	if s.plan.Stop == nil || s.plan.Stop.File == "" {
		return nil
	}
	file := s.plan.Path(s.plan.Stop.File)
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("stop.file: %s is there: a stop was asked for, and holds until the file is removed", file)
	}
	return nil
}

// heedStops makes the guardian stop the run when a file of the plan or in the run's directory appears, or on a request, and says how that is done.
func (s *session) heedStops(ctx context.Context) error {
	o := chaos.StopOptions{Files: []string{filepath.Join(s.dir, chaos.StopFile)}}
	if p := s.plan.Stop; p != nil {
		if p.File != "" {
			file, err := filepath.Abs(s.plan.Path(p.File))
			if err != nil {
				return fmt.Errorf("stop.file: %w", err)
			}
			o.Files = append(o.Files, file)
		}
		if h := p.HTTP; h != nil {
			token, err := readToken("stop.http.token", plan.Auth{Env: h.Token.Env, File: s.plan.Path(h.Token.File)})
			if err != nil {
				return err
			}
			o.Listen, o.Token = h.Listen, chaos.HashToken(token)
		}
	}
	addr, err := s.guardian.Watch(ctx, o, func(why string) { s.stops <- why })
	if err != nil {
		return err
	}
	if len(s.plan.Chaos) == 0 && s.plan.Stop == nil {
		return nil
	}
	fmt.Fprintf(s.io.err, "to stop: Ctrl-C; assay stop %s", s.dir)
	for _, f := range o.Files[1:] {
		fmt.Fprintf(s.io.err, "; make the file %s", f)
	}
	if addr != "" {
		fmt.Fprintf(s.io.err, "; POST http://%s/stop with the token", addr)
	}
	fmt.Fprintln(s.io.err)
	return nil
}
