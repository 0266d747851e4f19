package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// OIDC gets tokens of an OAuth 2.0 server by the grant for programs (client_credentials).
type OIDC struct {
	Issuer   string // whose discovery document names the token endpoint
	TokenURL string // or the endpoint itself
	ClientID string
	Secret   Source // of the client
	Scopes   []string
	Audience string
}

// Fetch implements Source.
func (o *OIDC) Fetch(ctx context.Context) (Value, error) {
	secret, err := o.Secret.Fetch(ctx)
	if err != nil {
		return Value{}, fmt.Errorf("client secret: %w", err)
	}
	endpoint := o.TokenURL
	if endpoint == "" {
		if endpoint, err = o.discover(ctx); err != nil {
			return Value{}, err
		}
	}
	if err := guarded(endpoint); err != nil {
		return Value{}, fmt.Errorf("token endpoint: %w", err)
	}
	c := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: secret.Token, TokenURL: endpoint, Scopes: o.Scopes}
	if o.Audience != "" {
		c.EndpointParams = url.Values{"audience": {o.Audience}}
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, strict))
	if err != nil {
		return Value{}, tokenError(err)
	}
	return Value{Token: t.AccessToken, Expires: t.Expiry}, nil
}

// strict follows no redirect: it would take the client's secret to another server.
var strict = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// tokenError says what went wrong without what the server said.
func tokenError(err error) error {
	var refused *oauth2.RetrieveError
	var wire *url.Error
	switch {
	case errors.As(err, &refused) && refused.ErrorCode != "":
		return fmt.Errorf("get a token: the server answered %s, %s", refused.Response.Status, firstLine([]byte(refused.ErrorCode)))
	case errors.As(err, &refused) && refused.Response != nil:
		return fmt.Errorf("get a token: the server answered %s", refused.Response.Status)
	case errors.As(err, &wire):
		return fmt.Errorf("get a token: %w", wire.Err)
	}
	return errors.New("get a token: the server's answer holds none")
}

// discover returns the token endpoint that the issuer names.
func (o *OIDC) discover(ctx context.Context) (string, error) {
	if err := guarded(o.Issuer); err != nil {
		return "", fmt.Errorf("issuer: %w", err)
	}
	where := strings.TrimSuffix(o.Issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return "", errors.New("issuer: not a valid URL")
	}
	resp, err := strict.Do(req)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", where, err.(*url.Error).Err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("read %s: the server answered %s", where, resp.Status)
	}
	var d struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&d) != nil || d.Token == "" {
		return "", fmt.Errorf("read %s: it names no token_endpoint", where)
	}
	if strings.TrimSuffix(d.Issuer, "/") != strings.TrimSuffix(o.Issuer, "/") {
		return "", fmt.Errorf("read %s: it is that of another issuer, %s", where, d.Issuer)
	}
	return d.Token, nil
}

// guarded refuses a URL over which a secret would go in the clear.
func guarded(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return errors.New("not a valid URL")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("%s: want https://", u.Redacted())
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s: a secret goes over https only", u.Redacted())
}
