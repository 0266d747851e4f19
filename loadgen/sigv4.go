package loadgen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// AWSKeys sign requests to AWS.
type AWSKeys struct {
	ID, Secret string
	Session    string // of temporary keys; "": they are permanent
}

// SigV4 signs requests as AWS wants it, Signature Version 4. Its Sign is that of an [Endpoint]; it may be called at once.
type SigV4 struct {
	Service string // lambda, sagemaker, …
	Region  string
	Keys    func(ctx context.Context) (AWSKeys, error) // asked for each request; must not wait for long
	Now     func() time.Time

	signer *v4.Signer
}

// NewSigV4 returns a signer for the service in the region.
func NewSigV4(service, region string, keys func(ctx context.Context) (AWSKeys, error)) *SigV4 {
	return &SigV4{Service: service, Region: region, Keys: keys, Now: time.Now, signer: v4.NewSigner()}
}

// Sign adds the signature to the header of req. AWS takes it for five minutes, so it is made for each request.
func (s *SigV4) Sign(ctx context.Context, req *http.Request, body []byte) error {
	k, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	return s.signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Session}, req,
		hex.EncodeToString(sum[:]), s.Service, s.Region, s.Now())
}
