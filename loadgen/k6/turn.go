package k6

import (
	"context"

	"github.com/assay-dev/assay/internal/trace"
	"github.com/assay-dev/assay/loadgen"
)

// A turn holds, for one virtual user, the iteration it runs: when it was due and what a trace says of it. The executor sets it before
// the iteration and the module takes it, both on the goroutine of that virtual user.
type turn struct {
	due  int64       // 0: taken
	item *trace.Item // nil without a trace
	seed uint64
	own  uint64 // number of the iteration in the whole schedule, from 1
}

type turnKey struct{}

func withTurn(ctx context.Context, t *turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// turnOf returns the turn of the virtual user whose context ctx is, or nil where its executor has no schedule.
func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}

// take returns when the iteration was due, once, and 0 after that.
func (t *turn) take() int64 {
	due := t.due
	t.due = 0
	return due
}

// A row is what a trace says of the iteration, for the script. What the trace does not tell is 0 or empty.
type row struct {
	PromptTokens int32  `js:"promptTokens"`
	MaxTokens    int32  `js:"maxTokens"`
	Class        string `js:"class"`
	Session      string `js:"session"`

	turn turn
}

// Prompt makes up a prompt as long as the trace says; prompts with the same prefix blocks begin with the same text.
func (r *row) Prompt() string {
	return loadgen.Text(r.turn.item, r.turn.seed, r.turn.own)
}
