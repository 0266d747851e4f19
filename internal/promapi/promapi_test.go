package promapi

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told is what a server was asked.
type told struct{ Path, Query, Run, Auth string }

func serve(t *testing.T, status int, body string) (*Client, *told) {
	got := &told{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*got = told{r.Method + " " + r.URL.Path, r.PostFormValue("query"), r.Header.Get("X-Assay-Run"), r.Header.Get("Authorization")}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return &Client{URL: srv.URL + "/", RunID: "run"}, got
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []Sample
		err    string
	}{
		{"vector", 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1435781451.781,"1"]},{"metric":{},"value":[1435781451.781,"+Inf"]}]}}`,
			[]Sample{{map[string]string{"job": "a"}, time.UnixMilli(1435781451781), 1}, {map[string]string{}, time.UnixMilli(1435781451781), math.Inf(1)}}, ""},
		{"scalar", 200, `{"status":"success","data":{"resultType":"scalar","result":[1435781451,"0.5"]}}`, []Sample{{nil, time.UnixMilli(1435781451000), 0.5}}, ""},
		{"nothing", 200, `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["partial"]}`, nil, ""},
		{"bad expression", 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, nil, "bad_data: parse error"},
		{"proxy in between", 502, `<html>`, nil, "status 502"},
		{"redirect", 302, ``, nil, "status 302"},
		{"no API", 200, `hello`, nil, `the answer is none of Prometheus' API: "hello"`},
		{"range", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, nil, "gives a matrix; want a number at one instant"},
		{"histogram", 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`, nil, "no plain number"},
		{"no number", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}`, nil, "value of a sample"},
		{"too long", 200, strings.Repeat(" ", maxAnswer+1), nil, "more than 4 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, asked := serve(t, c.status, c.body)
			got, err := client.Query(context.Background(), `sum(up) > 0`)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("samples (-want +got):\n%s", d)
			}
			if want := (told{"POST /api/v1/query", "sum(up) > 0", "run", ""}); *asked != want {
				t.Errorf("asked %+v, want %+v", *asked, want)
			}
		})
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		body string
		want float64
		err  string
		none bool
	}{
		{`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]}]}}`, 7, "", false},
		{`{"status":"success","data":{"resultType":"vector","result":[]}}`, 0, "no data: up gives no series", true},
		{`{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}`, 0, "no data: up is not a number", true},
		{`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"7"]},{"metric":{},"value":[1,"8"]}]}}`, 0, "up gives 2 series; want one number", false},
	} {
		client, _ := serve(t, 200, c.body)
		got, err := client.Value(context.Background(), "up")
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || errors.Is(err, ErrNoData) != c.none {
			t.Errorf("%s: error %v, want %q", c.body, err, c.err)
		}
		if got.Value != c.want {
			t.Errorf("%s: %v, want %v", c.body, got.Value, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	client, asked := serve(t, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	client.Token = func(context.Context) (string, error) { return "secret", nil }
	if _, err := client.Query(context.Background(), "up"); err != nil || asked.Auth != "Bearer secret" {
		t.Errorf("showed %q, error %v", asked.Auth, err)
	}
	client.Token = func(context.Context) (string, error) { return "", io.ErrUnexpectedEOF }
	if _, err := client.Query(context.Background(), "up"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want that of the token", err)
	}
}

func TestUnreachable(t *testing.T) {
	client, _ := serve(t, 200, "")
	client.URL = "http://127.0.0.1:1"
	if _, err := client.Query(context.Background(), "up"); err == nil || strings.Count(err.Error(), "127.0.0.1:1/") > 0 {
		t.Errorf("error %v, want one that names the server once", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client.Query(ctx, "up"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// Whatever a server says, reading it ends in samples or in an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}`))
	f.Add([]byte(`{"status":"error","error":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r result
		if parse(b, 200, &r) != nil {
			return
		}
		if list, err := r.samples(); err != nil && list != nil {
			t.Errorf("samples %v with error %v", list, err)
		}
	})
}

func TestAlertRules(t *testing.T) {
	client, asked := serve(t, 200, `{"status":"success","data":{"groups":[{"name":"g","rules":[{"name":"A","type":"alerting","query":"up"},{"name":"r","type":"recording"}]},{"rules":[{"name":"B","type":"alerting"}]}]}}`)
	got, err := client.AlertRules(context.Background())
	if d := cmp.Diff([]string{"A", "B"}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if want := (told{"GET /api/v1/rules", "", "run", ""}); *asked != want {
		t.Errorf("asked %+v, want %+v", *asked, want)
	}
	client, _ = serve(t, 404, "")
	if _, err := client.AlertRules(context.Background()); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("error %v", err)
	}
}
