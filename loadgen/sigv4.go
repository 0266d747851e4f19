package loadgen

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-dev/assay/internal/awsauth"
)

// AWSKeys sign requests to AWS.
type AWSKeys = awsauth.Keys

// SigV4 signs requests as AWS wants it, Signature Version 4. Its Sign is that of an [Endpoint]; it may be called at once.
type SigV4 struct {
	Service string // lambda, sagemaker, …
	Region  string
	Keys    func(ctx context.Context) (AWSKeys, error) // asked for each request; must not wait for long
	Now     func() time.Time
}

// NewSigV4 returns a signer for the service in the region.
func NewSigV4(service, region string, keys func(ctx context.Context) (AWSKeys, error)) *SigV4 {
	return &SigV4{Service: service, Region: region, Keys: keys, Now: time.Now}
}

// Sign adds the signature to the header of req. AWS takes it for five minutes, so it is made for each request.
func (s *SigV4) Sign(ctx context.Context, req *http.Request, body []byte) error {
	k, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	return awsauth.Sign(ctx, req, body, k, s.Service, s.Region, s.Now())
}
