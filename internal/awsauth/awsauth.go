// Package awsauth signs requests to AWS with Signature Version 4, and keeps the keys that AWS's own chain gives. It is the one place that does: the load, the
// control of functions and the collectors of the cloud go through it.
package awsauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/assay-dev/assay/internal/credential"
)

// Keys sign requests.
type Keys struct {
	ID, Secret string
	Session    string // of temporary keys; "": they are permanent
}

var signer = v4.NewSigner()

// Sign adds to the header of a request with the body what signs it for a service of a region. AWS takes it for five minutes.
func Sign(ctx context.Context, req *http.Request, body []byte, k Keys, service, region string, at time.Time) error {
	sum := sha256.Sum256(body)
	err := signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Session}, req, hex.EncodeToString(sum[:]), service, region, at)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return nil
}

// A Chain gives the keys of AWS's own chain: environment, shared configuration, web identity, metadata of the machine. It asks again after a minute, and before
// keys expire. The zero value is ready; its methods may be called at once.
type Chain struct {
	mu    sync.Mutex
	keys  Keys
	until time.Time // when to ask for others
}

// Keys returns the keys for a region, "" for that of the environment or the profile.
func (c *Chain) Keys(ctx context.Context, region string) (Keys, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.keys, nil
	}
	v, err := credential.AWS{Region: region}.Fetch(ctx)
	if err != nil {
		return Keys{}, err
	}
	c.keys, c.until = Keys{v.KeyID, v.Secret, v.Session}, time.Now().Add(time.Minute)
	if !v.Expires.IsZero() && v.Expires.Before(c.until) {
		c.until = v.Expires.Add(-5 * time.Second)
	}
	return c.keys, nil
}
