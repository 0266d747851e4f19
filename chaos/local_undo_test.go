package chaos

import (
	"context"
	"testing"
)

// What was not made by us is neither emptied nor removed, and each undo can be done by hand.
func TestUndoOfOurOwnOnly(t *testing.T) {
	mark := newMark()
	for _, u := range []Undo{{Kind: UndoCgroup, Path: "/sys/fs/cgroup/cpu", Home: "/sys/fs/cgroup"}, {Kind: UndoCgroup, Path: "/g/" + mark},
		{Kind: UndoRule}, {Kind: UndoRule, Mark: "filter"}, {Kind: UndoUnmount, Path: "/d"}, {Kind: UndoUnmount, Mark: mark}, {Kind: UndoUnmount, Path: "/", Mark: mark}, {Kind: UndoUnmount, Path: "/d", Mark: "ext4"},
		{Kind: UndoCgroup, Path: "/g/" + mark, Home: "/g/../x"}, {Kind: UndoCgroup, Path: "g/" + mark, Home: "/g"}} {
		if err := u.Do(context.Background()); err == nil {
			t.Errorf("did %+v", u)
		}
		if err := u.Verify(context.Background()); err == nil {
			t.Errorf("verified %+v", u)
		}
	}
	for want, u := range map[string]Undo{
		"nft delete table inet " + mark:        {Kind: UndoRule, Mark: mark},
		"umount -l /d; pkill -TERM -f " + mark: {Kind: UndoUnmount, Path: "/d", Mark: mark},
		"for p in $(cat /g/" + mark + "/cgroup.procs); do echo $p > /g/cgroup.procs; done; rmdir /g/" + mark: {Kind: UndoCgroup, Path: "/g/" + mark, Home: "/g"},
	} {
		if got := u.String(); got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
}
