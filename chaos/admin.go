package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/assay-dev/assay/internal/link"
)

// AdminPlatform is a Platform reached through its admin API:
//
//	GET    /admin/instances    its instances
//	GET    /admin/scale        how many of them it wants, as {"wanted": 2}
//	GET    /admin/links/{id}   the conditions laid on an instance's link, on top of its own
//	PUT    /admin/links/{id}   lays conditions on it
//	DELETE /admin/links/{id}   takes them away
//	…      /admin/faults/{id}  likewise, for a fault on the requests to an instance
type AdminPlatform struct {
	URL    string       // for example http://127.0.0.1:9000
	Self   Process      // the process that serves it: links end with it
	Client *http.Client // default: one that keeps no connections and follows no redirects
}

var _ Platform = (*AdminPlatform)(nil)

// Process returns Self.
func (p *AdminPlatform) Process() Process { return p.Self }

// Instances lists the platform's instances.
func (p *AdminPlatform) Instances(ctx context.Context) ([]Victim, error) {
	b, err := p.call(ctx, http.MethodGet, "/admin/instances", "", nil)
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID       string `json:"id"`
		PID      int    `json:"pid"`
		PIDStart uint64 `json:"pid_start"`
		Addr     string `json:"addr"`
		LinkAddr string `json:"link_addr"`
		State    string `json:"state"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("GET %s/admin/instances: %w", p.URL, err)
	}
	victims := make([]Victim, len(list))
	for i, v := range list {
		victims[i] = Victim{ID: v.ID, Process: Process{v.PID, v.PIDStart}, Addr: v.Addr, Link: v.LinkAddr, State: v.State}
	}
	return victims, nil
}

// Wanted asks the platform how many instances it wants, which not each can tell.
func (p *AdminPlatform) Wanted(ctx context.Context, _ *Step) (int, bool) {
	var scale struct {
		Wanted *int `json:"wanted"`
	}
	b, err := p.call(ctx, http.MethodGet, "/admin/scale", "", nil)
	if err != nil || json.Unmarshal(b, &scale) != nil || scale.Wanted == nil {
		return 0, false
	}
	return *scale.Wanted, true
}

// Link returns the conditions laid on an instance's link, on top of its own.
func (p *AdminPlatform) Link(ctx context.Context, id string) (c link.Conditions, err error) {
	b, err := p.call(ctx, http.MethodGet, linkPath(id), "", nil)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("GET %s%s: %w", p.URL, linkPath(id), err)
	}
	return c, nil
}

// SetLink lays conditions on an instance's link.
func (p *AdminPlatform) SetLink(ctx context.Context, id string, c link.Conditions, stamp func()) error {
	_, err := p.call(ctx, http.MethodPut, linkPath(id), asJSON(c), stamp)
	return err
}

// UndoLink returns the undo that resets an instance's link.
func (p *AdminPlatform) UndoLink(id string) Undo {
	return p.undo(linkPath(id), asJSON(link.Conditions{}))
}

// undo returns the undo that deletes what lies at a path of the admin API; then a GET there gives want.
func (p *AdminPlatform) undo(path, want string) Undo {
	u := Undo{Kind: UndoHTTP, Method: http.MethodDelete, URL: p.base() + path, Want: want}
	if p.Self.PID > 0 {
		self := p.Self
		u.Process = &self
	}
	return u
}

func linkPath(id string) string { return "/admin/links/" + url.PathEscape(id) }

func (p *AdminPlatform) base() string { return strings.TrimRight(p.URL, "/") }

func (p *AdminPlatform) call(ctx context.Context, method, path, body string, stamp func()) ([]byte, error) {
	client := p.Client
	if client == nil {
		client = plainClient
	}
	status, b, err := send(ctx, client, method, p.base()+path, body, stamp)
	if err != nil {
		return nil, err
	}
	if status/100 != 2 {
		return nil, fmt.Errorf("%s %s%s: status %d: %.200s", method, p.base(), path, status, bytes.TrimSpace(b))
	}
	return b, nil
}
