package chaos

import (
	"strings"
	"testing"
	"time"
)

// The disk that the run itself writes to is filled only as far as the plan says.
func TestDiskOfTheRun(t *testing.T) {
	t.Parallel()
	if err := disksWork(); err != nil {
		t.Skip(err)
	}
	run, dir := t.TempDir(), t.TempDir()
	d := &Local{Spare: []string{run}}
	step := Step{Fault: "disk", Dir: dir, For: time.Second}
	if _, err := planDisk(t.Context(), d, &step, Victim{}); err == nil || !strings.Contains(err.Error(), "lies on the same disk as "+run) {
		t.Errorf("without bytes: %v", err)
	}
	step.Bytes = 1 << 20
	if _, err := planDisk(t.Context(), d, &step, Victim{}); err != nil {
		t.Errorf("with bytes: %v", err)
	}
}

// More memory than this machine can spare is refused before the run.
func TestMemoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := availableMemory(); err != nil {
		t.Skip(err)
	}
	s := Step{Fault: "memory", Bytes: 1 << 50}
	if w := checkFree(&s); len(w) != 1 || w[0].Path != "bytes" || !strings.Contains(w[0].Msg, "is more than half of the ") {
		t.Errorf("got %v", w)
	}
}
