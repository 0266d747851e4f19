package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// A cluster is a stand-in for an API server with its controllers. It keeps objects by their paths, with versions, generations and dry runs, and carries
// out JSON patches as the real one does. Its Deployments and Knative services make pods, its quotas refuse them, and its Jobs run their commands, as
// processes of this machine, through a kubectl of ours. Cut off, it answers nobody but its own Jobs.
type standCluster struct {
	t        *testing.T
	url      string // for those outside
	config   string // kubeconfig for them
	bin      string // where the Jobs find kubectl
	mu       sync.Mutex
	objects  map[string]map[string]any
	version  int
	deny     map[string]bool // rights that are denied: "patch deployments"
	cut      bool
	idle     bool // jobs do not start
	invalid  bool // no patch is taken
	asked    int  // how many were not
	onChange func(path string, object map[string]any)
	jobs     map[string]*exec.Cmd
	wg       sync.WaitGroup
}

const ns = "models"

func newCluster(t *testing.T) *standCluster {
	c := &standCluster{t: t, objects: map[string]map[string]any{}, deny: map[string]bool{}, jobs: map[string]*exec.Cmd{}, bin: t.TempDir()}
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		cut := c.cut
		c.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		c.ServeHTTP(w, r)
	}))
	inside := httptest.NewServer(c)
	c.url = outside.URL
	t.Cleanup(func() {
		c.mu.Lock()
		for _, cmd := range c.jobs {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		c.mu.Unlock()
		c.wg.Wait()
		outside.Close()
		inside.Close()
	})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nASSAY_CHAOS_ROLE=kubectl ASSAY_CHAOS_CONFIG=%s exec %q \"$@\"\n", inside.URL, exe)
	if err := os.WriteFile(filepath.Join(c.bin, "kubectl"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c.config = filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("current-context: here\ncontexts: [{name: here, context: {cluster: c, user: u, namespace: %s}}]\nclusters: [{name: c, cluster: {server: %q}}]\n"+
		"users: [{name: u, user: {token: let-me-in}}]\n", ns, c.url)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.put("/api/v1/namespaces/models/serviceaccounts/expiry", `{"kind":"ServiceAccount"}`)
	return c
}

// kubectlMain is the kubectl of the cluster's Jobs.
func kubectlMain() {
	args, base := os.Args[1:], os.Getenv("ASSAY_CHAOS_CONFIG")
	kind, name, _ := strings.Cut(args[3], "/")
	plural, group, _ := strings.Cut(kind, ".")
	path := map[string]string{"": "/api/v1", "apps": "/apis/apps/v1", "autoscaling": "/apis/autoscaling/v2", "serving.knative.dev": "/apis/serving.knative.dev/v1", "serving.kserve.io": "/apis/serving.kserve.io/v1beta1",
		"networking.k8s.io": "/apis/networking.k8s.io/v1"}[group] + "/namespaces/" + args[1] + "/" + plural + "/" + name
	method, body := http.MethodDelete, ""
	if args[2] == "patch" {
		method, body = http.MethodPatch, args[6]
	}
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json-patch+json")
	req.Header.Set("Authorization", "Bearer let-me-in")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode/100 != 2 {
		os.Exit(1)
	}
	os.Exit(0)
}

// put makes or replaces an object, as somebody else does.
func (c *standCluster) put(path, text string) {
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(path, o)
}

func (c *standCluster) add(path string, o map[string]any) {
	meta, _ := o["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		o["metadata"] = meta
	}
	c.version++
	meta["name"], meta["uid"] = path[strings.LastIndex(path, "/")+1:], fmt.Sprint("uid-", c.version)
	meta["creationTimestamp"] = time.Now().UTC().Format(time.RFC3339)
	meta["generation"], meta["resourceVersion"] = 1.0, fmt.Sprint(c.version)
	c.objects[path] = o
}

// get returns a copy of an object as it is, without what changes of itself.
func (c *standCluster) get(path string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := clone(c.objects[path])
	if o == nil {
		return nil
	}
	delete(o, "status")
	meta := o["metadata"].(map[string]any)
	for _, k := range []string{"generation", "resourceVersion", "creationTimestamp"} {
		delete(meta, k)
	}
	template, _ := lookupAny(o, "/spec/template/metadata").(map[string]any)
	predictor, _ := lookupAny(o, "/spec/predictor").(map[string]any)
	for _, m := range []map[string]any{meta, template, predictor} {
		if a, ok := m["annotations"].(map[string]any); ok && len(a) == 0 {
			delete(m, "annotations") // the API server leaves out what is empty
		}
	}
	return o
}

// names lists what is there of a collection.
func (c *standCluster) names(plural string) (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.objects {
		if strings.Contains(path, "/"+plural+"/") {
			out = append(out, path[strings.LastIndex(path, "/")+1:])
		}
	}
	slices.Sort(out)
	return out
}

func clone(o map[string]any) map[string]any {
	if o == nil {
		return nil
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(asJSON(o)), &out); err != nil {
		panic(err)
	}
	return out
}

func (c *standCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fail := func(status int, text string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "reason": http.StatusText(status), "message": text})
	}
	if r.Header.Get("Authorization") != "Bearer let-me-in" {
		fail(http.StatusUnauthorized, "Unauthorized")
		return
	}
	raw, _ := io.ReadAll(r.Body)
	dry := r.URL.Query().Get("dryRun") == "All"
	path := r.URL.Path
	last := path[strings.LastIndex(path, "/")+1:]
	switch {
	case strings.HasSuffix(path, "accessreviews"):
		var in any
		json.Unmarshal(raw, &in)
		what := at(in, "/spec/resourceAttributes/verb") + " " + at(in, "/spec/resourceAttributes/resource")
		if u := at(in, "/spec/user"); u != "" {
			what = "account " + what
		}
		json.NewEncoder(w).Encode(map[string]any{"status": map[string]any{"allowed": !c.deny[what]}})
	case r.Method == http.MethodPost:
		var o map[string]any
		if err := json.Unmarshal(raw, &o); err != nil {
			fail(http.StatusBadRequest, err.Error())
			return
		}
		name := at(o, "/metadata/name")
		if name == "" {
			name = at(o, "/metadata/generateName") + "x"
		}
		at0 := path + "/" + name
		switch {
		case c.objects[at0] != nil:
			fail(http.StatusConflict, name+" already exists")
			return
		case last == "pods" && c.overQuota() != "":
			fail(http.StatusForbidden, fmt.Sprintf("pods %q is forbidden: exceeded quota: %s", name, c.overQuota()))
			return
		case dry:
			o = clone(o)
			o["metadata"].(map[string]any)["creationTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		default:
			c.add(at0, o)
			if last == "jobs" && !c.idle {
				c.runJob(at0, o)
			}
		}
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(o)
	case r.Method == http.MethodPatch:
		o := c.objects[path]
		if o == nil {
			fail(http.StatusNotFound, path+" not found")
			return
		}
		if r.Header.Get("Content-Type") != "application/json-patch+json" {
			fail(http.StatusUnsupportedMediaType, "what is this")
			return
		}
		if c.invalid {
			c.asked++
			fail(http.StatusUnprocessableEntity, "it is invalid")
			return
		}
		next, err := patchJSON(o, raw)
		if err != nil {
			fail(http.StatusUnprocessableEntity, "the server rejected our request due to an error in our request: "+err.Error())
			return
		}
		if !dry {
			c.replace(path, next)
		}
		json.NewEncoder(w).Encode(next)
	case r.Method == http.MethodDelete && c.objects[path] != nil:
		c.remove(path)
		w.Write([]byte("{}"))
	case r.Method == http.MethodDelete && last == "pods":
		for p, o := range maps.Clone(c.objects) {
			if strings.HasPrefix(p, path+"/") && selects(r.URL.Query().Get("labelSelector"), o) {
				delete(c.objects, p)
			}
		}
		w.Write([]byte("{}"))
	case r.Method == http.MethodGet:
		c.control()
		if o := c.objects[path]; o != nil {
			json.NewEncoder(w).Encode(o)
			return
		}
		if c.deny["list "+last] {
			fail(http.StatusForbidden, "you may not list "+last)
			return
		}
		if !slices.Contains([]string{"pods", "horizontalpodautoscalers", "deployments", "services", "inferenceservices", "jobs", "resourcequotas", "networkpolicies", "v1"}, last) {
			fail(http.StatusNotFound, path+" not found")
			return
		}
		items := []any{}
		for _, p := range slices.Sorted(maps.Keys(c.objects)) {
			if strings.HasPrefix(p, path+"/") && selects(r.URL.Query().Get("labelSelector"), c.objects[p]) {
				items = append(items, c.objects[p])
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
	default:
		fail(http.StatusNotFound, r.Method+" "+path+" not found")
	}
}

// replace puts an object in the place of the one before it.
func (c *standCluster) replace(path string, next map[string]any) {
	meta := next["metadata"].(map[string]any)
	c.version++
	meta["resourceVersion"] = fmt.Sprint(c.version)
	if asJSON(next["spec"]) != asJSON(c.objects[path]["spec"]) {
		meta["generation"] = meta["generation"].(float64) + 1
	}
	c.objects[path] = next
	if c.onChange != nil {
		c.onChange(path, next)
	}
}

func (c *standCluster) remove(path string) {
	delete(c.objects, path)
	if cmd := c.jobs[path]; cmd != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		delete(c.jobs, path)
		delete(c.objects, "/api/v1/namespaces/models/pods/"+path[strings.LastIndex(path, "/")+1:]+"-pod")
	}
}

func selects(selector string, o map[string]any) bool {
	for _, term := range strings.Split(selector, ",") {
		k, v, _ := strings.Cut(term, "=")
		if term != "" && at(o, pointer("metadata", "labels", k)) != v {
			return false
		}
	}
	return true
}

// runJob runs the command of a Job as its pod would.
func (c *standCluster) runJob(path string, o map[string]any) {
	box := list(o, "/spec/template/spec/containers")[0]
	var args []string
	for _, a := range list(box, "/command") {
		args = append(args, a.(string))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + c.bin + ":/usr/bin:/bin"}
	for _, e := range list(box, "/env") {
		cmd.Env = append(cmd.Env, at(e, "/name")+"="+at(e, "/value"))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.t.Error(err)
		return
	}
	c.jobs[path] = cmd
	c.wg.Go(func() { cmd.Wait() })
	name := at(o, "/metadata/name")
	c.add("/api/v1/namespaces/models/pods/"+name+"-pod", map[string]any{"metadata": map[string]any{"labels": map[string]any{"job-name": name}},
		"status": map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{"state": map[string]any{"running": map[string]any{}}}}}})
}

// overQuota returns the quota that refuses a new pod, or "".
func (c *standCluster) overQuota() string {
	for path, o := range c.objects {
		if strings.Contains(path, "/resourcequotas/") {
			if hard, _ := strconv.Atoi(at(o, "/spec/hard/pods")); c.count() >= hard {
				return path[strings.LastIndex(path, "/")+1:]
			}
		}
	}
	return ""
}

// count returns how many pods serve.
func (c *standCluster) count() (n int) {
	for path, o := range c.objects {
		if strings.Contains(path, "/pods/") && at(o, "/metadata/labels/app") != "" {
			n++
		}
	}
	return n
}

// control lets each controller take one step.
func (c *standCluster) control() {
	for _, path := range slices.Sorted(maps.Keys(c.objects)) {
		o := c.objects[path]
		switch {
		case strings.Contains(path, "/resourcequotas/"):
			o["status"] = map[string]any{"hard": lookupAny(o, "/spec/hard"), "used": map[string]any{"pods": fmt.Sprint(c.count())}}
		case path == deploymentPath:
			c.roll(o, int(number(o, "/spec/replicas")))
		case strings.Contains(path, "/serving.knative.dev/"):
			n := 2
			if most, err := strconv.Atoi(at(o, "/spec/template/metadata/annotations/autoscaling.knative.dev~1max-scale")); err == nil && most > 0 {
				n = min(n, most)
			}
			c.roll(o, n)
		case path == isvcPath: // its pods are made by what it makes, which is not looked at here
			n := int64(2)
			if most := number(o, "/spec/predictor/maxReplicas"); most > 0 {
				n = min(n, most)
			}
			for i := int64(c.count()); i < n; i++ {
				c.add(fmt.Sprintf("/api/v1/namespaces/models/pods/llm-%d", c.version), map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "llm"}},
					"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}})
			}
			for p := range maps.Clone(c.objects) {
				if strings.Contains(p, "/pods/llm-") && int64(c.count()) > n {
					delete(c.objects, p)
				}
			}
			conditions := []any{}
			if strings.Contains(at(o, "/spec/predictor/model/image"), "invalid") {
				conditions = append(conditions, map[string]any{"type": "PredictorReady", "status": "False", "reason": "RevisionFailed", "message": "Unable to fetch image"})
			}
			o["status"] = map[string]any{"observedGeneration": lookupAny(o, "/metadata/generation"), "conditions": conditions}
		case strings.Contains(path, "/horizontalpodautoscalers/"):
			d := c.objects["/apis/apps/v1/namespaces/models/deployments/"+at(o, "/spec/scaleTargetRef/name")]
			if n := number(d, "/spec/replicas"); n > number(o, "/spec/maxReplicas") {
				d["spec"].(map[string]any)["replicas"] = lookupAny(o, "/spec/maxReplicas")
			} else if least := number(o, "/spec/minReplicas"); n > 0 && n < least {
				d["spec"].(map[string]any)["replicas"] = float64(least)
			}
		}
	}
}

func lookupAny(o any, p string) any {
	v, _ := lookup(o, p)
	return v
}

// roll brings the pods of a workload one step nearer to its template and number.
func (c *standCluster) roll(o map[string]any, want int) {
	template := asJSON(lookupAny(o, "/spec/template"))
	var good, old []string
	for path, p := range c.objects {
		if strings.Contains(path, "/pods/") && at(p, "/metadata/labels/app") != "" {
			if p["template"] == template {
				good = append(good, path)
			} else {
				old = append(old, path)
			}
		}
	}
	slices.Sort(good)
	slices.Sort(old)
	slices.SortStableFunc(old, func(a, b string) int {
		return map[bool]int{true: 1}[pod{c.objects[a]}.ready()] - map[bool]int{true: 1}[pod{c.objects[b]}.ready()]
	})
	ready := 0
	for _, p := range good {
		if (pod{c.objects[p]}).ready() {
			ready++
		}
	}
	switch {
	case len(old) > 0 && (ready+len(old) > want || !(pod{c.objects[old[0]]}).ready()):
		delete(c.objects, old[0])
	case len(good) > want:
		delete(c.objects, good[len(good)-1])
	case len(good) < want && len(good)+len(old) <= want && c.overQuota() == "":
		var t map[string]any
		json.Unmarshal([]byte(template), &t)
		p := map[string]any{"metadata": lookupAny(t, "/metadata"), "spec": t["spec"], "template": template}
		waiting := ""
		box := list(p, "/spec/containers")[0]
		if strings.Contains(at(box, "/image"), "invalid") {
			waiting = "ErrImagePull"
		}
		for _, e := range list(box, "/env") {
			if strings.HasSuffix(at(e, "/valueFrom/secretKeyRef/name"), denied) {
				waiting = "CreateContainerConfigError"
			}
		}
		state, is := map[string]any{"running": map[string]any{}}, "True"
		if waiting != "" {
			state, is = map[string]any{"waiting": map[string]any{"reason": waiting}}, "False"
		}
		p["status"] = map[string]any{"phase": "Running", "conditions": []any{map[string]any{"type": "Ready", "status": is}}, "containerStatuses": []any{map[string]any{"state": state}}}
		c.add(fmt.Sprintf("/api/v1/namespaces/models/pods/llm-%d", c.version), p)
	}
	o["status"] = map[string]any{"observedGeneration": lookupAny(o, "/metadata/generation"), "replicas": float64(len(good) + len(old))}
}

// patchJSON carries out a JSON patch.
func patchJSON(o map[string]any, raw []byte) (map[string]any, error) {
	var ops []operation
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&ops); err != nil {
		return nil, err
	}
	o = clone(o)
	for _, op := range ops {
		keys := keysOf(op.Path)
		parent, ok := lookup(o, pointer(keys[:len(keys)-1]...))
		if !ok {
			return nil, fmt.Errorf("%s of %s: nothing is above it", op.Op, op.Path)
		}
		var v any
		json.Unmarshal(op.Value, &v)
		now, there := lookup(o, op.Path)
		key := keys[len(keys)-1]
		switch {
		case op.Op == "test" && (!there || !sameJSON([]byte(asJSON(now)), op.Value)):
			return nil, fmt.Errorf("test of %s failed", op.Path)
		case op.Op == "test":
		case !there && op.Op != "add":
			return nil, fmt.Errorf("%s of %s: it is not there", op.Op, op.Path)
		default:
			switch x := parent.(type) {
			case map[string]any:
				if x[key] = v; op.Op == "remove" {
					delete(x, key)
				}
			case []any:
				i, err := strconv.Atoi(key)
				if err != nil || op.Op != "replace" {
					return nil, fmt.Errorf("%s of %s: not in this stand-in", op.Op, op.Path)
				}
				x[i] = v
			}
		}
	}
	return o, nil
}

const deploymentPath = "/apis/apps/v1/namespaces/models/deployments/llm"

// deploy makes a Deployment of two pods, with a secret in plain sight, and waits for the pods.
func (c *standCluster) deploy() {
	c.put(deploymentPath, `{"kind":"Deployment","metadata":{"annotations":{"team":"a"}},"spec":{"replicas":2,"template":{"metadata":{"labels":{"app":"llm"}},"spec":{
	  "volumes":[{"name":"v","secret":{"secretName":"tokens"}}],
	  "containers":[{"name":"server","image":"registry/llm:1","env":[{"name":"WEIGHTS","value":"s3://hush-hush"},{"name":"HF_TOKEN","valueFrom":{"secretKeyRef":{"name":"tokens","key":"hf"}}}]}]}}}}`)
	c.settle()
}

func (c *standCluster) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 20 {
		c.control()
	}
}

// driver returns the driver for the cluster, which looks often and waits a little.
func (c *standCluster) driver() *Kubernetes {
	return standDriver(c.config, "deployment/llm")
}

func standDriver(config, workload string) *Kubernetes {
	api, err := kube.Find(config, "")
	if err != nil {
		panic(err)
	}
	return &Kubernetes{API: api, Namespace: ns, Workload: workload, Pods: "app=llm", RunID: "r1", Patience: 5 * time.Second, Flight: 100 * time.Millisecond, Poll: 5 * time.Millisecond,
		Expiry: &Expiry{Image: "tools/kubectl:1", ServiceAccount: "expiry", Start: 2 * time.Second, Grace: time.Second}}
}
