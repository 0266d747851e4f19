package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/assay-dev/assay/internal/resolver"
)

// Names is a name server of the deployment that can be made to fail. Its methods may be called at once.
type Names interface {
	// Names returns what lies on the name server, where it is asked, and for what.
	Names(ctx context.Context) (resolver.Report, error)
	// SetNames lays conditions on the questions that follow, calling stamp right before.
	SetNames(ctx context.Context, c resolver.Conditions, stamp func()) error
	// UndoNames returns the undo that takes them away.
	UndoNames() Undo
}

var _ Names = (*AdminPlatform)(nil)

const namesPath = "/admin/dns"

// Names returns what lies on the platform's name server.
func (p *AdminPlatform) Names(ctx context.Context) (r resolver.Report, err error) {
	b, err := p.call(ctx, http.MethodGet, namesPath, "", nil)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("GET %s%s: %w", p.URL, namesPath, err)
	}
	return r, nil
}

// SetNames lays conditions on the platform's name server.
func (p *AdminPlatform) SetNames(ctx context.Context, c resolver.Conditions, stamp func()) error {
	_, err := p.call(ctx, http.MethodPut, namesPath, asJSON(c), stamp)
	return err
}

// UndoNames returns the undo that lets the platform's name server answer as before.
func (p *AdminPlatform) UndoNames() Undo { return p.undo(namesPath, `{"mode":""}`) }
