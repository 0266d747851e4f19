package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// credentialSource returns where the credential of a plan's target comes from; nil for none. Nothing is fetched: what can be known
// without that is checked.
func credentialSource(p *plan.Plan) (credential.Source, error) {
	a := &p.Target.Auth
	const path = "target.auth"
	switch {
	case a.Exec != nil:
		x := credential.Exec{Command: a.Exec.Command, Args: a.Exec.Args}
		for _, name := range slices.Sorted(maps.Keys(a.Exec.Env)) {
			x.Env = append(x.Env, [2]string{name, a.Exec.Env[name]})
		}
		if _, err := exec.LookPath(x.Command); err != nil {
			return nil, fmt.Errorf("%s.exec.command: %w", path, err)
		}
		return x, nil
	case a.OIDC != nil:
		o := a.OIDC
		secret, err := tokenSource(path+".oidc.clientSecret", plan.Auth{Env: o.ClientSecret.Env, File: p.Path(o.ClientSecret.File)})
		if err != nil {
			return nil, err
		}
		return &credential.OIDC{Issuer: o.Issuer, TokenURL: o.TokenURL, ClientID: o.ClientID, Secret: secret, Scopes: o.Scopes, Audience: o.Audience}, nil
	case a.AWS != nil:
		return credential.AWS{Profile: a.AWS.Profile, Region: a.AWS.Region}, nil
	}
	return tokenSource(path, plan.Auth{Env: a.Env, File: p.Path(a.File)})
}

// tokenSource returns the source of a token that lies in the environment or in a file; nil for none. path is where the plan names it.
func tokenSource(path string, a plan.Auth) (credential.Source, error) {
	var src credential.Source
	switch {
	case a.Env != "":
		src, path = credential.Env(a.Env), path+".env"
	case a.File != "":
		src, path = credential.File(a.File), path+".file"
	default:
		return nil, nil
	}
	if _, err := src.Fetch(context.Background()); err != nil { // neither of the two waits
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return src, nil
}

// authenticate gives the endpoint the credential of the plan and keeps it fresh until the run ends.
func (s *session) authenticate(ctx context.Context, e *loadgen.Endpoint) (err error) {
	s.keeper, err = authenticateTo(ctx, s.plan, e, func(err error) { // the run goes on with the one it has, and says so
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("target.auth: no fresh credential: %v", err)})
	})
	return err
}

// authenticateTo makes requests to an endpoint carry the credential of its plan, which the keeper, nil without one, keeps fresh; stale is told why it cannot.
func authenticateTo(ctx context.Context, p *plan.Plan, e *loadgen.Endpoint, stale func(error)) (*credential.Keeper, error) {
	t := &p.Target
	src, err := credentialSource(p)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	if src == nil {
		return nil, nil
	}
	region := ""
	if chain, ok := src.(credential.AWS); ok {
		if region, err = chain.Where(ctx); err != nil {
			return nil, &status{assay.ExitUsage, fmt.Errorf("target.auth.aws: %w", explained(err))}
		}
	}
	k, err := credential.Keep(ctx, src, stale)
	if err != nil {
		return k, &status{assay.ExitPreflight, fmt.Errorf("target.auth: %w", explained(err))}
	}
	first, err := k.Get()
	if err != nil {
		return k, &status{assay.ExitPreflight, fmt.Errorf("target.auth: %w", err)}
	}
	show(k, e, t, region, first)
	return k, nil
}

// show makes requests to the endpoint carry what the keeper has.
func show(k *credential.Keeper, e *loadgen.Endpoint, t *plan.Target, region string, first credential.Value) {
	e.Refused = k.Refused
	switch {
	case first.KeyID != "":
		e.Sign = loadgen.NewSigV4(t.Service(), region, func(context.Context) (loadgen.AWSKeys, error) {
			v, err := k.Get()
			return loadgen.AWSKeys{ID: v.KeyID, Secret: v.Secret, Session: v.Session}, err
		}).Sign
	case first.Token != "" && t.Auth.Header != "":
		e.Sign = func(_ context.Context, req *http.Request, _ []byte) error {
			v, err := k.Get()
			req.Header.Set(t.Auth.Header, v.Token)
			return err
		}
	case first.Token != "":
		e.Token = func(context.Context) (string, error) {
			v, err := k.Get()
			return v.Token, err
		}
	}
	if first.Certificate != nil {
		if e.TLS == nil {
			e.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		e.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			v, err := k.Get()
			if err != nil || v.Certificate == nil {
				return &tls.Certificate{}, err
			}
			return v.Certificate, nil
		}
	}
}

// explained adds, for the person at the terminal, what a plug-in or a chain said.
func explained(err error) error {
	var more *credential.Detailed
	if errors.As(err, &more) && more.More != "" {
		return fmt.Errorf("%w: %s", err, more.More)
	}
	return err
}

// readToken reads the token that a plan names for one of our own servers. path is where the plan names it.
func readToken(path string, a plan.Auth) (string, error) {
	src, err := tokenSource(path, a)
	if src == nil || err != nil {
		return "", err
	}
	v, err := src.Fetch(context.Background())
	return v.Token, err
}
