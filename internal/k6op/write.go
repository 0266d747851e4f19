package k6op

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/assay-dev/assay/internal/script"
)

// Settings say what is to be played, and where.
type Settings struct {
	Name        string // of the TestRun, and what the others' names begin with
	Namespace   string
	Image       string
	Parallelism int
	Separate    bool              // each runner on a node of its own
	RunID       string            // the same in all runners
	Files       []script.File     // the script first
	Env         map[string]string // of the script
	Secret      string            // name/key of the Secret that holds the target's token; "": none
	Args        []string          // further ones of k6 run
	Storage     string            // size of the volume for results
	Class       string            // its storage class; "": the cluster's
	CPU         string            // what a runner asks for; "": nothing
	Memory      string
}

// A File is one file that was written.
type File struct {
	Path string
	Data []byte
}

const (
	user      = 12345 // of the image
	results   = "/results"
	maxConfig = 1 << 20 // bytes of a ConfigMap
)

var (
	label    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`) // room is left for what is added to it
	configID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
	runID    = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// Write returns the files of a test.
func Write(s Settings) ([]File, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	files := []File{{"Dockerfile", []byte(dockerfile)}}
	for _, f := range []struct {
		path    string
		objects []any
	}{
		{"configmap.yaml", []any{config}},
		{"rbac.yaml", s.accounts()},
		{"results.yaml", []any{s.claim()}},
		{"testrun.yaml", []any{s.testRun()}},
		{"after/merge.yaml", []any{s.merge()}},
	} {
		var data []byte
		for i, o := range f.objects {
			b, err := encode(o)
			if err != nil {
				return nil, fmt.Errorf("encode %s: %w", f.path, err)
			}
			if i > 0 {
				data = append(data, "---\n"...)
			}
			data = append(data, b...)
		}
		files = append(files, File{f.path, data})
	}
	return files, nil
}

func (s *Settings) check() error {
	switch {
	case !label.MatchString(s.Name):
		return fmt.Errorf("name %q: want up to 40 lower-case letters, digits and dashes", s.Name)
	case !label.MatchString(s.Namespace):
		return fmt.Errorf("namespace %q: want lower-case letters, digits and dashes", s.Namespace)
	case s.Image == "":
		return errors.New("image: name the one that the build file makes, for example registry.local/assay-k6:1")
	case s.Parallelism < 1 || s.Parallelism > 1000:
		return fmt.Errorf("parallelism %d: want 1 to 1000", s.Parallelism)
	case !runID.MatchString(s.RunID):
		return fmt.Errorf("run id %q: want 16 hex digits", s.RunID)
	case len(s.Files) == 0:
		return errors.New("no script")
	}
	for _, a := range s.Args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`") {
			return fmt.Errorf("argument %q: the operator splits arguments at spaces; want one without spaces, quotes and shell signs", a)
		}
	}
	if s.Secret != "" {
		if name, key, ok := strings.Cut(s.Secret, "/"); !ok || name == "" || key == "" {
			return fmt.Errorf("token secret %q: want NAME/KEY", s.Secret)
		}
	}
	return nil
}

func (s *Settings) object(api, kind, suffix string) object {
	return object{api, kind, meta{s.Name + suffix, s.Namespace, map[string]text{"app.kubernetes.io/part-of": "assay", "assay.dev/run": text(s.RunID)}}}
}

// config holds the script and what it imports, which the operator mounts flat.
func (s *Settings) config() (*configMap, error) {
	c := &configMap{object: s.object("v1", "ConfigMap", ""), Data: map[string]any{}, BinaryData: map[string]text{}}
	size := 0
	dir := path.Dir(s.Files[0].Path)
	for _, f := range s.Files {
		name := path.Base(f.Path)
		switch {
		case path.Dir(f.Path) != dir:
			return nil, fmt.Errorf("%s lies in another directory than the script, and a ConfigMap has none: bundle them, or put them side by side", f.Path)
		case !configID.MatchString(name):
			return nil, fmt.Errorf("%s: its name cannot be a key of a ConfigMap; want letters, digits, dots, dashes and underscores", f.Path)
		}
		if size += len(f.Data); size > maxConfig {
			return nil, fmt.Errorf("the script and its files have more than %d bytes, the most that a ConfigMap holds; build them into the image", maxConfig)
		}
		switch {
		case !utf8.Valid(f.Data):
			c.BinaryData[name] = text(base64.StdEncoding.EncodeToString(f.Data))
		case survives(f.Data):
			c.Data[name] = string(f.Data)
		default:
			c.Data[name] = text(f.Data)
		}
	}
	return c, nil
}

// survives reports whether text comes out of a block in YAML as it went in.
func survives(data []byte) bool {
	if !bytes.Contains(data, []byte("\n")) || bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) {
		return false
	}
	for i, line := range bytes.Split(data, []byte("\n")) { // parsers differ on where a block begins, and on lines of blanks
		if blank := len(bytes.TrimSpace(line)) == 0; blank && (i == 0 || len(line) > 0) || i == 0 && bytes.ContainsAny(line[:1], " \t") {
			return false
		}
	}
	raw, err := encode(map[string]map[string]string{"data": {"x": string(data)}})
	if err != nil {
		return false
	}
	var back map[string]map[string]string
	return yaml.Unmarshal(raw, &back) == nil && back["data"]["x"] == string(data)
}

// encode writes YAML with scripts as blocks of text.
func encode(o any) ([]byte, error) {
	return yaml.MarshalWithOptions(o, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
}

func (s *Settings) accounts() []any {
	submitter := s.object("v1", "ServiceAccount", "-submitter")
	own := func(group, resource, name string, verbs ...string) rule {
		r := rule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
		if name != "" {
			r.ResourceNames = []string{name}
		}
		return r
	}
	return []any{
		&serviceAccount{object: s.object("v1", "ServiceAccount", "-runner")},
		&serviceAccount{object: submitter, AutomountServiceAccountToken: true},
		&role{object: s.object("rbac.authorization.k8s.io/v1", "Role", "-submitter"), Rules: []rule{
			own("k6.io", "testruns", "", "create"), // creation cannot be limited to a name
			own("k6.io", "testruns", s.Name, "get", "patch", "delete"),
			own("", "configmaps", "", "create"),
			own("", "configmaps", s.Name, "get", "patch", "delete"),
			own("", "persistentvolumeclaims", "", "create"),
			own("", "persistentvolumeclaims", s.Name+"-results", "get"),
			own("batch", "jobs", "", "create"),
			own("batch", "jobs", s.Name+"-merge", "get", "delete"),
			own("", "pods", "", "get", "list"), // to see how the runners fare
			own("", "pods/log", "", "get"),
		}},
		&roleBinding{object: s.object("rbac.authorization.k8s.io/v1", "RoleBinding", "-submitter"),
			Subjects: []subject{{"ServiceAccount", submitter.Metadata.Name, s.Namespace}},
			RoleRef:  roleRef{"rbac.authorization.k8s.io", "Role", s.Name + "-submitter"}},
	}
}

func (s *Settings) claim() *volumeClaim {
	return &volumeClaim{object: s.object("v1", "PersistentVolumeClaim", "-results"), Spec: claimSpec{AccessModes: []string{"ReadWriteMany"},
		StorageClassName: s.Class, Resources: resources{Requests: map[string]text{"storage": text(s.Storage)}}}}
}

func (s *Settings) testRun() *testRun {
	env := []envVar{{Name: "ASSAY_RUN_ID", Value: text(s.RunID)}, {Name: "ASSAY_RUN_NAME", Value: text(s.Name)}, {Name: "K6_NO_USAGE_REPORT", Value: "true"}}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, envVar{Name: name, Value: text(s.Env[name])})
	}
	if name, key, ok := strings.Cut(s.Secret, "/"); ok {
		env = append(env, envVar{Name: "ASSAY_TOKEN", ValueFrom: &envSource{secretKey{name, key}}})
	}
	runner := pod{Image: s.Image, Env: env, ServiceAccountName: s.Name + "-runner", AutomountServiceAccountToken: "false", SecurityContext: harmless(), ContainerSecurityContext: narrow(),
		Volumes: s.volumes(), VolumeMounts: mounts()}
	if s.CPU != "" || s.Memory != "" {
		runner.Resources = &resources{Requests: map[string]text{}}
		for name, v := range map[string]string{"cpu": s.CPU, "memory": s.Memory} {
			if v != "" {
				runner.Resources.Requests[name] = text(v)
			}
		}
	}
	args := append([]string{"--out", "assay=" + s.runs() + "/{host}", "--summary-mode=disabled"}, s.Args...)
	return &testRun{object: s.object("k6.io/v1alpha1", "TestRun", ""), Spec: testRunSpec{Parallelism: s.Parallelism, Separate: s.Separate,
		Script: source{configFile{s.Name, path.Base(s.Files[0].Path)}}, Arguments: text(strings.Join(args, " ")),
		Starter: pod{ServiceAccountName: s.Name + "-runner", AutomountServiceAccountToken: "false"}, Runner: runner}}
}

// runs is the directory that holds one run for each runner.
func (s *Settings) runs() string { return results + "/" + s.RunID }

// merge is the job that makes one run of them. Its status is that of the assessment.
func (s *Settings) merge() *job {
	whole := s.runs() + "-whole"
	return &job{object: s.object("batch/v1", "Job", "-merge"), Spec: jobSpec{Template: template{podSpec{RestartPolicy: "Never", ServiceAccountName: s.Name + "-runner",
		SecurityContext: harmless(), Volumes: s.volumes(), Containers: []container{{Name: "assay", Image: s.Image, SecurityContext: narrow(), VolumeMounts: mounts(),
			Command: []string{"sh", "-c", fmt.Sprintf("%s && assay assess %s", s.joining(whole), whole)}}}}}}}
}

// joining is the command that makes the whole; one runner left the whole itself.
func (s *Settings) joining(whole string) string {
	if s.Parallelism == 1 {
		return fmt.Sprintf("cp -R %s/* %s", s.runs(), whole)
	}
	return fmt.Sprintf("assay merge %s/* --out %s", s.runs(), whole)
}

func (s *Settings) volumes() []volume { return []volume{{"results", claim{s.Name + "-results"}}} }

func mounts() []mount { return []mount{{"results", results}} }

func harmless() *podSecurity {
	return &podSecurity{RunAsNonRoot: true, RunAsUser: user, RunAsGroup: user, FSGroup: user, SeccompProfile: profile{"RuntimeDefault"}}
}

func narrow() *containerSecurity {
	return &containerSecurity{Capabilities: capabilities{Drop: []string{"ALL"}}}
}
