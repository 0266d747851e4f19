package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/awsauth"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/secret"
)

const (
	maxPage  = 16 << 20 // bytes of one answer
	maxPages = 10_000
	awsLimit = 30 * time.Second // of one request
)

// An awsCaller calls operations of one of AWS's services that take JSON and are named by X-Amz-Target.
type awsCaller struct {
	endpoint, region, service string
	version                   string // application/x-amz-json-
	prefix                    string // of the target
	run                       string // id of the run; "" for none
	chain                     awsauth.Chain
	client                    *http.Client
}

// newCaller takes the region from the option, from the endpoint's own name, or as AWS's chain does, which also has the keys.
func newCaller(ctx context.Context, at *url.URL, region, service, version, prefix string) (*awsCaller, error) {
	c := &awsCaller{endpoint: at.Scheme + "://" + at.Host + "/", region: region, service: service, version: version, prefix: prefix, client: &http.Client{Timeout: awsLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // keys go nowhere else
	if parts := strings.Split(at.Hostname(), "."); c.region == "" && len(parts) > 3 && parts[len(parts)-2] == "amazonaws" {
		c.region = parts[1]
	}
	if c.region == "" {
		var err error
		if c.region, err = (credential.AWS{}).Where(ctx); err != nil {
			return nil, err
		}
	}
	_, err := c.chain.Keys(ctx, c.region) // an error now and not in the middle
	return c, err
}

// call makes one request, again while AWS says that there are too many.
func (c *awsCaller) call(ctx context.Context, operation string, query, answer any) error {
	body, err := json.Marshal(query)
	if err != nil {
		return err
	}
	wait := 200 * time.Millisecond
	for try := 0; ; try++ {
		raw, status, err := c.once(ctx, operation, body)
		if err != nil {
			return err
		}
		if status/100 == 2 {
			if err := json.Unmarshal(raw, answer); err != nil {
				return fmt.Errorf("%s: read the answer: %w", operation, err)
			}
			return nil
		}
		var said struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(raw, &said)
		said.Type = said.Type[strings.LastIndexByte(said.Type, '#')+1:]
		if (status == http.StatusTooManyRequests || status >= 500 || strings.Contains(said.Type, "Throttling")) && try < 6 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
				wait *= 2
				continue
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
		}
		return fmt.Errorf("%s: status %d %s %s", operation, status, short(said.Type), secret.Text(said.Message, 200))
	}
}

func (c *awsCaller) once(ctx context.Context, operation string, body []byte) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-"+c.version)
	req.Header.Set("X-Amz-Target", c.prefix+"."+operation)
	if c.run != "" {
		req.Header.Set("X-Assay-Run", c.run)
	}
	keys, err := c.chain.Keys(ctx, c.region)
	if err != nil {
		return nil, 0, err
	}
	if err := awsauth.Sign(ctx, req, body, keys, c.service, c.region, time.Now()); err != nil {
		return nil, 0, err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return nil, 0, ask.Unnamed(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err == nil && len(raw) > maxPage {
		err = errors.New("an answer of more than 16 MiB")
	}
	return raw, res.StatusCode, err
}
