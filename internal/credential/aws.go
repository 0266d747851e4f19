package credential

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go/logging"
)

// AWS gets keys by AWS's own chain: environment, shared configuration with its profiles, web identity, container and instance metadata.
// The configuration is read anew for each fetch.
type AWS struct {
	Profile string // of the shared configuration; "": as the environment says
	Region  string // "": as the environment or the profile says
}

func (a AWS) chain(ctx context.Context) (aws.Config, error) {
	// A profile that asks a person for a code is of no use to a run.
	options := []func(*config.LoadOptions) error{config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
		o.TokenProvider = func() (string, error) { return "", errors.New("the profile wants a code from a person") }
	})}
	options = append(options, config.WithLogger(logging.Nop{})) // the errors tell; its own lines would go to stderr
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, &Detailed{errors.New("read AWS's configuration: it cannot be used"), oneLine(err)}
	}
	return c, nil
}

// Where returns the region that requests are signed for.
func (a AWS) Where(ctx context.Context) (string, error) {
	c, err := a.chain(ctx)
	switch {
	case err != nil:
		return "", err
	case c.Region == "":
		return "", errors.New("no AWS region: set one, or AWS_REGION")
	}
	return c.Region, nil
}

// Fetch implements Source.
func (a AWS) Fetch(ctx context.Context) (Value, error) {
	chain, err := a.chain(ctx)
	if err != nil {
		return Value{}, err
	}
	c, err := chain.Credentials.Retrieve(ctx)
	if err != nil {
		return Value{}, &Detailed{errors.New("get AWS credentials: no source of the chain gave any"), oneLine(err)}
	}
	v := Value{KeyID: c.AccessKeyID, Secret: c.SecretAccessKey, Session: c.SessionToken}
	if c.CanExpire {
		v.Expires = c.Expires
	}
	return v, nil
}

func oneLine(err error) string {
	return firstLine([]byte(strings.ReplaceAll(fmt.Sprint(err), "\n", " ")))
}
