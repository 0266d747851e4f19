package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/lambda"
)

// defaultFlight is how long a request may be carried out after whoever sent it died or gave it up: as long as an API server gives one at most.
const defaultFlight = time.Minute

// Heard reports whether what was asked for beyond this machine is known to be done, or not, although err came of it: it was answered, or never sent. The rest
// may still be carried out.
func Heard(err error) bool {
	var cluster *kube.Error
	var cloud *lambda.Error
	var op *net.OpError
	var sent *url.Error
	switch {
	case err == nil:
		return true
	case errors.As(err, &cluster):
		return cluster.Status < http.StatusInternalServerError
	case errors.As(err, &cloud):
		return cloud.Status < http.StatusInternalServerError
	case errors.As(err, &op):
		return op.Op == "dial"
	case errors.As(err, &sent), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false
	}
	return true // it did not come of sending
}

// landed waits until what makes the fault is seen to have come into force, or can no longer: whoever sent it may have died before it was answered. It returns at
// once where the answer is known, or where nobody can look: the undo tells that.
func (u *Undo) landed(ctx context.Context) error {
	if u.Flight == 0 {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, u.Flight)
	defer cancel()
	for u.away(ctx) == nil {
		if pause(waiting, 100*time.Millisecond) == nil {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("nothing of it is there, but it may still come until %v after it was sent: nobody heard the answer", u.Flight)
		}
		return nil
	}
	return nil
}

// heard notes that what made the fault was answered, and tells the guard: whoever undoes it need not wait for it to come.
func (r *Runner) heard(ctx context.Context, f *injection) {
	u := &f.action.Undo
	if u.Flight == 0 {
		return
	}
	u.Flight = 0
	_ = r.Guard.Arm(context.WithoutCancel(ctx), *u) // else it waits, which harms nothing
}
