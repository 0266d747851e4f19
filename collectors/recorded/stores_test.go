package recorded

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
)

// stores are the kinds that fetch over plain HTTP, and what their URLs have behind the host.
var stores = map[string]string{"loki": "/?query=%7Bapp=%22x%22%7D", "elasticsearch": "/logs", "prometheus": "", "tempo": "", "jaeger": ""}

func fetching(t *testing.T, name, url string) error {
	t.Helper()
	for _, k := range Kinds {
		if k.Name == name {
			return k.Fetch(t.Context(), &input.Fetching{URL: url, From: 1_700_000_000e9, To: 1_700_000_060e9}, io.Discard)
		}
	}
	t.Fatal("no kind " + name)
	return nil
}

// What a store answers with an error may repeat the URL that it was asked by, with all that stands in it.
func TestErrorsOfStoresAreRedacted(t *testing.T) {
	for name, path := range stores {
		for form, body := range map[string]string{
			"text":       "oops at http://alice:hunter2@127.0.0.1/x?api_key=hunter2&token=hunter2 " + strings.Repeat("x", 10_000),
			"prometheus": `{"status":"error","errorType":"internal","error":"oops http://alice:hunter2@h/?token=hunter2"}`,
		} {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				io.WriteString(w, body)
			}))
			err := fetching(t, name, srv.URL+path)
			srv.Close()
			if err == nil || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 600 || !strings.Contains(fmt.Sprint(err), "500") && form == "text" {
				t.Errorf("%s, %s: %v", name, form, err)
			}
		}
	}
}

// A parameter that would not reach the store is refused, by its name.
func TestURLsOfStoresTakeNoOtherQuery(t *testing.T) {
	for name, path := range stores {
		url := "http://127.0.0.1:1" + path
		if strings.Contains(url, "?") {
			url += "&"
		} else {
			url += "?"
		}
		err := fetching(t, name, url+"apikey=hunter2")
		if err == nil || !strings.Contains(err.Error(), `its query has "apikey": want `) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
