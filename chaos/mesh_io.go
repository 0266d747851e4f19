package chaos

import (
	"fmt"
	"math"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

// Modes of io.
const (
	ioLatency = "latency"
	ioErrno   = "errno"
)

func (s *Step) ioMode() string {
	if s.Mode == "" {
		return ioLatency
	}
	return s.Mode
}

func checkIO(s *Step) []Wrong {
	var w []Wrong
	bad := func(path, format string, args ...any) { w = append(w, Wrong{path, fmt.Sprintf(format, args...)}) }
	switch {
	case s.ioMode() == ioLatency && s.Delay <= 0:
		bad("delay", "%v delays nothing; for example 100ms", s.Delay)
	case s.ioMode() == ioLatency && s.Errno != 0:
		bad("errno", "belongs to mode errno, not latency")
	case s.ioMode() == ioErrno && (s.Errno < 1 || s.Errno > 133):
		bad("errno", "%d is no error number; for example 5, an I/O error", s.Errno)
	case s.ioMode() == ioErrno && s.Delay != 0:
		bad("delay", "belongs to mode latency, not errno")
	case s.ioMode() != ioLatency && s.ioMode() != ioErrno:
		bad("mode", "%q is no mode of io; one of latency, errno", s.Mode)
	}
	if !strings.HasPrefix(s.Dir, "/") {
		bad("dir", "%q is no absolute path of a directory; want where the pod mounts the volume", s.Dir)
	}
	if s.Probability != 0 && !(s.Probability >= 0.01 && s.Probability <= 1) {
		bad("probability", "%s is out of range; 1%% to 100%% of the calls", share(s.Probability))
	}
	return w
}

func meshIO(s *Step) (mesh.Object, error) {
	o := mesh.New("IOChaos").(*v1alpha1.IOChaos)
	o.Spec.VolumePath, o.Spec.Percent = s.Dir, 100
	if s.Probability > 0 {
		o.Spec.Percent = int(math.Round(100 * s.Probability))
	}
	if s.ioMode() == ioErrno {
		o.Spec.Action, o.Spec.Errno = v1alpha1.IoFaults, uint32(s.Errno)
		return o, nil
	}
	o.Spec.Action, o.Spec.Delay = v1alpha1.IoLatency, s.Delay.String()
	return o, nil
}

func deedIO(s *Step) string {
	what := fmt.Sprintf("delayed by %v", s.Delay)
	if s.ioMode() == ioErrno {
		what = fmt.Sprintf("failing with error %d", s.Errno)
	}
	if s.Probability > 0 {
		return fmt.Sprintf("%s of the calls to files below %s %s", share(s.Probability), s.Dir, what)
	}
	return fmt.Sprintf("calls to files below %s %s", s.Dir, what)
}
