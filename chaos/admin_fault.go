package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/assay-dev/assay/internal/faultproxy"
)

var _ Detour = (*AdminPlatform)(nil)

func faultPath(id string) string { return "/admin/faults/" + url.PathEscape(id) }

// Fault returns what lies on the requests to an instance.
func (p *AdminPlatform) Fault(ctx context.Context, id string) (r faultproxy.Report, err error) {
	b, err := p.call(ctx, http.MethodGet, faultPath(id), "", nil)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("GET %s%s: %w", p.URL, faultPath(id), err)
	}
	return r, nil
}

// SetFault lays a fault on the requests to an instance.
func (p *AdminPlatform) SetFault(ctx context.Context, id string, c faultproxy.Conditions, stamp func()) error {
	_, err := p.call(ctx, http.MethodPut, faultPath(id), asJSON(c), stamp)
	return err
}

// UndoFault returns the undo that leads the requests past the proxy.
func (p *AdminPlatform) UndoFault(id string) Undo {
	return p.undo(faultPath(id), asJSON(faultproxy.Conditions{}))
}
