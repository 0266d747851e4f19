package k6

import "context"

// A turn holds, for one virtual user, when the iteration it runs was due. The executor sets it before the iteration and
// the module takes it for the first request, both on the goroutine of that virtual user.
type turn struct{ due int64 }

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
