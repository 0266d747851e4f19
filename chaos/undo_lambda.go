package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/lambda"
)

// UndoFunction puts back what a fault changed of a Lambda function: its limit of concurrency, or the names of variables. What somebody else has
// changed meanwhile is left as it is and reported.
const UndoFunction = "function"

// A functionUndo says what was changed of a function. It holds no credentials, and of variables only their names.
type functionUndo struct {
	Function  string    `json:"function"`
	Region    string    `json:"region"`
	Endpoint  string    `json:"endpoint,omitempty"`
	Scheduler string    `json:"scheduler,omitempty"`
	Limit     *reserved `json:"limit,omitempty"`    // exactly one of these three
	Hidden    string    `json:"hidden,omitempty"`   // the variable that has another name
	Touched   string    `json:"touched,omitempty"`  // the variable that is ours
	Schedule  string    `json:"schedule,omitempty"` // name of the schedule that gives the limit back if nobody else does; "": there is none
}

// reserved is the concurrency that is reserved for a function; nil where none is.
type reserved struct {
	Was  *int `json:"was"`
	Ours *int `json:"ours"`
}

var functionUndoKind = undoKind{
	remote: true,
	check: func(u *Undo) error {
		f := u.Function
		if f == nil || f.Function == "" || f.Region == "" || f.Limit == nil && f.Hidden == "" && f.Touched == "" {
			return errors.New("no function")
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		f, api := u.Function, functionOf(u.Function)
		if f.Limit != nil {
			return u.endedBy("AWS", f.giveBack(ctx, api))
		}
		return f.rename(ctx, api)
	},
	away: func(ctx context.Context, u *Undo) error {
		return u.endedBy("AWS", u.Function.gone(ctx, functionOf(u.Function)))
	},
	text: func(u *Undo) string {
		f := u.Function
		text := "aws lambda delete-function-concurrency --region " + f.Region + " --function-name " + f.Function
		switch {
		case f.Hidden != "":
			text = fmt.Sprintf("in the environment of the function %s (%s), rename the variable %s%s to %s", f.Function, f.Region, hidden, f.Hidden, f.Hidden)
		case f.Touched != "":
			text = fmt.Sprintf("in the environment of the function %s (%s), remove the variable %s", f.Function, f.Region, f.Touched)
		case f.Limit.Was != nil:
			text = strings.Replace(text, "delete-", "put-", 1) + fmt.Sprintf(" --reserved-concurrent-executions %d", *f.Limit.Was)
		}
		if f.Schedule != "" {
			text += fmt.Sprintf("; if nobody does, the schedule %s does so by %s", f.Schedule, time.Unix(0, u.Expires).UTC().Format(time.RFC3339))
		}
		return text
	},
}

// giveBack restores the limit of concurrency. It writes it even if it seems to be there: what AWS shows may be older than the fault.
func (f *functionUndo) giveBack(ctx context.Context, api *lambda.Client) error {
	now, err := api.Concurrency(ctx)
	switch {
	case lambda.NotFound(err):
		return nil // the function is gone
	case err != nil:
		return err
	case !sameLimit(now, f.Limit.Was) && !sameLimit(now, f.Limit.Ours):
		return f.others(now)
	}
	if err := api.SetConcurrency(ctx, f.Limit.Was); err != nil && !lambda.NotFound(err) {
		return err
	}
	if f.Schedule != "" {
		return api.Never(ctx, f.Schedule)
	}
	return nil
}

func (f *functionUndo) others(now *int) error {
	return fmt.Errorf("the concurrency of the function %s is %s now, was %s before the fault and %s in it: somebody else changed it meanwhile, so it is left as it is",
		f.Function, limitText(now), limitText(f.Limit.Was), limitText(f.Limit.Ours))
}

func sameLimit(a, b *int) bool { return (a == nil) == (b == nil) && value(a) == value(b) }

func limitText(n *int) string {
	if n == nil {
		return "not reserved"
	}
	return fmt.Sprint(*n)
}

// rename gives a hidden variable its name back, or removes one of ours.
func (f *functionUndo) rename(ctx context.Context, api *lambda.Client) error {
	waited := false
	for {
		c, err := settled(ctx, api)
		if lambda.NotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		vars := c.Environment.Variables
		if f.clean(vars) {
			if waited {
				return nil
			}
			if err := pause(ctx, arrival); err != nil {
				return err
			}
			waited = true
			continue
		}
		if f.Hidden != "" {
			if _, there := vars[f.Hidden]; there {
				return fmt.Errorf("the function %s has the variables %s and %s%s: somebody else added one meanwhile, so they are left as they are", f.Function, f.Hidden, hidden, f.Hidden)
			}
			vars[f.Hidden] = vars[hidden+f.Hidden]
			delete(vars, hidden+f.Hidden)
		}
		delete(vars, f.Touched)
		if err := api.SetVariables(ctx, vars, c.RevisionID); !lambda.Busy(err) {
			return err
		}
	}
}

// clean reports whether nothing of the fault is among the variables.
func (f *functionUndo) clean(vars map[string]string) bool {
	_, out := vars[hidden+f.Hidden]
	_, touched := vars[f.Touched]
	return !(f.Hidden != "" && out) && !(f.Touched != "" && touched)
}

// gone looks once whether the change is away.
func (f *functionUndo) gone(ctx context.Context, api *lambda.Client) error {
	if f.Limit == nil {
		c, err := api.Configuration(ctx)
		switch {
		case lambda.NotFound(err):
			return nil
		case err != nil:
			return err
		case !f.clean(c.Environment.Variables):
			return fmt.Errorf("the function %s still has the variables of the fault", f.Function)
		case c.LastUpdateStatus == "InProgress":
			return fmt.Errorf("the function %s is still being updated", f.Function)
		}
		return nil
	}
	now, err := api.Concurrency(ctx)
	switch {
	case lambda.NotFound(err):
		return nil
	case err != nil:
		return err
	case sameLimit(now, f.Limit.Was):
	case sameLimit(now, f.Limit.Ours):
		return fmt.Errorf("the concurrency of the function %s is still %s", f.Function, limitText(now))
	default:
		return f.others(now)
	}
	if f.Schedule != "" {
		there, err := api.Scheduled(ctx, f.Schedule)
		if err == nil && there {
			err = fmt.Errorf("the schedule %s is still there", f.Schedule)
		}
		return err
	}
	return nil
}

// settled waits until no update of the function is under way.
func settled(ctx context.Context, api *lambda.Client) (c lambda.Configuration, err error) {
	err = until(ctx, 250*time.Millisecond, func() error {
		var e error
		if c, e = api.Configuration(ctx); e == nil && (c.LastUpdateStatus == "InProgress" || c.State == "Pending") {
			e = fmt.Errorf("the function %s is being updated", api.Function)
		}
		if lambda.NotFound(e) {
			return nil
		}
		return e
	})
	if err == nil && c.RevisionID == "" {
		_, err = api.Configuration(ctx) // says that it is not there
	}
	return c, err
}

// functions keeps a client for each function, so that looking again and again fetches no keys each time.
var functions struct {
	sync.Mutex
	known map[[4]string]*lambda.Client
}

func functionOf(f *functionUndo) *lambda.Client {
	functions.Lock()
	defer functions.Unlock()
	key := [4]string{f.Function, f.Region, f.Endpoint, f.Scheduler}
	c := functions.known[key]
	if c == nil {
		c = &lambda.Client{Function: f.Function, Region: f.Region, Endpoint: f.Endpoint, Schedule: f.Scheduler}
		if functions.known == nil {
			functions.known = map[[4]string]*lambda.Client{}
		}
		functions.known[key] = c
	}
	return c
}
