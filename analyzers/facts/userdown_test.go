package facts

import "testing"

func TestUsersDown(t *testing.T) {
	const s = int64(1e9)
	a, b := UserHash("a"), UserHash("b")
	seq := []touch{
		{due: 1 * s, user: a, state: touchFailed}, // before the fault, and still down when it begins
		{due: 4 * s, user: a, state: touchFailed},
		{due: 5 * s, user: b, state: touchSlow}, // slow is not down
		{due: 6 * s, user: 0, state: touchFailed},
		{due: 7 * s, user: a, state: touchSilent},
		{due: 9 * s, user: a, state: touchWell},
		{due: 12 * s, user: a, state: touchFailed}, // and gone for longer than Away
		{due: 13 * s, user: b, state: touchFailed}, // comes again after the end
		{due: 18 * s, user: b, state: touchWell},
		{due: 60 * s, user: a, state: touchWell},
	}
	if got, want := usersDown(seq, 2*s, 15*s), (2+5+2)*s; got != want {
		t.Errorf("down for %d s, want %d", got/s, want/s)
	}
	if UserHash("") != 0 || a == b {
		t.Error("hashes")
	}
}
