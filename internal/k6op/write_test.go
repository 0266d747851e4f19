package k6op

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/assay-dev/assay/internal/script"
)

// crdTestRun has the fields of the operator's v1alpha1 type, by their names there.
type crdTestRun struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Script struct {
			VolumeClaim struct {
				Name, File string
				ReadOnly   bool
			}
			ConfigMap struct{ Name, File string }
			LocalFile string
		}
		Parallelism int32
		Separate    bool
		Arguments   string
		Ports       []corev1.ContainerPort
		Initializer *crdPod
		Starter     crdPod
		Runner      crdPod
		Quiet       string
		Paused      string
		Cleanup     string
	}
}

type crdPod struct {
	Disabled                     bool
	Affinity                     *corev1.Affinity
	AutomountServiceAccountToken string
	Env                          []corev1.EnvVar
	Image                        string
	ImagePullSecrets             []corev1.LocalObjectReference
	ImagePullPolicy              corev1.PullPolicy
	NodeSelector                 map[string]string
	Tolerations                  []corev1.Toleration
	TopologySpreadConstraints    []corev1.TopologySpreadConstraint
	Resources                    corev1.ResourceRequirements
	ServiceAccountName           string
	SecurityContext              corev1.PodSecurityContext
	ContainerSecurityContext     corev1.SecurityContext
	EnvFrom                      []corev1.EnvFromSource
	Volumes                      []corev1.Volume
	VolumeMounts                 []corev1.VolumeMount
}

// strict decodes each document of a file into the type of its kind, which must know every field.
func strict(t *testing.T, f File) (out []any) {
	t.Helper()
	for _, doc := range strings.Split(string(f.Data), "\n---\n") {
		raw, err := yaml.YAMLToJSONStrict([]byte(doc))
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		var head struct{ APIVersion, Kind string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		o := map[string]any{"v1 ConfigMap": &corev1.ConfigMap{}, "v1 PersistentVolumeClaim": &corev1.PersistentVolumeClaim{}, "v1 ServiceAccount": &corev1.ServiceAccount{},
			"rbac.authorization.k8s.io/v1 Role": &rbacv1.Role{}, "rbac.authorization.k8s.io/v1 RoleBinding": &rbacv1.RoleBinding{}, "batch/v1 Job": &batchv1.Job{},
			"k6.io/v1alpha1 TestRun": &crdTestRun{}}[head.APIVersion+" "+head.Kind]
		if o == nil {
			t.Fatalf("%s: no type for %+v", f.Path, head)
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(o); err != nil {
			t.Fatalf("%s: %v in\n%s", f.Path, err, doc)
		}
		out = append(out, o)
	}
	return out
}

const chat = "import { check } from 'k6';\nimport { a } from './lib.js';\n\nexport default function () {\n\tcheck(a, { 'is: a': (a) => a === \"#\" });\n}\n"

func settings() Settings {
	return Settings{Name: "chat", Namespace: "load", Image: "registry.local/assay-k6:1", Parallelism: 4, RunID: "00112233445566aa",
		Files: []script.File{{Path: "s/chat.js", Data: []byte(chat)}, {Path: "s/lib.js", Data: []byte("export const a = 1;")}, {Path: "s/cat.png", Data: []byte{0x89, 'P', 0, 0xff}}},
		Env:   map[string]string{"ASSAY_URL": "http://model.prod.svc:8000", "TOPIC": "yes", "ZONE": "{a: \"b\"}"}, Secret: "model-token/token",
		Args: []string{"--tag", "release=r7"}, Storage: "10Gi", CPU: "1", Memory: "512Mi"}
}

// TestWrite compares what is written with the golden files, and has the API's own types read it.
func TestWrite(t *testing.T) {
	files, err := Write(settings())
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]any{}
	for _, f := range files {
		golden := filepath.Join("testdata", filepath.Base(f.Path))
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Path, diff)
		}
		if f.Path != "Dockerfile" {
			objects[f.Path] = strict(t, f)
		}
	}

	c := objects["configmap.yaml"][0].(*corev1.ConfigMap)
	if diff := cmp.Diff(map[string]string{"chat.js": chat, "lib.js": "export const a = 1;"}, c.Data); diff != "" || string(c.BinaryData["cat.png"]) != "\x89P\x00\xff" {
		t.Errorf("the script does not come back, %q (-want +got):\n%s", c.BinaryData, diff)
	}
	run := objects["testrun.yaml"][0].(*crdTestRun)
	if run.Spec.Parallelism != 4 || run.Spec.Script.ConfigMap != struct{ Name, File string }{c.Name, "chat.js"} ||
		run.Spec.Arguments != "--out assay=/results/00112233445566aa/{host} --summary-mode=disabled --tag release=r7" {
		t.Errorf("test run %+v", run.Spec)
	}
	env := map[string]string{}
	for _, e := range run.Spec.Runner.Env {
		if env[e.Name] = e.Value; e.ValueFrom != nil {
			env[e.Name] = "secret " + e.ValueFrom.SecretKeyRef.Name + " " + e.ValueFrom.SecretKeyRef.Key
		}
	}
	if diff := cmp.Diff(map[string]string{"ASSAY_RUN_ID": "00112233445566aa", "ASSAY_RUN_NAME": "chat", "K6_NO_USAGE_REPORT": "true", "ASSAY_URL": "http://model.prod.svc:8000", "TOPIC": "yes",
		"ZONE": "{a: \"b\"}", "ASSAY_TOKEN": "secret model-token token"}, env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	merge := objects["after/merge.yaml"][0].(*batchv1.Job).Spec.Template.Spec
	claims := []string{objects["results.yaml"][0].(*corev1.PersistentVolumeClaim).Name, run.Spec.Runner.Volumes[0].PersistentVolumeClaim.ClaimName, merge.Volumes[0].PersistentVolumeClaim.ClaimName}
	if claims[0] != claims[1] || claims[1] != claims[2] || merge.Containers[0].VolumeMounts[0].MountPath != run.Spec.Runner.VolumeMounts[0].MountPath {
		t.Errorf("the results lie on %q", claims)
	}
	accounts := objects["rbac.yaml"]
	runner := accounts[0].(*corev1.ServiceAccount)
	if *runner.AutomountServiceAccountToken || run.Spec.Runner.ServiceAccountName != runner.Name || run.Spec.Runner.AutomountServiceAccountToken != "false" {
		t.Errorf("the runners' account has a token: %+v", runner)
	}
	for _, r := range accounts[2].(*rbacv1.Role).Rules {
		for _, v := range append(append(r.Verbs, r.Resources...), r.APIGroups...) {
			if v == "*" || v == "secrets" {
				t.Errorf("rule %+v allows too much", r)
			}
		}
	}
	if b := accounts[3].(*rbacv1.RoleBinding); b.RoleRef.Name != accounts[2].(*rbacv1.Role).Name || b.Subjects[0].Name != accounts[1].(*corev1.ServiceAccount).Name || b.Subjects[0].Namespace != "load" {
		t.Errorf("binding %+v", b)
	}
}

// TestSettings has each setting change something, and wrong ones refused.
func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Settings)
		file   string
		want   string
	}{
		"separate": {func(s *Settings) { s.Separate = true }, "testrun.yaml", "separate: true"},
		"class":    {func(s *Settings) { s.Class = "nfs" }, "results.yaml", "storageClassName: nfs"},
		"storage":  {func(s *Settings) { s.Storage = "7Gi" }, "results.yaml", `storage: "7Gi"`},
		"one":      {func(s *Settings) { s.Parallelism = 1 }, "merge.yaml", "cp -R /results/00112233445566aa/* /results/00112233445566aa-whole"},
		"modest":   {func(s *Settings) { s.CPU, s.Memory = "", "" }, "testrun.yaml", "serviceAccountName"},
	} {
		s := settings()
		tt.change(&s)
		files, err := Write(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f.Path, tt.file) && !strings.Contains(string(f.Data), tt.want) || name == "modest" && strings.Contains(string(f.Data), "cpu:") {
				t.Errorf("%s: want %s in\n%s", name, tt.want, f.Data)
			}
		}
	}
	for want, change := range map[string]func(*Settings){
		`name "Chat": want`:            func(s *Settings) { s.Name = "Chat" },
		`namespace "": want`:           func(s *Settings) { s.Namespace = "" },
		"image: name the one":          func(s *Settings) { s.Image = "" },
		"parallelism 0: want":          func(s *Settings) { s.Parallelism = 0 },
		`run id "x": want 16`:          func(s *Settings) { s.RunID = "x" },
		`argument "a b": the operator`: func(s *Settings) { s.Args = []string{"a b"} },
		`token secret "x": want`:       func(s *Settings) { s.Secret = "x" },
		"lies in another directory":    func(s *Settings) { s.Files[1].Path = "s/lib/a.js" },
		"cannot be a key":              func(s *Settings) { s.Files[1].Path = "s/ä.js" },
		"the most that a ConfigMap":    func(s *Settings) { s.Files[1].Data = make([]byte, maxConfig) },
	} {
		s := settings()
		change(&s)
		if _, err := Write(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestVersions holds that the image is built with the Go that the modules ask for.
func TestVersions(t *testing.T) {
	for _, path := range []string{"../../go.mod", "../../loadgen/k6/go.mod"} {
		mod, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mod), "\ngo "+goVersion+"\n") {
			t.Errorf("%s asks for another Go than %s", path, goVersion)
		}
	}
}

// FuzzConfig holds that a script comes back from its ConfigMap as it was, whatever is in it.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{chat, "", " leading", "trailing \n\n", "- a\n- b", "a: b", "\ttab\n  two\n", "'", "null", "~", "123", "0o7", "1_0", "\x00", "a\x85b\n", "\ufeffx\n", "\r\n", "\u2028", "| x", "a\n\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := settings()
		s.Files = []script.File{{Path: "chat.js", Data: data}}
		files, err := Write(s)
		if err != nil {
			return
		}
		c := strict(t, files[1])[0].(*corev1.ConfigMap)
		if got := c.Data["chat.js"] + string(c.BinaryData["chat.js"]); got != string(data) {
			t.Errorf("%q came back as %q from\n%s", data, got, files[1].Data)
		}
	})
}
