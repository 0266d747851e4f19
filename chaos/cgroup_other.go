//go:build !linux

package chaos

func cgroupsWork(string) func() error { return func() error { return errNoCgroups } }

func newCgroup(Process, string) (*cgroup, error) { return nil, errNoCgroups }

func (g *cgroup) make() error                 { return errNoCgroups }
func (g *cgroup) write(string, string) error  { return errNoCgroups }
func (g *cgroup) read(string) ([]byte, error) { return nil, errNoCgroups }
func (g *cgroup) take(Process) error          { return errNoCgroups }
func (g *cgroup) holds(Process) (bool, error) { return false, errNoCgroups }

func emptyCgroup(string, string) error { return errNoCgroups }

func cgroupGone(string) error { return errNoCgroups }
