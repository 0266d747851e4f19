package chaos

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUndoOverHTTP(t *testing.T) {
	var asked []string
	var status int
	var answer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(b)))
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	u := Undo{ID: "f", Kind: UndoHTTP, Method: "PUT", URL: srv.URL + "/x", Body: `{"cut":""}`, Want: `{"cut":"","rate":0}`}
	for _, tc := range []struct {
		status     int
		answer     string
		do, verify string
	}{
		{200, `{"rate":0,"cut":"","stats":{"live":3}}`, "", ""},
		{200, `{"rate":0,"cut":"reset"}`, "", `GET ` + u.URL + `: {"rate":0,"cut":"reset"}, want {"cut":"","rate":0}`},
		{200, `{"cut":""}`, "", `GET ` + u.URL + `: {"cut":""}, want {"cut":"","rate":0}`},
		{404, "", "", ""}, // the instance is no longer known
		{410, "", "", ""}, // or has exited
		{500, "", "PUT " + u.URL + ": status 500", "GET " + u.URL + ": status 500"},
		{302, "", "PUT " + u.URL + ": status 302", "GET " + u.URL + ": status 302"},
	} {
		asked, status, answer = nil, tc.status, tc.answer
		do, verify := u.Do(context.Background()), ""
		if err := u.away(context.Background()); err != nil {
			verify = err.Error()
		}
		got := ""
		if do != nil {
			got = do.Error()
		}
		if got != tc.do || verify != tc.verify {
			t.Errorf("status %d %s: do %q, verify %q; want %q, %q", tc.status, tc.answer, got, verify, tc.do, tc.verify)
		}
		if want := []string{`PUT /x {"cut":""}`, "GET /x"}; !cmp.Equal(want, asked) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
	srv.Close() // nobody is left who could hold the fault
	if err := u.Do(context.Background()); err != nil {
		t.Error(err)
	}
	if err := u.Verify(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestUndoThatNobodyCanDo(t *testing.T) {
	mark := newMark()
	for _, u := range []Undo{{}, {Kind: "shell"}, {Kind: UndoSignal, Signal: 9}, {Kind: UndoSignal, Process: &Process{5, 5}},
		{Kind: UndoGroup}, {Kind: UndoGroup, Process: &Process{1, 5}}, {Kind: UndoHTTP, URL: "http://x"}, {Kind: UndoHTTP, Method: "GET", URL: "x"},
		// What was not made by us is neither killed nor removed.
		{Kind: UndoMarked}, {Kind: UndoMarked, Mark: "sshd"}, {Kind: UndoMarked, Mark: markPrefix + "00"}, {Kind: UndoRemove}, {Kind: UndoRemove, Path: "/etc/passwd"},
		{Kind: UndoRemove, Path: "/tmp/" + filler}, {Kind: UndoRemove, Path: filler + mark}, {Kind: UndoRemove, Path: "/tmp/../" + filler + mark}, {Kind: UndoRemove, Path: "/" + filler + mark + "/x"},
		{Kind: UndoClock, Process: &Process{7, 5}}, {Kind: UndoClock, Code: []patch{{4096, "90", "cc"}}}, {Kind: UndoClock, Process: &Process{7, 5}, Code: []patch{{4096, "90", "cccc"}}},
		{Kind: UndoClock, Process: &Process{7, 5}, Code: []patch{{0, "90", "cc"}}}, {Kind: UndoClock, Process: &Process{7, 5}, Code: []patch{{4096, "", ""}}}, {Kind: UndoClock, Process: &Process{7, 5}, Code: []patch{{4096, "x", "y"}}},
		{Kind: UndoGPU}, {Kind: UndoGPU, GPU: "0", Resource: gpuPower, Value: 300}, {Kind: UndoGPU, GPU: "GPU-0 -r", Resource: gpuPower, Value: 300}, {Kind: UndoGPU, GPU: "GPU-0", Resource: gpuPower},
		{Kind: UndoGPU, GPU: "GPU-0", Resource: "ecc", Value: 1},
		{Kind: UndoLimit, Process: &Process{7, 5}}, {Kind: UndoLimit, Resource: "as", Limit: &limit{}},
		{Kind: UndoKube}, {Kind: UndoKube, Method: "POST", Path: "/api/v1/x", Want: Gone}, {Kind: UndoKube, Method: "DELETE", Path: "/etc", Want: Gone},
		{Kind: UndoKube, Method: "DELETE", Path: "/api/v1/x", Want: "x"}, {Kind: UndoKube, Method: "PATCH", Path: "/api/v1/x", Want: "{}"}} {
		if err := u.Do(context.Background()); err == nil {
			t.Errorf("did %+v", u)
		}
		if err := u.Verify(context.Background()); err == nil {
			t.Errorf("verified %+v", u)
		}
	}
	for want, u := range map[string]Undo{
		"nothing":       {Kind: UndoNone},
		"kill -18 7":    {Kind: UndoSignal, Signal: 18, Process: &Process{7, 5}},
		"kill -9 -- -7": {Kind: UndoGroup, Process: &Process{7, 5}},
		"nvidia-smi --id=GPU-a --power-limit=300":  {Kind: UndoGPU, GPU: "GPU-a", Resource: gpuPower, Value: 300},
		"nvidia-smi --id=GPU-a --reset-gpu-clocks": {Kind: UndoGPU, GPU: "GPU-a", Resource: gpuClocks, Value: 600},
		"restart pid 7":                {Kind: UndoClock, Process: &Process{7, 5}, Code: []patch{{4096, "90", "cc"}}},
		"DELETE http://h/x":            {Kind: UndoHTTP, Method: "DELETE", URL: "http://h/x"},
		"pkill -9 -f " + mark:          {Kind: UndoMarked, Mark: mark},
		"rm /d/" + filler + mark:       {Kind: UndoRemove, Path: "/d/" + filler + mark},
		"prlimit --pid 7 --nofile=5:9": {Kind: UndoLimit, Process: &Process{7, 5}, Resource: "nofile", Limit: &limit{5, 9}},
		"DELETE /api/v1/x at the API server of kubeconfig /k, context c": {Kind: UndoKube, Method: "DELETE", Path: "/api/v1/x", Want: Gone, Kubeconfig: "/k", Context: "c"},
		"kubectl delete x":         {Kind: UndoKube, Method: "DELETE", Path: "/api/v1/x", Want: Gone, Text: "kubectl delete x"},
		`PUT http://h/x {"cut":1}`: {Kind: UndoHTTP, Method: "PUT", URL: "http://h/x", Body: `{"cut":1}`},
	} {
		if got := u.String(); got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
}
