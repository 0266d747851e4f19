package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/assay-dev/assay/internal/resolver"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// hostForm is the form of a name that can be looked up: at least two labels, so that no search list is tried.
var hostForm = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$`)

// A weightsStore is what workers look up by name and ask, before they read their weights from the disk: as clients of a hub do
// that keep the files themselves but ask whether they are still the right ones. It has a name server of its own, which is the only one
// that knows its name.
type weightsStore struct {
	host   string
	dns    *resolver.Server
	ln     net.Listener
	server *http.Server
}

func newWeightsStore(host, model string) (*weightsStore, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the store of weights: %w", err)
	}
	dns, err := resolver.Listen(resolver.Options{Name: host, Zone: map[string]netip.Addr{host: netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("open the store of weights: %w", err)
	}
	s := &weightsStore{host: host, dns: dns, ln: ln}
	s.server = &http.Server{ReadHeaderTimeout: headerTimeout, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(worker.Stored{Model: model}) })}
	go s.server.Serve(ln) // ends with close
	return s, nil
}

// where says to workers how the store is found.
func (s *weightsStore) where() worker.Store {
	_, port, _ := net.SplitHostPort(s.ln.Addr().String())
	return worker.Store{Host: s.host, Port: port, Resolver: s.dns.Addr()}
}

// names is the admin API of the name server; s may be nil.
func (s *weightsStore) names() http.Handler {
	if s != nil {
		return s.dns.Admin()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "workers look up no name here: weights_host is not set"})
	})
}

func (s *weightsStore) close() {
	s.server.Close()
	s.dns.Close()
}
