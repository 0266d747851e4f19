package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/importers"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/store"
)

// importOptions are the flags of import.
type importOptions struct {
	dir, out, output    string
	kind, columns       string
	ends                bool
	name, target, model string
	release             string
	slo                 []string
	inputs              inputFlags
	xids                string
}

// imported is what import tells.
type imported struct {
	Dir      string          `json:"dir"`
	Kind     string          `json:"kind"`
	Requests int             `json:"requests"`
	Seconds  float64         `json:"seconds"`
	Untimed  bool            `json:"untimed,omitempty"` // Seconds is made up: the source tells no time of some requests
	Warnings []string        `json:"warnings,omitempty"`
	Inputs   []input.Summary `json:"inputs,omitempty"` // where several kinds were read
}

func importCommand(io stdio) *cobra.Command {
	var o importOptions
	var kinds strings.Builder
	for _, k := range importers.Kinds {
		fmt.Fprintf(&kinds, "  %-12s %s\n", k.Name, k.Help)
	}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Make a run out of recordings: results, tables, traces, metrics, logs",
		Long: "Makes a run directory out of what was recorded, so that assess and report work on it. Results of a load generator are FILE...: several are one run, what several machines saw at once. " +
			"Everything else lies beside them or stands alone, each input named by its kind as below (--samples FILE,option=value). A directory stands for the files in it, a tar archive for its members; what ends in .gz is unpacked. " +
			"For each input it says how much was read, kept and rejected, and why. What no source tells is not measured: it is never made up. " +
			"What the options of an input mean is listed by assay list options. A column of any table of metrics can be said to be what we know, whatever it is called: " +
			"--samples gpu.csv,time=ts,labels=pod,values=duty:gpu_busy:percent|queue:waiting (assay list quantities).\n\n" +
			"Kinds of results, found by how the file begins where none is given:\n" + kinds.String() + "\n" +
			"Fields that --map may name, as in --map due=start:ms,latency=took_ms,outcome=state:FAILED. A unit (s, ms, us, ns) follows the column after a colon, or is what its name ends with, or that of unit=ms for all; without any it is s. " +
			"A field that is not named is taken from a column of its own name.\n" + importers.ColumnsHelp(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !o.inputs.any() {
				return errors.New("want a file: assay import FILE, or one named by its kind, such as --requests FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			var done *imported
			specs, err := o.inputs.specs(&o, args)
			switch {
			case err != nil:
				return err
			case specs != nil:
				done, err = importSet(ctx, &o, specs)
			default:
				done, err = importRun(ctx, &o, args)
			}
			if ctx.Err() != nil {
				return exit(assay.ExitInterrupted, "interrupted; nothing was left behind")
			}
			if err != nil {
				return err
			}
			return done.print(io, o.output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "format of the files: "+kindNames())
	f.StringVar(&o.columns, "map", "", "for csv, jsonl and parquet: field=column pairs with commas between them")
	f.StringVar(&o.columns, "columns", "", "the former name of --map")
	_ = f.MarkHidden("columns")
	f.BoolVar(&o.ends, "stamps-end", false, "JMeter stamped the end of its samples (sampleresult.timestamp.start=false)")
	f.StringVar(&o.dir, "dir", "runs", "directory that run directories are made in")
	f.StringVar(&o.out, "out", "", "make this run directory instead of one in --dir")
	f.StringVar(&o.name, "name", "", "name of the run; the file's where none is given")
	f.StringVar(&o.target, "target", "", "what was loaded, as reports show it")
	f.StringVar(&o.model, "model", "", "model that was asked for")
	f.StringVar(&o.release, "release", "", "release that was assessed")
	f.StringArrayVar(&o.slo, "slo", nil, sloHelp)
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	o.inputs.register(f)
	f.StringVar(&o.xids, "xid-table", "", "`FILE` of rows that say what errors of GPUs (XIDs) mean, in place of ours; the run keeps them")
	return cmd
}

func kindNames() string {
	var names []string
	for _, k := range importers.Kinds {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// importRun makes the run directory.
func importRun(ctx context.Context, o *importOptions, paths []string) (*imported, error) {
	if o.output != "text" && o.output != "json" {
		return nil, exit(assay.ExitUsage, "--output %q is unknown; text or json", o.output)
	}
	columns, err := importers.ParseColumns(o.columns)
	if err != nil {
		return nil, exit(assay.ExitUsage, "--map: %v", err)
	}
	o.kind = importers.KindFor(paths[0], o.kind, columns)
	if len(columns) > 0 && !importers.Tabular(o.kind) {
		return nil, exit(assay.ExitUsage, "--map goes with --kind csv, jsonl or parquet")
	}
	if o.ends && o.kind != "" && o.kind != "jtl" {
		return nil, exit(assay.ExitUsage, "--stamps-end goes with --kind jtl")
	}
	asked, err := askedFor(o.slo, nil)
	if err != nil {
		return nil, err
	}
	im, err := importers.Open(ctx, importers.Settings{Kind: o.kind, Paths: paths, Columns: columns, EndOnly: o.ends, Latest: time.Now().Add(24 * time.Hour).UnixNano()})
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	dir, err := makeRun(ctx, o, paths[0], &assay.Manifest{Epoch: im.Epoch, Objectives: asked.goals(), SLOs: asked.promises(), Resolution: im.Resolution,
		Target: assay.Target{Kind: im.Kind, Name: cmp.Or(o.target, "results of "+filepath.Base(paths[0])), Model: o.model, Release: o.release}}, im, im.End)
	if err != nil {
		return nil, err
	}
	return &imported{Dir: dir, Kind: im.Kind, Requests: im.Requests, Seconds: float64(im.End) / 1e9, Warnings: im.Warnings}, nil
}

// runNameOf is the name of a run that is made of what lies at a path: that of its file, or its host's for a URL without a path.
func runNameOf(path string) string {
	if u, err := url.Parse(path); err == nil && u.Host != "" && strings.Trim(u.Path, "/") == "" {
		return u.Hostname()
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}

// makeRun makes the run directory of m and fills it with what src emits, which ends at run time end. What fails leaves nothing behind.
func makeRun(ctx context.Context, o *importOptions, path string, m *assay.Manifest, src assay.Source, end int64) (dir string, err error) {
	if m.XIDs, err = readXIDTable(o.xids); err != nil {
		return "", err
	}
	name := o.name
	if name == "" {
		name = runNameOf(path)
	}
	name = regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(name, "-")
	m.Name = cmp.Or(strings.Trim(name, "-."), "import")
	dir = cmp.Or(o.out, runDir(o.dir, m.Name, time.Unix(0, m.Epoch)))
	id := make([]byte, 8)
	_, _ = rand.Read(id)
	m.ID, m.Version, m.Imported = hex.EncodeToString(id), version(), true
	w, err := store.Create(dir, m)
	if err != nil {
		if errors.Is(err, store.ErrNotEmpty) {
			return "", &status{assay.ExitUsage, err}
		}
		return "", &status{assay.ExitError, err}
	}
	err = src.Run(ctx, func(r assay.Record) error { return w.EmitWait(ctx, r) })
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = w.Seal(assay.Ending{Status: assay.EndComplete, At: end})
	}
	if err != nil {
		return "", &status{assay.ExitError, errors.Join(err, w.Close(), os.RemoveAll(dir))}
	}
	return dir, nil
}

func (d *imported) print(io stdio, output string) error {
	if output == "json" {
		return printJSON(io, d)
	}
	took := time.Duration(d.Seconds * 1e9).Round(time.Millisecond)
	printInputs(io.out, d.Inputs)
	switch {
	case d.Untimed:
		fmt.Fprintf(io.out, "%s: %s\n", d.Dir, dashboards.TimesUnknown)
	case len(d.Inputs) > 0:
		fmt.Fprintf(io.out, "%s: %v of records\n", d.Dir, took)
	default:
		fmt.Fprintf(io.out, "%s: %d requests of %s in %v\n", d.Dir, d.Requests, d.Kind, took)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(io.out, "  warning: %s\n", w)
	}
	fmt.Fprintf(io.out, "next: assay assess %s\n", d.Dir)
	return nil
}
