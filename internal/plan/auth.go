package plan

import (
	"maps"
	"slices"
	"strings"
)

// Auth names where a token is; it never holds one.
type Auth struct {
	Env  string `yaml:"env" json:"env,omitempty" jsonschema:"description=Name of the environment variable that holds the token."`
	File string `yaml:"file" json:"file,omitempty" jsonschema:"description=Path of the file that holds the token."`
}

// Credential says where what we show to the target comes from; it never holds a secret. One of env, file, exec, oidc and aws is given. All but
// env are kept fresh in a long run.
type Credential struct {
	Env    string    `yaml:"env" json:"env,omitempty" jsonschema:"description=Name of the environment variable that holds the bearer token."`
	File   string    `yaml:"file" json:"file,omitempty" jsonschema:"description=Path of the file that holds the bearer token. It is read again when it changes."`
	Exec   *ExecAuth `yaml:"exec" json:"exec,omitempty" jsonschema:"description=Program that prints an ExecCredential as kubectl's credential plug-ins do: a token or a client certificate."`
	OIDC   *OIDCAuth `yaml:"oidc" json:"oidc,omitempty" jsonschema:"description=OAuth 2.0 server that gives tokens to programs (client credentials)."`
	AWS    *AWSAuth  `yaml:"aws" json:"aws,omitempty" jsonschema:"description=Sign requests (Signature Version 4) with keys of AWS's own chain."`
	Header string    `yaml:"header" json:"header,omitempty" jsonschema:"description=Header that carries the token alone such as api-key. Default Authorization: Bearer."`
}

// ExecAuth is a credential plug-in.
type ExecAuth struct {
	Command string            `yaml:"command" json:"command" jsonschema:"description=Program."`
	Args    []string          `yaml:"args" json:"args,omitempty"`
	Env     map[string]string `yaml:"env" json:"env,omitempty" jsonschema:"description=Added to its environment. No secrets."`
}

// OIDCAuth is an OAuth 2.0 server and who we are to it.
type OIDCAuth struct {
	Issuer       string   `yaml:"issuer" json:"issuer,omitempty" jsonschema:"description=Issuer whose discovery document names the token endpoint."`
	TokenURL     string   `yaml:"tokenURL" json:"tokenURL,omitempty" jsonschema:"description=The token endpoint itself in place of issuer."`
	ClientID     string   `yaml:"clientID" json:"clientID" jsonschema:"description=Name of the client."`
	ClientSecret Auth     `yaml:"clientSecret" json:"clientSecret" jsonschema:"description=Where its secret is."`
	Scopes       []string `yaml:"scopes" json:"scopes,omitempty"`
	Audience     string   `yaml:"audience" json:"audience,omitempty"`
}

// AWSAuth says how requests to AWS are signed.
type AWSAuth struct {
	Region  string `yaml:"region" json:"region,omitempty" jsonschema:"description=Default as AWS_REGION or the profile says."`
	Service string `yaml:"service" json:"service,omitempty" jsonschema:"description=Service of the signature. Default that of kinds lambda and sagemaker."`
	Profile string `yaml:"profile" json:"profile,omitempty" jsonschema:"description=Profile of the shared configuration."`
}

// signs names the service that requests of a kind are signed for.
var signs = map[string]string{"lambda": "lambda", "sagemaker": "sagemaker"}

// Service returns the service that requests are signed for.
func (t *Target) Service() string {
	if t.Auth.AWS.Service != "" {
		return t.Auth.AWS.Service
	}
	return signs[t.Kind]
}

// auth checks target.auth.
func (c *checker) auth(t *Target) {
	a := &t.Auth
	given := map[string]bool{"env": a.Env != "", "file": a.File != "", "exec": a.Exec != nil, "oidc": a.OIDC != nil, "aws": a.AWS != nil}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		c.bad("target.auth", "has %s; give one", strings.Join(names, " and "))
	}
	grpc := t.Kind == "openinference-grpc"
	if a.Header != "" {
		switch {
		case len(names) == 0 || a.AWS != nil:
			c.bad("target.auth.header", "carries a token, and there is none; give env, file, exec or oidc")
		case grpc:
			c.bad("target.auth.header", "kind %s knows only bearer tokens; leave it out", t.Kind)
		case !token.MatchString(a.Header):
			c.bad("target.auth.header", "%q is not the name of an HTTP header", a.Header)
		}
	}
	if x := a.Exec; x != nil && x.Command == "" {
		c.bad("target.auth.exec", "needs command")
	}
	if x := a.OIDC; x != nil {
		if (x.Issuer == "") == (x.TokenURL == "") {
			c.bad("target.auth.oidc", "needs exactly one of issuer and tokenURL")
		}
		for path, raw := range map[string]string{"issuer": x.Issuer, "tokenURL": x.TokenURL} {
			if raw != "" {
				c.url("target.auth.oidc."+path, raw)
			}
		}
		if x.ClientID == "" {
			c.bad("target.auth.oidc", "needs clientID")
		}
		if (x.ClientSecret.Env == "") == (x.ClientSecret.File == "") {
			c.bad("target.auth.oidc.clientSecret", "needs exactly one of env and file")
		}
	}
	if a.AWS != nil {
		switch {
		case grpc:
			c.bad("target.auth.aws", "requests over gRPC are not signed; give a token")
		case t.Service() == "":
			c.bad("target.auth.aws", "needs service for kind %s: what AWS calls the service, for example execute-api", t.Kind)
		}
	}
}
