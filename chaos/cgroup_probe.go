package chaos

// CgroupsWork reports why no process can be put into a control group of ours under a controller (cpu, memory, devices), or nil. It touches nothing.
func CgroupsWork(controller string) error { return cgroupsWork(controller)() }
