package mesh

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
)

// action checks that an experiment's action is known and has its block, and that what stands in it is in range.
func (c *checker) action(path string, o v1alpha1.InnerObject) {
	switch x := o.(type) {
	case *v1alpha1.PodChaos:
		c.oneOf(path, string(x.Spec.Action), "pod-kill", "pod-failure", "container-kill")
		c.atLeast(path+".gracePeriod", x.Spec.GracePeriod, 0)
	case *v1alpha1.NetworkChaos:
		c.network(path, &x.Spec)
	case *v1alpha1.StressChaos:
		c.stress(path, &x.Spec)
	case *v1alpha1.IOChaos:
		c.io(path, &x.Spec)
	case *v1alpha1.HTTPChaos:
		s := &x.Spec
		c.oneOfAt(path+".target", string(s.Target), "Request", "Response")
		if s.Abort == nil && s.Delay == nil && s.Replace == nil && s.Patch == nil {
			c.bad(path, "has no action; one of abort, delay, replace, patch")
		}
		if s.Abort != nil && !*s.Abort {
			c.bad(path+".abort", "is false, which does nothing")
		}
		if s.Delay != nil {
			c.positive(path+".delay", *s.Delay)
		}
		if s.Port < 1 || s.Port > 65535 {
			c.bad(path+".port", "%d is no port; 1 to 65535", s.Port)
		}
	case *v1alpha1.TimeChaos:
		if d, err := time.ParseDuration(x.Spec.TimeOffset); err != nil || d == 0 {
			c.bad(path+".timeOffset", "%q shifts no clock; for example -10m", x.Spec.TimeOffset)
		}
	case *v1alpha1.DNSChaos:
		c.oneOf(path, string(x.Spec.Action), "error", "random")
	case *v1alpha1.AWSChaos:
		c.oneOf(path, string(x.Spec.Action), "ec2-stop", "ec2-restart", "detach-volume")
		if x.Spec.Action == v1alpha1.DetachVolume && (x.Spec.EbsVolume == nil || x.Spec.DeviceName == nil) {
			c.bad(path+".volumeID", "detach-volume needs volumeID and deviceName")
		}
	case *v1alpha1.GCPChaos:
		c.oneOf(path, string(x.Spec.Action), "node-stop", "node-reset", "disk-loss")
		if x.Spec.Action == v1alpha1.DiskLoss && len(x.Spec.DeviceNames) == 0 {
			c.bad(path+".deviceNames", "disk-loss needs deviceNames")
		}
	case *v1alpha1.AzureChaos:
		c.oneOf(path, string(x.Spec.Action), "vm-stop", "vm-restart", "disk-detach")
		if x.Spec.Action == v1alpha1.AzureDiskDetach && (x.Spec.DiskName == nil || x.Spec.LUN == nil) {
			c.bad(path+".diskName", "disk-detach needs diskName and lun")
		}
	case *v1alpha1.BlockChaos:
		c.oneOf(path, string(x.Spec.Action), "delay")
		if x.Spec.Delay == nil {
			c.bad(path+".delay", "is missing: the block of action delay")
		}
	case *v1alpha1.KernelChaos:
		if p := x.Spec.FailKernRequest.Probability; p < 1 || p > 100 {
			c.bad(path+".failKernRequest.probability", "%d%% is out of range; 1 to 100", p)
		}
	}
}

func (c *checker) oneOf(path, action string, allowed ...string) {
	c.oneOfAt(path+".action", action, allowed...)
}

func (c *checker) oneOfAt(path, got string, allowed ...string) {
	if !slices.Contains(allowed, got) {
		c.bad(path, "%q is unknown; one of %s", got, strings.Join(allowed, ", "))
	}
}

func (c *checker) atLeast(path string, n, least int64) {
	if n < least {
		c.bad(path, "%d is out of range; at least %d", n, least)
	}
}

// positive demands a duration of more than nothing.
func (c *checker) positive(path, text string) {
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		c.bad(path, "%q delays nothing; for example 200ms", text)
	}
}

// percent demands a part of a whole, as the text of a number.
func (c *checker) percent(path, text string, least float64) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= least && v <= 100) || v == 0 && least > 0 {
		c.bad(path, "%q is out of range; a percentage of at most 100", text)
	}
}

// tiny is the least percentage of packets that can have been meant.
const tiny = 1e-4

func (c *checker) network(path string, s *v1alpha1.NetworkChaosSpec) {
	c.oneOf(path, string(s.Action), "netem", "delay", "loss", "duplicate", "corrupt", "partition", "bandwidth")
	has := map[string]bool{"delay": s.Delay != nil, "loss": s.Loss != nil, "duplicate": s.Duplicate != nil, "corrupt": s.Corrupt != nil, "bandwidth": s.Bandwidth != nil}
	need, must := has[string(s.Action)]
	switch {
	case must && !need:
		c.bad(path+"."+string(s.Action), "is missing: the block of action %s", s.Action)
	case s.Action == v1alpha1.NetemAction && s.Delay == nil && s.Loss == nil && s.Duplicate == nil && s.Corrupt == nil && s.Rate == nil:
		c.bad(path+".delay", "is missing: netem needs delay, loss, duplicate, corrupt or rate")
	}
	if (s.Direction == v1alpha1.From || s.Direction == v1alpha1.Both) && s.Target == nil {
		c.bad(path+".target", "is missing: direction %s needs the pods at the other end", s.Direction)
	}
	if s.Delay != nil {
		c.positive(path+".delay.latency", s.Delay.Latency)
		c.correlated(path+".delay", s.Delay.Correlation)
		if r := s.Delay.Reorder; r != nil {
			c.percent(path+".delay.reorder.reorder", r.Reorder, tiny)
		}
	}
	if s.Loss != nil {
		c.percent(path+".loss.loss", s.Loss.Loss, tiny)
		c.correlated(path+".loss", s.Loss.Correlation)
	}
	if s.Duplicate != nil {
		c.percent(path+".duplicate.duplicate", s.Duplicate.Duplicate, tiny)
		c.correlated(path+".duplicate", s.Duplicate.Correlation)
	}
	if s.Corrupt != nil {
		c.percent(path+".corrupt.corrupt", s.Corrupt.Corrupt, tiny)
		c.correlated(path+".corrupt", s.Corrupt.Correlation)
	}
	if b := s.Bandwidth; b != nil {
		if b.Rate == "" || strings.HasPrefix(b.Rate, "0") {
			c.bad(path+".bandwidth.rate", "%q passes nothing; for example 1mbps", b.Rate)
		}
		c.atLeast(path+".bandwidth.limit", int64(b.Limit), 1)
		c.atLeast(path+".bandwidth.buffer", int64(b.Buffer), 1)
	}
}

func (c *checker) correlated(path, text string) {
	if text != "" {
		c.percent(path+".correlation", text, 0)
	}
}

func (c *checker) stress(path string, s *v1alpha1.StressChaosSpec) {
	if s.StressngStressors != "" {
		c.bad(path+".stressngStressors", "cannot be checked; write stressors")
	}
	if s.Stressors == nil || s.Stressors.CPUStressor == nil && s.Stressors.MemoryStressor == nil {
		c.bad(path+".stressors", "is missing: cpu or memory")
		return
	}
	if p := s.Stressors.CPUStressor; p != nil {
		at := path + ".stressors.cpu"
		c.workers(at, p.Workers)
		if p.Load != nil && (*p.Load < 1 || *p.Load > 100) {
			c.bad(at+".load", "%d%% is out of range; 1 to 100 of each worker", *p.Load)
		}
		c.plainly(at, p.Options)
	}
	if m := s.Stressors.MemoryStressor; m != nil {
		at := path + ".stressors.memory"
		c.workers(at, m.Workers)
		if m.Size == "" {
			c.bad(at+".size", "is missing: without it all memory that is available is taken")
		}
		if p, ok := strings.CutSuffix(m.Size, "%"); ok {
			c.percent(at+".size", p, tiny)
		}
		if m.OOMScoreAdj < -1000 || m.OOMScoreAdj > 1000 {
			c.bad(at+".oomScoreAdj", "%d is out of range; -1000 to 1000", m.OOMScoreAdj)
		}
		c.plainly(at, m.Options)
	}
}

func (c *checker) workers(path string, n int) {
	if n < 1 || n > 1024 {
		c.bad(path+".workers", "%d is out of range; 1 to 1024", n)
	}
}

// plainly refuses options, which go to another program unread.
func (c *checker) plainly(path string, options []string) {
	if len(options) > 0 {
		c.bad(path+".options", "cannot be checked; leave them out")
	}
}

func (c *checker) io(path string, s *v1alpha1.IOChaosSpec) {
	c.oneOf(path, string(s.Action), "latency", "fault", "attrOverride", "mistake")
	if !strings.HasPrefix(s.VolumePath, "/") {
		c.bad(path+".volumePath", "%q is no mount path of a volume; for example /models", s.VolumePath)
	}
	switch s.Action {
	case v1alpha1.IoLatency:
		c.positive(path+".delay", s.Delay)
	case v1alpha1.IoFaults:
		if s.Errno < 1 || s.Errno > 133 {
			c.bad(path+".errno", "%d is no error number; for example 5, an I/O error", s.Errno)
		}
	case v1alpha1.IoAttrOverride:
		if s.Attr == nil {
			c.bad(path+".attr", "is missing: the block of action attrOverride")
		}
	case v1alpha1.IoMistake:
		if s.Mistake == nil {
			c.bad(path+".mistake", "is missing: the block of action mistake")
		}
	}
	if s.Percent < 0 || s.Percent > 100 {
		c.bad(path+".percent", "%d is out of range; 1 to 100", s.Percent)
	}
}
