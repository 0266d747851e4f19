package chaos

import (
	"fmt"
	"strconv"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

// Modes of http by Chaos Mesh beyond those of the fault proxy.
const httpAbort = "abort"

func checkMeshHTTP(s *Step) []Wrong {
	var w []Wrong
	bad := func(path, format string, args ...any) { w = append(w, Wrong{path, fmt.Sprintf(format, args...)}) }
	switch mode := s.requestMode(); {
	case mode == "status" && (s.Status < 400 || s.Status > 599):
		bad("status", "%d is out of range; want 400 to 599", s.Status)
	case mode == "latency" && s.Delay <= 0:
		bad("delay", "%v delays nothing; want more than 0", s.Delay)
	case mode != "status" && mode != "latency" && mode != httpAbort:
		bad("mode", "%q is no mode of http by Chaos Mesh; one of status, latency, abort", s.Mode)
	}
	if s.requestMode() != "status" && (s.Status != 0 || s.RetryAfter != 0) {
		bad("status", "belongs to mode status, not %s", s.requestMode())
	}
	if s.requestMode() != "latency" && s.Delay != 0 {
		bad("delay", "belongs to mode latency, not %s", s.requestMode())
	}
	if s.RetryAfter%time.Second != 0 {
		bad("retryAfter", "%v; want whole seconds", s.RetryAfter)
	}
	if s.Port < 1 || s.Port > 65535 {
		bad("port", "%d is no port; want the port that the container listens on", s.Port)
	}
	return w
}

func meshHTTP(s *Step) (mesh.Object, error) {
	o := mesh.New("HTTPChaos").(*v1alpha1.HTTPChaos)
	all := "*"
	o.Spec.Port, o.Spec.Path, o.Spec.Target = int32(s.Port), &all, v1alpha1.PodHttpRequest
	switch s.requestMode() {
	case httpAbort:
		yes := true
		o.Spec.Abort = &yes
	case "latency":
		d := s.Delay.String()
		o.Spec.Delay = &d
	default:
		code := int32(s.Status)
		o.Spec.Target = v1alpha1.PodHttpResponse
		o.Spec.Replace = &v1alpha1.PodHttpChaosReplaceActions{Code: &code}
		if s.RetryAfter > 0 {
			o.Spec.Replace.Headers = map[string]string{"Retry-After": strconv.Itoa(int(s.RetryAfter / time.Second))}
		}
	}
	return o, nil
}

func deedMeshHTTP(s *Step) string {
	text := s.requestMode()
	switch text {
	case "latency":
		text = fmt.Sprintf("%v late", s.Delay)
	case "status":
		text = fmt.Sprintf("answered with status %d", s.Status)
		if s.RetryAfter > 0 {
			text += fmt.Sprintf(" and Retry-After %v", s.RetryAfter)
		}
	case httpAbort:
		text = "aborted"
	}
	return fmt.Sprintf("requests to port %d %s (on new connections, without TLS)", s.Port, text)
}
