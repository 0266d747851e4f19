package chaos

import (
	"bytes"
	"fmt"
	"os"

	"github.com/assay-dev/assay"
)

// Attributes that say where a process id, a file and a packet filter are meant, beside attrBoot.
const (
	attrHost    = "host"    // name, for people
	attrMachine = "machine" // its id; its name where it has none
	attrPIDs    = "pid_ns"  // namespace of process ids
)

// here returns where this process is.
func here() map[string]string {
	name, _ := os.Hostname()
	id, _ := os.ReadFile("/etc/machine-id")
	machine := string(bytes.TrimSpace(id))
	if machine == "" {
		machine = name
	}
	ns, _ := os.Readlink("/proc/self/ns/pid")
	return map[string]string{attrHost: name, attrMachine: machine, attrPIDs: ns, attrBoot: bootID()}
}

// elsewhere says why what an event tells of is not to be looked for here; "" if it is, or may be. A namespace is one of a boot.
func elsewhere(e *assay.Event) string {
	now := here()
	was := func(key string) string { return e.Attrs[key] }
	differs := func(key string) bool { return was(key) != "" && now[key] != "" && was(key) != now[key] }
	switch {
	case differs(attrMachine):
		return "it lies on another machine: heal it on host " + was(attrHost)
	case !differs(attrBoot) && differs(attrPIDs):
		return fmt.Sprintf("it lies in another container of this machine (%s, here is %s): heal it on host %s", was(attrPIDs), now[attrPIDs], was(attrHost))
	}
	return ""
}
