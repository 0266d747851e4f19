package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
)

// stdio is what a command talks to.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// status is an error that carries the exit status of the command; its text, if any, was not printed yet.
type status struct {
	code int
	err  error
}

func (s *status) Error() string {
	if s.err == nil {
		return fmt.Sprintf("exit status %d", s.code)
	}
	return s.err.Error()
}

func (s *status) Unwrap() error { return s.err }

func exit(code int, format string, args ...any) error {
	return &status{code, fmt.Errorf(format, args...)}
}

// run executes the command line and returns the exit status. It prints each error once, on stderr, one
// line for each thing that is wrong.
func run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string) int {
	root := command(stdio{stdin, stdout, stderr})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return assay.ExitGo
	}
	var s *status
	if errors.As(err, &s) {
		if s.err != nil {
			printError(stderr, s.err)
		}
		return s.code
	}
	printError(stderr, err)
	return assay.ExitUsage // what cobra itself refuses is usage
}

func printError(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "assay: %s\n", strings.TrimRight(line, "\n"))
	}
}

func command(io stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "assay",
		Short:         "Reliability assessment of models served on serverless platforms",
		Long:          "assay puts load on a served model, hurts it on purpose, watches it, and turns what it saw into numbers with honest bounds.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(io), loadCommand(io), assessCommand(io), reportCommand(io), importCommand(io), traceCommand(io), validateCommand(io), schemaCommand(io), listCommand(io),
		healCommand(io), chaosCommand(io), doctorCommand(io), stopCommand(io), calibrateCommand(io), evidenceCommand(io), statCommand(io), sandboxCommand(io), mergeCommand(io), k6Command(io), dashboardsCommand(io), compareCommand(io), versionCommand(io))
	root.AddCommand(hidden(io)...)
	readPrinted(root)
	teach(root)
	return root
}
