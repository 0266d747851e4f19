package chill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Sandbox makes the embedded platform cold.
type Sandbox struct {
	AdminURL string
	Client   *http.Client // nil: http.DefaultClient
}

var _ Chiller = (*Sandbox)(nil)

// String implements Chiller.
func (s *Sandbox) String() string { return "the sandbox" }

// Check implements Chiller; whether the sandbox can go to zero is known from its settings.
func (s *Sandbox) Check(context.Context) error { return nil }

// Undo implements Chiller: there is nothing to put back.
func (s *Sandbox) Undo(context.Context) error { return nil }

// Chill implements Chiller.
func (s *Sandbox) Chill(ctx context.Context) error {
	if err := s.call(ctx, http.MethodPost, "/admin/chill", nil); err != nil {
		return err
	}
	var left []struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := s.call(ctx, http.MethodGet, "/admin/instances", &left); err != nil {
		return err
	}
	for _, in := range left {
		if in.State == "ready" {
			return fmt.Errorf("chill the sandbox: instance %s is ready", in.ID)
		}
	}
	return nil
}

func (s *Sandbox) call(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.AdminURL+path, nil)
	if err != nil {
		return fmt.Errorf("chill the sandbox: %w", err)
	}
	res, err := orDefault(s.Client).Do(req)
	if err != nil {
		return fmt.Errorf("chill the sandbox: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("chill the sandbox: %w", err)
	case res.StatusCode/100 != 2:
		return fmt.Errorf("chill the sandbox: %s", said(res.StatusCode, body))
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("chill the sandbox: read its answer: %w", err)
	}
	return nil
}
