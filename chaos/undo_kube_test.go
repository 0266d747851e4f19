package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/mesh"
)

// object is an API server that holds one object.
type object struct {
	sync.Mutex
	json  string // "" when it is gone
	asked []string
	on    func(o *object, method string)
}

func (o *object) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.Lock()
	defer o.Unlock()
	b, _ := io.ReadAll(r.Body)
	if o.on != nil {
		o.on(o, r.Method)
	}
	if len(o.asked) == 0 || o.asked[len(o.asked)-1] != r.Method+" "+r.URL.Path {
		o.asked = append(o.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(b)))
	}
	if o.json == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	io.WriteString(w, o.json)
}

// kubeconfig writes a kubeconfig for a server.
func kubeconfig(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u, namespace: serving}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: hush}}]\n", url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUndoInACluster(t *testing.T) {
	o := &object{}
	srv := httptest.NewServer(o)
	defer srv.Close()
	config := kubeconfig(t, srv.URL)
	del := Undo{ID: "f", Kind: UndoKube, Kubeconfig: config, Method: "DELETE", Path: "/apis/g/v1/x/a", Want: Gone}
	patch := Undo{ID: "f", Kind: UndoKube, Kubeconfig: config, Method: "PATCH", Path: "/apis/g/v1/x/a", Body: `{"spec":{"replicas":2}}`, Want: `{"spec":{"replicas":2},"metadata":{"annotations":{"n":null}}}`}
	marked := del
	marked.Finalizer = "keep"
	mine := del
	mine.Labels = map[string]string{mesh.RunLabel: "r", mesh.FaultLabel: "f"}
	late := del
	late.Expires = time.Now().Add(time.Hour).UnixNano()
	over := del
	over.Expires = 1
	at := time.Unix(0, late.Expires).UTC().Format(time.TimeOnly)
	for _, tc := range []struct {
		name, json string
		on         func(o *object, method string)
		undo       Undo
		away       string
		asked      []string
	}{
		{"gone before", "", nil, del, "", []string{"GET /apis/g/v1/x/a"}},
		{"goes", `{}`, func(o *object, m string) {
			if m == "DELETE" {
				o.json = ""
			}
		}, del, "", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"stays", `{}`, nil, late, "/apis/g/v1/x/a is still there; it may remain until the cluster ends it at " + at + " UTC", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"stays too long", `{}`, nil, over, "/apis/g/v1/x/a is still there; the cluster was to end it at 00:00:00 UTC, which is not verified", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"held", `{"metadata":{"deletionTimestamp":"2026-01-02T03:04:05Z","finalizers":["keep","other"]}}`, nil, del, "is not recovered: it was deleted", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"its finalizer is awaited", fmt.Sprintf(`{"metadata":{"creationTimestamp":%q}}`, time.Now().Format(time.RFC3339)), func(o *object, m string) {
			switch {
			case m == "DELETE" && strings.Contains(o.json, "keep"):
				o.json = ""
			case len(o.asked) == 1 && m == "GET":
				o.json = `{"metadata":{"creationTimestamp":"` + time.Now().Format(time.RFC3339) + `","finalizers":["keep"]}}`
			}
		}, marked, "", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"another's", `{"metadata":{"labels":{"assay.dev/run":"r","assay.dev/fault":"g"}}}`, nil, mine, "", []string{"GET /apis/g/v1/x/a"}},
		{"ours", `{"metadata":{"uid":"u","labels":{"assay.dev/run":"r","assay.dev/fault":"f"}}}`, func(o *object, m string) {
			if m == "DELETE" {
				o.json = ""
			}
		}, mine, "", []string{"GET /apis/g/v1/x/a", `DELETE /apis/g/v1/x/a {"preconditions":{"uid":"u"}}`, "GET /apis/g/v1/x/a"}},
		{"arrives late", "", func(o *object, m string) {
			switch {
			case m == "DELETE":
				o.json = ""
			case len(o.asked) == 1: // the second look
				o.json = `{"metadata":{"labels":{"assay.dev/run":"r","assay.dev/fault":"f"}}}`
			}
		}, mine, "", []string{"GET /apis/g/v1/x/a", "DELETE /apis/g/v1/x/a", "GET /apis/g/v1/x/a"}},
		{"patched", `{"spec":{"replicas":2,"x":1},"metadata":{}}`, nil, patch, "", []string{`PATCH /apis/g/v1/x/a {"spec":{"replicas":2}}`, "GET /apis/g/v1/x/a"}},
		{"not patched", `{"spec":{"replicas":0}}`, nil, patch, "does not have", []string{`PATCH /apis/g/v1/x/a {"spec":{"replicas":2}}`, "GET /apis/g/v1/x/a"}},
		{"annotation stays", `{"spec":{"replicas":2},"metadata":{"annotations":{"n":"1"}}}`, nil, patch, "does not have", []string{`PATCH /apis/g/v1/x/a {"spec":{"replicas":2}}`, "GET /apis/g/v1/x/a"}},
	} {
		o.Lock()
		o.json, o.asked, o.on = tc.json, nil, tc.on
		o.Unlock()
		if err := tc.undo.Do(context.Background()); err != nil {
			t.Errorf("%s: do: %v", tc.name, err)
		}
		got := ""
		if err := tc.undo.away(context.Background()); err != nil {
			got = err.Error()
		}
		if (tc.away == "") != (got == "") || !strings.Contains(got, tc.away) {
			t.Errorf("%s: away %q, want %q", tc.name, got, tc.away)
		}
		if diff := cmp.Diff(tc.asked, o.asked); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", tc.name, diff)
		}
	}
	srv.Close()
	if err := late.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "it may remain until the cluster ends it at "+at) {
		t.Errorf("link lost: %v", err)
	}
	if err := late.away(context.Background()); err == nil {
		t.Error("a cluster that does not answer was taken for one without the fault")
	}
	if err := (&Undo{Kind: UndoKube, Kubeconfig: "/none", Method: "DELETE", Path: "/api/x", Want: Gone}).Do(context.Background()); err == nil {
		t.Error("undone without a cluster")
	}
}
