package k6

import (
	"cmp"
	"context"
	"fmt"

	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/loadgen"
)

// signing says how a client's requests are signed: with keys of AWS's own chain.
type signing struct {
	source  credential.AWS
	service string // "": that of the kind of client
}

// aws reads whether and how to sign: true, or an object with service, region and profile.
func (o *object) aws(key string) *signing {
	if on, ok := o.fields[key].(bool); ok {
		o.take(key)
		if !on {
			return nil
		}
		return &signing{}
	}
	x := o.object(key)
	if x == nil {
		return nil
	}
	s := &signing{credential.AWS{Profile: x.text("profile", ""), Region: x.text("region", "")}, x.text("service", "")}
	o.join(x)
	return s
}

// A keeper is the keys of one profile, fetched with the first request that needs them and kept fresh until k6 ends.
type keeper struct {
	*credential.Keeper
	region string
}

// sign makes an endpoint sign its requests.
func (e *Extension) sign(ctx context.Context, s *signing, kind string, to *loadgen.Endpoint) error {
	e.mu.Lock()
	defer e.mu.Unlock() // other virtual users wait for the same keys
	k := e.keepers[s.source]
	if k == nil {
		region, err := s.source.Where(ctx)
		if err != nil {
			return fmt.Errorf("aws: %w", err)
		}
		kept, err := credential.Keep(ctx, s.source, nil) // a later failure shows as refused credentials
		if err != nil {
			return fmt.Errorf("aws: %w", err)
		}
		if k = (&keeper{kept, region}); e.keepers == nil {
			e.keepers = map[credential.AWS]*keeper{}
		}
		e.keepers[s.source] = k
	}
	to.Refused = k.Refused
	to.Sign = loadgen.NewSigV4(cmp.Or(s.service, kind), k.region, func(context.Context) (loadgen.AWSKeys, error) {
		v, err := k.Get()
		return loadgen.AWSKeys{ID: v.KeyID, Secret: v.Secret, Session: v.Session}, err
	}).Sign
	return nil
}
