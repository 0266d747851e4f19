package sandbox

import (
	"os/exec"
	"runtime"
	"sync"
)

// A spawner starts processes from one operating-system thread that lives as long as the
// spawner. The kernel ties the parent-death signal to the thread that forked: were it an
// ordinary one, the runtime could retire it and with it all workers.
type spawner struct {
	starts chan start
	wg     sync.WaitGroup
}

type start struct {
	cmd *exec.Cmd
	err chan error
}

// newSpawner returns a spawner whose processes have the given scheduling priority from their first instruction on.
func newSpawner(nice int) *spawner {
	s := &spawner{starts: make(chan start)}
	s.wg.Go(func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		reniceThread(nice)
		for st := range s.starts {
			dieWithParent(st.cmd)
			st.err <- st.cmd.Start()
		}
	})
	return s
}

// start starts the command. It must not be called after close.
func (s *spawner) start(cmd *exec.Cmd) error {
	st := start{cmd, make(chan error, 1)}
	s.starts <- st
	return <-st.err
}

// close ends the spawner and kills what it started and still runs.
func (s *spawner) close() {
	close(s.starts)
	s.wg.Wait()
}
