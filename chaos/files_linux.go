package chaos

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeInherited closes the files beyond stderr that came with the process. They lack the
// close-on-exec flag, or they would not have come; files that this program has opened have it. A
// guardian that held the pipes of its ancestors open would keep whoever reads them waiting.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}
