package meshtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// Namespace is where the pods are.
const Namespace = "serving"

// A Cluster is one for a test.
type Cluster struct {
	t       testing.TB
	backend http.Handler
	outside *httptest.Server
	inside  *httptest.Server
	api     *kube.Client // past the front

	mu     sync.Mutex
	pods   map[string]*Pod
	made   int
	named  int               // objects that the controller has made
	notes  map[string]string // annotations of the namespace
	denied map[string]bool   // rights that are denied: "create networkchaos"
	down   bool
	behave Behaviour
	expire map[string]bool // objects whose duration is over
	force  map[string]bool // paths of objects whose fault is in force
	writes int             // requests that write, except questions for rights
	stop   chan struct{}
	wg     sync.WaitGroup
}

// A Pod is one pod of the cluster.
type Pod struct {
	Name, UID   string
	HostNetwork bool
	Unready     bool
}

// New starts a cluster with so many pods app=vllm. A nil backend is a small store. It ends with the test.
func New(t testing.TB, backend http.Handler, pods int) *Cluster {
	c := &Cluster{t: t, backend: backend, pods: map[string]*Pod{}, notes: map[string]string{}, denied: map[string]bool{}, expire: map[string]bool{},
		force: map[string]bool{}, stop: make(chan struct{})}
	if backend == nil {
		c.backend = newStore()
	}
	c.inside = httptest.NewServer(c.backend)
	c.api = &kube.Client{Server: c.inside.URL, HTTP: &http.Client{}}
	c.outside = httptest.NewServer(http.HandlerFunc(c.front))
	for range pods {
		c.add()
	}
	t.Cleanup(func() {
		close(c.stop)
		c.wg.Wait()
		c.outside.Close()
		c.inside.Close()
	})
	return c
}

// URL is that of the API server.
func (c *Cluster) URL() string { return c.outside.URL }

// Kubeconfig writes a kubeconfig into dir and returns its path.
func (c *Cluster) Kubeconfig(dir string) string {
	path := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf("current-context: test\ncontexts: [{name: test, context: {cluster: c, user: u, namespace: %s}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: hush}}]\n", Namespace, c.URL())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// add makes a pod.
func (c *Cluster) add() *Pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	p := &Pod{Name: fmt.Sprintf("vllm-%d", c.made), UID: fmt.Sprintf("uid-%d", c.made)}
	c.pods[p.Name] = p
	return p
}

// Change calls f on the pod, if it is there.
func (c *Cluster) Change(name string, f func(*Pod)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pods[name]; p != nil {
		f(p)
	}
}

// Replace deletes a pod, and makes another as its owner would.
func (c *Cluster) Replace(name string) {
	c.mu.Lock()
	_, ok := c.pods[name]
	delete(c.pods, name)
	c.mu.Unlock()
	if ok {
		c.add()
	}
}

// Annotate sets an annotation of the namespace.
func (c *Cluster) Annotate(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[name] = value
}

// Deny takes a right away: "create networkchaos".
func (c *Cluster) Deny(right string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[right] = true
}

// Cut makes the API server unreachable, or reachable again. The controller goes on.
func (c *Cluster) Cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// Behave sets how the controller treats objects from here on.
func (c *Cluster) Behave(b Behaviour) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behave = b
}

// Expire lets the duration of every object that is there be over.
func (c *Cluster) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.force {
		c.expire[path] = true
	}
}

// InForce lists the names of the objects whose fault is in force.
func (c *Cluster) InForce() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for path := range c.force {
		names = append(names, path[strings.LastIndex(path, "/")+1:])
	}
	slices.Sort(names)
	return names
}

// Names lists the names of the objects of a kind that there are, whether or not the API server answers others.
func (c *Cluster) Names(kind string) []string {
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	for c.api.Get(context.Background(), mesh.Collection(Namespace, kind), &list) != nil && c.pause(step) { // a server that is young refuses
	}
	var names []string
	for _, o := range list.Items {
		names = append(names, o.Metadata.Name)
	}
	slices.Sort(names)
	return names
}

// Writes returns how many requests have written anything.
func (c *Cluster) Writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// front answers what the backend does not hold, and passes the rest on.
func (c *Cluster) front(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	down := c.down
	if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "selfsubjectaccessreviews") {
		c.writes++
	}
	c.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case strings.HasPrefix(r.URL.Path, "/apis/chaos-mesh.org/"):
		c.pass(w, r)
	case strings.Contains(r.URL.Path, "selfsubjectaccessreviews"):
		c.review(w, r)
	case len(parts) == 4 && parts[2] == "namespaces" && parts[3] == Namespace:
		c.mu.Lock()
		defer c.mu.Unlock()
		answer(w, map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": Namespace, "annotations": c.notes}})
	case len(parts) == 5 && parts[4] == "pods" && parts[3] == Namespace:
		c.mu.Lock()
		defer c.mu.Unlock()
		items := []any{}
		if s := r.URL.Query().Get("labelSelector"); s == "" || s == "app=vllm" {
			for _, p := range c.pods {
				items = append(items, p.object())
			}
		}
		answer(w, map[string]any{"kind": "PodList", "items": items})
	case len(parts) == 6 && parts[4] == "pods" && parts[3] == Namespace:
		c.mu.Lock()
		defer c.mu.Unlock()
		if p := c.pods[parts[5]]; p != nil {
			answer(w, p.object())
			return
		}
		refuse(w, http.StatusNotFound, "NotFound")
	default:
		refuse(w, http.StatusNotFound, "NotFound")
	}
}

func (p *Pod) object() map[string]any {
	ready := "True"
	if p.Unready {
		ready = "False"
	}
	return map[string]any{"kind": "Pod", "metadata": map[string]any{"name": p.Name, "namespace": Namespace, "uid": p.UID, "labels": map[string]string{"app": "vllm"}},
		"spec": map[string]any{"hostNetwork": p.HostNetwork}, "status": map[string]any{"podIP": "10.0.0.1", "conditions": []any{map[string]string{"type": "Ready", "status": ready}}}}
}

// review says whether a right is there.
func (c *Cluster) review(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Spec struct {
			ResourceAttributes struct{ Verb, Resource string } `json:"resourceAttributes"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := q.Spec.ResourceAttributes
	answer(w, map[string]any{"kind": "SelfSubjectAccessReview", "status": map[string]bool{"allowed": !c.denied[a.Verb+" "+a.Resource]}})
}

// pass hands a request to the backend. What it creates there is the controller's from then on.
func (c *Cluster) pass(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	c.backend.ServeHTTP(rec, r)
	if r.Method == http.MethodPost && rec.Code/100 == 2 {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if json.Unmarshal(rec.Body.Bytes(), &o) == nil {
			c.start(mesh.Collection(Namespace, o.Kind)+"/"+o.Metadata.Name, o.Kind, "", "", c.behaviour())
		}
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (c *Cluster) behaviour() Behaviour {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behave
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": status})
}

// pause waits, or reports that the cluster ends.
func (c *Cluster) pause(d time.Duration) bool {
	select {
	case <-c.stop:
		return false
	case <-time.After(d):
		return true
	}
}
