package chaos

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// deviceOf names the device behind a file as control groups do: c major:minor.
func deviceOf(node string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(node, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", node, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return "", fmt.Errorf("%s is no device", node)
	}
	return fmt.Sprintf("c %d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))), nil
}

// joinCgroup moves this process into a control group.
func joinCgroup(dir string) error { return move(os.Getpid(), dir) }
