package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/lambda"
)

// Lambda is the driver for one function of AWS Lambda, through its control API. A limit of concurrency can be given an end that AWS itself enforces, by
// a schedule; a changed environment cannot, since the schedule would have to hold the values of all its variables.
type Lambda struct {
	API       *lambda.Client
	Qualifier string        // that the load calls; "": the unpublished version
	Role      string        // that EventBridge Scheduler ends a fault with; "": nothing in AWS does
	Grace     time.Duration // how long after its time a fault may still be reverted by us; default 1 m
	Patience  time.Duration // how long AWS may take to act; default 1 m
	Flight    time.Duration // how long a request of ours whose answer was not heard may still be carried out; default 1 m
	Poll      time.Duration // how often it is looked at; default 500 ms

	// Refused makes one request as the load does and reports whether the platform refused it for its limit, with what it said. Nil: whether a
	// limit is in effect is not measured but what Lambda says.
	Refused func(ctx context.Context) (refused bool, said string)
}

var _ Driver = (*Lambda)(nil)

// lambdaDeeds is how the driver does each kind of fault.
func lambdaDeeds() map[string]func(ctx context.Context, d *Lambda, s *Step) (*Action, error) {
	return map[string]func(ctx context.Context, d *Lambda, s *Step) (*Action, error){
		"concurrency": planReserve, "throttle": planReserve, "cold": planTouch, "access": planHide,
	}
}

func lambdaTable() map[string]does {
	return map[string]does{
		"cold":        {check: whole, preview: previewCold},
		"access":      {settings: []string{"variable"}, check: checkAccess, preview: previewAccess},
		"concurrency": {settings: []string{"concurrency"}, check: checkConcurrency, preview: previewConcurrency},
		"throttle":    {check: whole, preview: previewThrottle},
	}
}

// Victims returns the function as a whole; of its execution environments nothing is known.
func (d *Lambda) Victims(context.Context, *Step) ([]Victim, int, error) {
	return []Victim{{ID: assay.WholeTarget, State: Ready}}, 1, nil
}

// Plan makes the action of a step.
func (d *Lambda) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	plan, ok := lambdaDeeds()[s.Fault]
	if !ok {
		return nil, fmt.Errorf("plan %s of %s: no fault by lambda", s.Fault, v.ID)
	}
	a, err := plan(ctx, d, s)
	if err != nil {
		return nil, fmt.Errorf("plan %s of %s: %w", s.Fault, v.ID, err)
	}
	a.Kind, a.Target, a.Patience = s.Fault, v.ID, orElse(d.Patience, time.Minute)
	a.Undo.Kind, a.Undo.Flight = UndoFunction, orElse(d.Flight, defaultFlight)
	a.Holds = []string{"lambda:" + lambdaHeld(s)}
	return a, nil
}

// lambdaHeld is what a fault changes of the function: its limit of concurrency, or a variable.
func lambdaHeld(s *Step) string {
	switch s.Fault {
	case "concurrency", "throttle":
		return "limit"
	case "access":
		return "variable:" + s.change().Variable
	}
	return s.Fault
}

// Check returns an error if the steps cannot be done: the function is not there or cannot be changed so, or we lack a right. It changes nothing. Its
// notes are what could not be checked.
func (d *Lambda) Check(ctx context.Context, steps []Step) (notes []string, err error) {
	for i := range steps {
		if s := &steps[i]; s.by() == ByLambda {
			if _, err := d.Plan(ctx, s, Victim{ID: assay.WholeTarget}); err != nil {
				return nil, err
			}
		}
	}
	if d.Role == "" {
		return nil, nil
	}
	if _, err := d.API.Scheduled(ctx, "assay-"+newID()); err != nil {
		return nil, err
	}
	return []string{"whether the schedule may act as " + d.Role + " was not checked: AWS tells only when it is made"}, nil
}

func newID() string {
	id := make([]byte, 5)
	rand.Read(id)
	return hex.EncodeToString(id)
}

func (d *Lambda) undo() *functionUndo {
	return &functionUndo{Function: d.API.Function, Region: d.API.Region, Endpoint: d.API.Endpoint, Scheduler: d.API.Schedule}
}

// After returns how long after it was planned AWS ends a fault that is held for h.
func (d *Lambda) After(h time.Duration) time.Duration {
	return h + orElse(d.Grace, time.Minute) + lambda.Precision
}

// planReserve sets the function's limit of concurrency, to zero for a throttle.
func planReserve(ctx context.Context, d *Lambda, s *Step) (*Action, error) {
	was, err := d.API.Concurrency(ctx)
	if err != nil {
		return nil, err
	}
	n := value(s.change().Concurrency)
	if sameLimit(was, &n) {
		return nil, fmt.Errorf("the concurrency of the function %s is %d already", d.API.Function, n)
	}
	u := d.undo()
	u.Limit = &reserved{was, &n}
	ends := time.Now().Add(s.For + orElse(d.Grace, time.Minute)).Truncate(time.Second)
	a := &Action{Undo: Undo{Function: u}, Touches: []string{fmt.Sprintf("the reserved concurrency of the function %s: %s, was %s", d.API.Function, limitText(&n), limitText(was))}}
	if d.Role != "" {
		u.Schedule, a.Undo.Expires = "assay-"+newID(), ends.Add(lambda.Precision).UnixNano()
	}
	a.Apply = func(ctx context.Context, stamp func()) error {
		if u.Schedule != "" {
			if err := d.API.Later(ctx, u.Schedule, d.Role, ends, was); err != nil {
				return err
			}
			if err := d.watch(ctx, func() error {
				there, err := d.API.Scheduled(ctx, u.Schedule)
				if err == nil && !there {
					err = fmt.Errorf("the schedule %s is not seen", u.Schedule)
				}
				return err
			}); err != nil {
				return err
			}
		}
		return d.unlessBusy(ctx, func() error {
			if now, err := d.API.Concurrency(ctx); err != nil {
				return err
			} else if !sameLimit(now, was) && !sameLimit(now, &n) {
				return fmt.Errorf("it was changed by somebody else since the fault was planned: %s", limitText(now))
			}
			stamp()
			return d.API.SetConcurrency(ctx, &n)
		})
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			now, err := d.API.Concurrency(ctx)
			if err != nil {
				return err
			}
			if !sameLimit(now, &n) {
				return fmt.Errorf("Lambda says that its concurrency is %s", limitText(now))
			}
			effect = fmt.Sprintf("Lambda says that its concurrency is %d; not measured by us", n)
			a.Basis = assay.EffectTold
			if n > 0 || d.Refused == nil {
				return nil
			}
			refused, said := d.Refused(ctx)
			if !refused {
				return fmt.Errorf("Lambda says that its concurrency is 0, but a request was not refused: %s", said)
			}
			effect, a.Basis = "a request of ours was refused: "+said, assay.EffectMeasured
			return nil
		})
		return effect, err
	}
	return a, nil
}

// planHide hides a variable from new execution environments by giving it another name.
func planHide(ctx context.Context, d *Lambda, s *Step) (*Action, error) {
	name := s.change().Variable
	u := d.undo()
	u.Hidden = name
	return d.planVariables(ctx, u, fmt.Sprintf("the name of the variable %s of the function %s", name, d.API.Function), func(vars map[string]string) error {
		v, ok := vars[name]
		if !ok {
			return fmt.Errorf("the function %s has no variable %s", d.API.Function, name)
		}
		if _, ok := vars[hidden+name]; ok {
			return fmt.Errorf("the variable %s of the function %s is hidden already", name, d.API.Function)
		}
		vars[hidden+name] = v
		delete(vars, name)
		return nil
	})
}

// touch is the variable that makes a function's environment another one.
const touch = "ASSAY_FAULT_COLD"

// planTouch makes the function cold: an execution environment of a configuration that was changed is not used again. The undo changes it once more.
func planTouch(ctx context.Context, d *Lambda, _ *Step) (*Action, error) {
	u := d.undo()
	u.Touched = touch
	return d.planVariables(ctx, u, fmt.Sprintf("a variable %s of ours in the environment of the function %s", touch, d.API.Function), func(vars map[string]string) error {
		vars[touch] = strconv.FormatInt(time.Now().UnixNano(), 36)
		return nil
	})
}

// planVariables makes the action that edits the names of the function's variables. No value of theirs is kept.
func (d *Lambda) planVariables(ctx context.Context, u *functionUndo, touches string, edit func(map[string]string) error) (*Action, error) {
	if d.Qualifier != "" && d.Qualifier != "$LATEST" || strings.Count(d.API.Function, ":") == 7 || !strings.HasPrefix(d.API.Function, "arn:") && strings.Count(d.API.Function, ":") == 1 {
		return nil, errors.New("a published version or an alias is called, whose environment cannot be changed")
	}
	c, err := d.API.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	if err := edit(copyOf(c.Environment.Variables)); err != nil {
		return nil, err
	}
	a := &Action{Undo: Undo{Function: u}, Touches: []string{touches}}
	a.Apply = func(ctx context.Context, stamp func()) error {
		return d.unlessBusy(ctx, func() error {
			c, err := settled(ctx, d.API)
			if err != nil {
				return err
			}
			vars := copyOf(c.Environment.Variables)
			if err := edit(vars); err != nil {
				return err
			}
			stamp()
			return d.API.SetVariables(ctx, vars, c.RevisionID)
		})
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			c, err := d.API.Configuration(ctx)
			switch {
			case err != nil:
				return err
			case u.clean(c.Environment.Variables):
				return errors.New("Lambda does not show the change")
			case c.LastUpdateStatus != "Successful":
				return fmt.Errorf("Lambda says that the update is %s: %s", c.LastUpdateStatus, c.UpdateReason)
			}
			effect, a.Basis = "Lambda says that the configuration was changed, so that no execution environment is used again; not measured by us", assay.EffectTold
			return nil
		})
		return effect, err
	}
	return a, nil
}

func copyOf(vars map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range vars {
		out[k] = v
	}
	return out
}

// unlessBusy calls change until it succeeds or fails for another reason than that the function is being changed.
func (d *Lambda) unlessBusy(ctx context.Context, change func() error) error {
	ctx, cancel := context.WithTimeout(ctx, orElse(d.Patience, time.Minute))
	defer cancel()
	var failed error
	err := d.watch(ctx, func() error {
		err := change()
		if err != nil && !lambda.Busy(err) {
			failed = err
			return nil
		}
		return err
	})
	return errors.Join(failed, err)
}

func (d *Lambda) watch(ctx context.Context, look func() error) error {
	return until(ctx, orElse(d.Poll, 500*time.Millisecond), look)
}
