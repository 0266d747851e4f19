package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/k6op"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/script"
)

func k6Command(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "k6",
		Short: "Play k6 scripts on many machines",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(k6ManifestsCommand(io))
	return cmd
}

// manifestOptions are the flags of k6 manifests beside the settings themselves.
type manifestOptions struct {
	k6op.Settings
	out              string
	phase            string
	url, kind, model string
	env              []string
	files            []string
}

func k6ManifestsCommand(io stdio) *cobra.Command {
	var o manifestOptions
	cmd := &cobra.Command{
		Use:   "manifests PLAN|SCRIPT --image IMAGE --parallelism N",
		Short: "Write what the k6 operator needs to play a script with assay-k6",
		Long: "Writes the objects with which the k6 operator plays a script on N runners: a TestRun, a ConfigMap with the script and what it imports, a volume for the results, " +
			"accounts with the least rights, and a build file for the image. A PLAN gives the script of its k6 phase, its environment and its target; a SCRIPT stands alone.\n\n" +
			"Each runner leaves its run on the volume, under its own name. When the TestRun is finished, the job in after/merge.yaml makes one run of them (assay merge) and assesses it. " +
			"Nothing is sent to a cluster.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.read(args[0]); err != nil {
				return &status{assay.ExitUsage, err}
			}
			files, err := k6op.Write(o.Settings)
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			return o.write(io, files)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "directory to write into; without it the objects go to standard output, but for the build file and the job that comes after")
	f.StringVar(&o.Image, "image", "", "image that the build file makes, as the cluster pulls it")
	f.IntVar(&o.Parallelism, "parallelism", 1, "number of runners; each plays an equal share of the script")
	f.StringVar(&o.Namespace, "namespace", "default", "namespace of all objects")
	f.StringVar(&o.Name, "name", "", "name of the TestRun; default: that of the plan or the script")
	f.StringVar(&o.RunID, "run-id", "", "id of the run, 16 hex digits; default: a random one")
	f.StringVar(&o.phase, "phase", "", "phase of the plan, where it has several scripts")
	f.StringVar(&o.url, "url", "", "target of a script whose clients have no url")
	f.StringVar(&o.kind, "kind", "", "kind of the target at --url; assay list client names them")
	f.StringVar(&o.model, "model", "", "model to ask the target at --url for")
	f.StringArrayVar(&o.env, "env", nil, "NAME=value for the script, no secrets; repeatable")
	f.StringVar(&o.Secret, "token-secret", "", "NAME/KEY of the Secret that holds the target's token")
	f.StringArrayVar(&o.files, "file", nil, "further file to lie beside the script, in /test; repeatable")
	f.StringVar(&o.Storage, "storage", "10Gi", "size of the volume for the results")
	f.StringVar(&o.Class, "storage-class", "", "its storage class, one whose volumes many nodes can write")
	f.BoolVar(&o.Separate, "separate", false, "put each runner on a node of its own")
	f.StringVar(&o.CPU, "cpu", "", "CPU that a runner asks for")
	f.StringVar(&o.Memory, "memory", "", "memory that a runner asks for")
	return cmd
}

// read fills the settings in from the plan or the script at path.
func (o *manifestOptions) read(path string) error {
	o.Env = map[string]string{}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
		p, l, err := o.phaseOf(path)
		if err != nil {
			return err
		}
		path, name, o.Args = p.Path(l.K6), p.Name, l.Args
		maps.Copy(o.Env, l.Env)
		t := &p.Target
		if t.Kind == "sandbox" {
			return errors.New("target.kind: the sandbox runs on one machine only; name an endpoint that the cluster reaches")
		}
		if t.Auth != (plan.Credential{}) && o.Secret == "" {
			return errors.New("target.auth: runners do not have our environment and files; name a Secret with --token-secret NAME/KEY")
		}
		for env, v := range map[string]string{"ASSAY_URL": t.URL, "ASSAY_KIND": t.Kind, "ASSAY_MODEL": t.Model, "ASSAY_RELEASE": t.Release} {
			if v != "" {
				o.Env[env] = v
			}
		}
	} else if o.phase != "" {
		return errors.New("--phase goes with a plan")
	}
	for env, v := range map[string]string{"ASSAY_URL": o.url, "ASSAY_KIND": o.kind, "ASSAY_MODEL": o.model} {
		if v != "" {
			o.Env[env] = v
		}
	}
	for _, text := range o.env {
		env, v, ok := strings.Cut(text, "=")
		if !ok || env == "" {
			return fmt.Errorf("--env %q: write NAME=value", text)
		}
		o.Env[env] = v
	}
	if o.Name == "" {
		o.Name = objectName(name)
	}
	if o.RunID == "" {
		id := make([]byte, 8)
		if _, err := rand.Read(id); err != nil {
			return fmt.Errorf("make a run id: %w", err)
		}
		o.RunID = hex.EncodeToString(id)
	}
	var err error
	if o.Files, err = script.Files(os.ReadFile, path); err != nil {
		return fmt.Errorf("read the script: %w", err)
	}
	for _, name := range o.files {
		data, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		o.Files = append(o.Files, script.File{Path: filepath.Join(filepath.Dir(path), filepath.Base(name)), Data: data})
	}
	return nil
}

// phaseOf reads the plan at path and finds the phase that runs a script.
func (o *manifestOptions) phaseOf(path string) (*plan.Plan, *plan.Load, error) {
	p, err := plan.Read(path)
	if err != nil {
		return nil, nil, err
	}
	var found []*plan.Load
	var names []string
	for i := range p.Load {
		if l := &p.Load[i]; l.K6 != "" {
			if names = append(names, l.Name); o.phase == "" || o.phase == l.Name {
				found = append(found, l)
			}
		}
	}
	switch {
	case len(names) == 0:
		return nil, nil, fmt.Errorf("%s: no phase runs a script; write for example {name: chat, k6: chat.js}", path)
	case len(found) == 0:
		return nil, nil, fmt.Errorf("--phase %q runs no script; one of %s", o.phase, strings.Join(names, ", "))
	case len(found) > 1:
		return nil, nil, fmt.Errorf("%s has several scripts; choose with --phase: %s", path, strings.Join(names, ", "))
	}
	return p, found[0], nil
}

// objectName makes a name that Kubernetes takes.
func objectName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	return strings.Trim(name[:min(len(name), 40)], "-")
}

// write puts the files where they are wanted.
func (o *manifestOptions) write(io stdio, files []k6op.File) error {
	if o.out == "" {
		first := true
		for _, f := range files {
			if filepath.Ext(f.Path) != ".yaml" || filepath.Dir(f.Path) != "." {
				continue
			}
			if !first {
				fmt.Fprintln(io.out, "---")
			}
			first = false
			if _, err := io.out.Write(f.Data); err != nil {
				return &status{assay.ExitError, err}
			}
		}
		return nil
	}
	for _, f := range files {
		path := filepath.Join(o.out, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return &status{assay.ExitError, err}
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return &status{assay.ExitError, err}
		}
		fmt.Fprintln(io.out, path)
	}
	fmt.Fprintf(io.err, `run id %s
  docker build -f %s -t %s CHECKOUT, and push it
  kubectl apply -f %s                      starts the test once its objects are there
  kubectl -n %s wait testrun/%s --for=jsonpath='{.status.stage}'=finished --timeout=1h
  kubectl apply -f %s       merges and assesses; its log is the report
`, o.RunID, filepath.Join(o.out, "Dockerfile"), o.Image, o.out, o.Namespace, o.Name, filepath.Join(o.out, "after", "merge.yaml"))
	return nil
}
