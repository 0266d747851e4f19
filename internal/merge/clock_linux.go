package merge

import "golang.org/x/sys/unix"

// unsynchronized is what the kernel says of a clock that nothing disciplines.
const unsynchronized = 5

// wallError returns the most that the wall clock may be off, in ns, as the kernel accounts for it; 0 where nothing synchronizes it.
func wallError() int64 {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil || state == unsynchronized || tx.Maxerror <= 0 {
		return 0
	}
	return tx.Maxerror * 1000
}
