//go:build !linux

package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
)

// Off Linux a killed platform is survived by its workers until they notice that their standard
// output is gone; there are no process groups and priorities here.

func dieWithParent(*exec.Cmd) {}

func ownGroup(*exec.Cmd) {}

func reniceThread(int) {}

func reniceProcess(int) {}

// StartTicks is known on Linux only.
func StartTicks(pid int) (uint64, error) {
	return 0, errors.New("the start of a process is known on Linux only")
}

func killGroup(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func awaitLeader(int) {}

func exitCause(st *os.ProcessState) (code, signal string) {
	if c := st.ExitCode(); c >= 0 {
		return strconv.Itoa(c), ""
	}
	return "", st.String()
}
