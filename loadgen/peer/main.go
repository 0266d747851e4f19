//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	length  time.Duration
	rounds  int
	rates   []float64
	search  bool
	streams bool
	apart   bool
	output  string
}

func run(ctx context.Context, stdin io.Reader, stdout io.Writer, args []string) error {
	if len(args) > 1 && args[0] == childFlag {
		return child(ctx, args[1], stdin, stdout)
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	var r printer
	if s.streams {
		r, err = compareStreams(ctx, s)
	} else {
		r, err = compare(ctx, s)
	}
	if err != nil {
		return err
	}
	if s.output == "json" {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(stdout)
}

// A printer is a result for people.
type printer interface{ print(w io.Writer) error }

func parse(args []string) (settings, error) {
	s := settings{}
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.DurationVar(&s.length, "for", 5*time.Second, "length of one measurement")
	f.IntVar(&s.rounds, "rounds", 3, "measurements of each client at each rate")
	rates := f.String("rates", "1000,5000,10000", "requests per second to compare at")
	f.BoolVar(&s.search, "search", true, "also find the highest rate that each sustains")
	f.BoolVar(&s.streams, "streams", false, "measure 1,000 token streams instead")
	f.BoolVar(&s.apart, "apart", false, "give the server a core of its own, on which it polls, and the clients the others")
	f.StringVar(&s.output, "o", "text", "text or json")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	for text := range strings.SplitSeq(*rates, ",") {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v < 1 || v > 1e6 {
			return s, fmt.Errorf("-rates: %q: want requests per second, 1 to 1000000, with commas between", text)
		}
		s.rates = append(s.rates, v)
	}
	switch {
	case s.apart && runtime.NumCPU() < 2:
		return s, errors.New("-apart needs two cores")
	case f.NArg() > 0:
		return s, fmt.Errorf("argument %q: want none", f.Arg(0))
	case s.length < 100*time.Millisecond || s.length > time.Hour:
		return s, fmt.Errorf("-for %v: want 100ms to 1h", s.length)
	case s.rounds < 1 || s.rounds > 100:
		return s, fmt.Errorf("-rounds %d: want 1 to 100", s.rounds)
	case s.output != "text" && s.output != "json":
		return s, fmt.Errorf("-o %q: want text or json", s.output)
	}
	return s, nil
}
