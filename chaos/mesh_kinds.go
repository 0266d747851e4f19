package chaos

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/link"
	"github.com/assay-dev/assay/internal/mesh"
)

// A meshKind is how Chaos Mesh does a kind of fault.
type meshKind struct {
	name     string
	settings []string
	whole    bool                               // it hurts the deployment as a whole, not a pod of it
	check    func(s *Step) []Wrong              // of the settings; what the object demands is checked by package mesh
	object   func(s *Step) (mesh.Object, error) // without name, selector and duration
	deed     func(s *Step) string               // what it does, in words
}

// meshKinds is the table of what Chaos Mesh does.
func meshKinds() []meshKind {
	return []meshKind{
		{name: "kill", settings: []string{"container"}, check: checkNothing, object: meshKill, deed: deedKill},
		{name: "pod-failure", check: checkNothing, object: meshPodFailure, deed: says("its containers replaced by pauses: the pod loses all it holds and starts cold afterwards")},
		{name: "delay", settings: []string{"delay", "jitter"}, check: checkMeshDelay, object: meshDelay, deed: deedDelay},
		{name: "loss", settings: []string{"probability"}, check: checkPackets, object: meshLoss, deed: deedPackets("lost")},
		{name: "duplicate", settings: []string{"probability"}, check: checkPackets, object: meshDuplicate, deed: deedPackets("sent twice")},
		{name: "corrupt", settings: []string{"probability"}, check: checkPackets, object: meshCorrupt, deed: deedPackets("corrupted")},
		{name: "cut", settings: []string{"mode"}, check: checkMeshCut, object: meshCut, deed: deedMeshCut},
		{name: "bandwidth", settings: []string{"rate"}, check: checkMeshRate, object: meshBandwidth, deed: func(s *Step) string { return fmt.Sprintf("at most %d bytes/s sent", s.Rate) }},
		{name: "cpu", settings: []string{"cpus", "load"}, check: checkMeshCPU, object: meshCPU, deed: deedMeshCPU},
		{name: "memory", settings: []string{"bytes"}, check: checkMeshMemory, object: meshMemory, deed: func(s *Step) string { return fmt.Sprintf("%d bytes held within its limit", s.Bytes) }},
		{name: "io", settings: []string{"mode", "dir", "delay", "errno", "probability"}, check: checkIO, object: meshIO, deed: deedIO},
		{name: "http", settings: []string{"mode", "status", "retryAfter", "delay", "port"}, check: checkMeshHTTP, object: meshHTTP, deed: deedMeshHTTP},
		{name: "clock", settings: []string{"offset"}, check: checkClock, object: meshClock, deed: func(s *Step) string { return fmt.Sprintf("its clock wrong by %v", s.Offset) }},
		{name: "dns", settings: []string{"mode", "names"}, check: checkMeshDNS, object: meshDNS, deed: deedMeshDNS},
		{name: "cloud", settings: []string{"cloud"}, whole: true, check: checkCloud, object: meshCloud, deed: deedCloud},
		{name: "manifest", settings: []string{"manifest"}, whole: true, check: checkManifest, object: meshManifest, deed: deedManifest},
	}
}

// meshOnlyKinds are the kinds of fault that only Chaos Mesh does.
func meshOnlyKinds() []Kind {
	return []Kind{
		{Name: "pod-failure", Help: "Replaces the containers of a pod by pauses, so that it serves nothing and holds nothing; undone by deleting the object, after which it starts cold.", Lasting: true, Available: always},
		{Name: "duplicate", Help: "Sends a part of a pod's packets twice; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "corrupt", Help: "Corrupts a part of the packets that a pod sends; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "io", Help: "Delays calls to files of a volume, or fails them with an error; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "clock", Help: "Shifts the clock that a pod sees; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "cloud", Help: "Stops, restarts or resets a machine of AWS, GCP or Azure, or takes a disk from it; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "manifest", Help: "Applies an object of chaos-mesh.org of any kind from a file, Schedule and Workflow included, if it is bounded and selects something; undone by deleting it.", Lasting: true, Available: always},
	}
}

func findMesh(name string) (meshKind, bool) {
	for _, k := range meshKinds() {
		if k.name == name {
			return k, true
		}
	}
	return meshKind{}, false
}

// meshTable is what the driver chaosmesh does, by kind of fault.
func meshTable() driverTable {
	t := driverTable{ByMesh, map[string]does{}}
	for _, k := range meshKinds() {
		settings := k.settings
		if k.name != "manifest" {
			settings = append(slices.Clone(settings), "spec")
		}
		t.kinds[k.name] = does{settings: settings, check: checkMesh, preview: previewMesh}
	}
	return t
}

// checkMesh checks a step by the object that it would become.
func checkMesh(s *Step) []Wrong {
	k, ok := findMesh(s.Fault)
	if !ok {
		return []Wrong{{"fault", "is none that Chaos Mesh does"}}
	}
	if w := k.check(s); len(w) > 0 {
		return w
	}
	if k.whole && (s.Share != 0 || s.Instances > 1) {
		return []Wrong{{"instances", s.Fault + " says itself what it hurts; leave it out"}}
	}
	if s.Container != "" && s.For > 0 {
		return []Wrong{{"for", "a container is ended once"}}
	}
	o, err := (&placement{namespace: "", name: "check", pods: []string{"pod"}}).object(s)
	if err != nil {
		return []Wrong{{settingOf(s), err.Error()}}
	}
	var w []Wrong
	if b := mesh.Bound(o); s.Fault == "manifest" && b > 0 && b < s.For {
		w = append(w, Wrong{"for", fmt.Sprintf("%v is longer than the %v after which the object of %s ends by itself", s.For, b, s.Manifest)})
	}
	for _, x := range mesh.Check(o) {
		if s.Fault == "manifest" {
			w = append(w, Wrong{"manifest", fmt.Sprintf("%s: %s: %s", s.Manifest, mesh.Kind(o), x)})
		} else {
			w = append(w, Wrong{x.Path, x.Msg})
		}
	}
	return w
}

// settingOf names the setting that an object could not be made from.
func settingOf(s *Step) string {
	if s.Fault == "manifest" {
		return "manifest"
	}
	return "spec"
}

func previewMesh(s *Step) string {
	k, _ := findMesh(s.Fault)
	whom, object := s.whom(), "?"
	if o, err := k.object(s); err == nil {
		object = mesh.Kind(o)
	}
	text := fmt.Sprintf("Chaos Mesh %s: %s", object, k.deed(s))
	if !k.whole {
		text += " at " + whom
	}
	if s.For > 0 {
		bound := s.bound()
		if o, err := k.object(s); err == nil && s.Fault == "manifest" {
			bound = mesh.Bound(o)
		}
		text += fmt.Sprintf(", for %v; the cluster itself ends it at the latest %v after it began", s.For, bound)
	}
	if object == v1alpha1.KindSchedule {
		text = fmt.Sprintf("Chaos Mesh %s: %s, for %v; NOTHING in the cluster ends the Schedule itself: if neither we nor assay heal can, it goes on until it is deleted", object, k.deed(s), s.For)
	}
	return text
}

func says(text string) func(*Step) string { return func(*Step) string { return text } }

func meshKill(s *Step) (mesh.Object, error) {
	o := mesh.New("PodChaos").(*v1alpha1.PodChaos)
	o.Spec.Action = v1alpha1.PodKillAction
	if s.Container != "" {
		o.Spec.Action, o.Spec.ContainerNames = v1alpha1.ContainerKillAction, []string{s.Container}
	}
	return o, nil
}

func deedKill(s *Step) string {
	if s.Container != "" {
		return "container " + s.Container + " ended"
	}
	return "the pod deleted without grace"
}

func meshPodFailure(*Step) (mesh.Object, error) {
	o := mesh.New("PodChaos").(*v1alpha1.PodChaos)
	o.Spec.Action = v1alpha1.PodFailureAction
	return o, nil
}

func network(action v1alpha1.NetworkChaosAction) *v1alpha1.NetworkChaos {
	o := mesh.New("NetworkChaos").(*v1alpha1.NetworkChaos)
	o.Spec.Action = action
	return o
}

func checkMeshDelay(s *Step) []Wrong {
	switch {
	case s.Delay <= 0:
		return []Wrong{{"delay", fmt.Sprintf("%v delays nothing; for example 200ms", s.Delay)}}
	case s.Jitter < 0 || s.Jitter > s.Delay:
		return []Wrong{{"jitter", fmt.Sprintf("%v is out of range; at most the delay, %v", s.Jitter, s.Delay)}}
	}
	return nil
}

func meshDelay(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.DelayAction)
	o.Spec.Delay = &v1alpha1.DelaySpec{Latency: s.Delay.String()}
	if s.Jitter > 0 {
		o.Spec.Delay.Jitter = s.Jitter.String()
	}
	return o, nil
}

func deedDelay(s *Step) string {
	text := s.Delay.String()
	if s.Jitter > 0 {
		text += fmt.Sprintf(" ± %v", s.Jitter)
	}
	return text + " on what it sends"
}

func checkPackets(s *Step) []Wrong {
	if !(s.Probability > 0 && s.Probability <= 1) {
		return []Wrong{{"probability", share(s.Probability) + " is out of range; more than 0% and at most 100% of the packets"}}
	}
	return nil
}

// share writes a part as people do.
func share(f float64) string { return strconv.FormatFloat(100*f, 'g', 6, 64) + "%" }

func hundred(f float64) string { return strconv.FormatFloat(100*f, 'g', 6, 64) }

func meshLoss(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.LossAction)
	o.Spec.Loss = &v1alpha1.LossSpec{Loss: hundred(s.Probability)}
	return o, nil
}

func meshDuplicate(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.DuplicateAction)
	o.Spec.Duplicate = &v1alpha1.DuplicateSpec{Duplicate: hundred(s.Probability)}
	return o, nil
}

func meshCorrupt(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.CorruptAction)
	o.Spec.Corrupt = &v1alpha1.CorruptSpec{Corrupt: hundred(s.Probability)}
	return o, nil
}

func deedPackets(what string) func(*Step) string {
	return func(s *Step) string {
		return fmt.Sprintf("%s of the packets that it sends %s", share(s.Probability), what)
	}
}

// partitions are the cuts that Chaos Mesh does.
var partitions = map[string]v1alpha1.NetworkChaosPartitionBehavior{link.CutBlackhole: v1alpha1.DropPartitionBehavior, link.CutReset: v1alpha1.RejectPartitionBehavior}

func checkMeshCut(s *Step) []Wrong {
	if _, ok := partitions[s.mode()]; !ok {
		return []Wrong{{"mode", fmt.Sprintf("%q is no cut of Chaos Mesh; one of blackhole, reset", s.Mode)}}
	}
	return nil
}

func meshCut(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.PartitionAction)
	o.Spec.Direction = v1alpha1.To
	o.Spec.PartitionBehavior = partitions[s.mode()]
	return o, nil
}

func deedMeshCut(s *Step) string { return s.mode() + " of what it sends" }

// Limits of a rate of Chaos Mesh, in bytes per second.
const maxMeshRate = 1 << 33

func checkMeshRate(s *Step) []Wrong {
	if s.Rate < minRate || s.Rate > maxMeshRate {
		return []Wrong{{"rate", fmt.Sprintf("%d bytes/s is out of range; %d to %d", s.Rate, int64(minRate), int64(maxMeshRate))}}
	}
	return nil
}

func meshBandwidth(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.BandwidthAction)
	// The bucket holds what passes in one tick of a kernel with 250 Hz, and a second's worth may wait.
	o.Spec.Bandwidth = &v1alpha1.BandwidthSpec{Rate: fmt.Sprintf("%dbps", s.Rate), // bps: bytes, as tc has it
		Limit: uint32(min(max(s.Rate, 16<<10), math.MaxUint32)), Buffer: uint32(min(max(s.Rate/250, 10_000), math.MaxUint32))}
	return o, nil
}

func checkMeshCPU(s *Step) []Wrong {
	switch {
	case s.CPUs < 1 || s.CPUs > 1024:
		return []Wrong{{"cpus", fmt.Sprintf("%d is out of range; 1 to 1024", s.CPUs)}}
	case s.Load != 0 && !(s.Load >= 0.01 && s.Load <= 1):
		return []Wrong{{"load", fmt.Sprintf("%s is out of range; 1%% to 100%% of each", share(s.Load))}}
	}
	return nil
}

func stress() *v1alpha1.StressChaos {
	o := mesh.New("StressChaos").(*v1alpha1.StressChaos)
	o.Spec.Stressors = &v1alpha1.Stressors{}
	return o
}

func meshCPU(s *Step) (mesh.Object, error) {
	o := stress()
	o.Spec.Stressors.CPUStressor = &v1alpha1.CPUStressor{Stressor: v1alpha1.Stressor{Workers: s.CPUs}}
	if s.Load > 0 {
		load := int(math.Round(100 * s.Load))
		o.Spec.Stressors.CPUStressor.Load = &load
	}
	return o, nil
}

func deedMeshCPU(s *Step) string {
	text := fmt.Sprintf("%d busy workers", s.CPUs)
	if s.Load > 0 {
		text += " at " + share(s.Load)
	}
	return text + " within its limit"
}

func checkMeshMemory(s *Step) []Wrong {
	if s.Bytes < 1<<20 {
		return []Wrong{{"bytes", fmt.Sprintf("%d is out of range; 1MiB or more", s.Bytes)}}
	}
	return nil
}

func meshMemory(s *Step) (mesh.Object, error) {
	o := stress()
	o.Spec.Stressors.MemoryStressor = &v1alpha1.MemoryStressor{Stressor: v1alpha1.Stressor{Workers: 1}, Size: fmt.Sprintf("%dB", s.Bytes)}
	return o, nil
}

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

func checkClock(s *Step) []Wrong {
	if s.Offset == 0 {
		return []Wrong{{"offset", "0s shifts no clock; for example -10m"}}
	}
	return nil
}

func meshClock(s *Step) (mesh.Object, error) {
	o := mesh.New("TimeChaos").(*v1alpha1.TimeChaos)
	o.Spec.TimeOffset = s.Offset.String()
	return o, nil
}

func checkMeshDNS(s *Step) []Wrong {
	if !slices.Contains([]string{"", "error", "random"}, s.Mode) {
		return []Wrong{{"mode", fmt.Sprintf("%q is no mode of dns by Chaos Mesh; one of error, random", s.Mode)}}
	}
	return nil
}

func meshDNS(s *Step) (mesh.Object, error) {
	o := mesh.New("DNSChaos").(*v1alpha1.DNSChaos)
	o.Spec.Action, o.Spec.DomainNamePatterns = v1alpha1.ErrorAction, s.Names
	if s.Mode == "random" {
		o.Spec.Action = v1alpha1.RandomAction
	}
	return o, nil
}

func deedMeshDNS(s *Step) string {
	names := "all names"
	if len(s.Names) > 0 {
		names = strings.Join(s.Names, ", ")
	}
	if s.Mode == "random" {
		return names + " resolve to a random address"
	}
	return names + " do not resolve"
}

// clouds are the kinds of object by cloud.
var clouds = map[string]string{"aws": "AWSChaos", "gcp": "GCPChaos", "azure": "AzureChaos"}

func checkCloud(s *Step) []Wrong {
	switch {
	case clouds[s.Cloud] == "":
		return []Wrong{{"cloud", fmt.Sprintf("%q is unknown; one of aws, gcp, azure", s.Cloud)}}
	case len(s.Spec) == 0:
		return []Wrong{{"spec", "is missing: what is hurt, as in a spec of " + clouds[s.Cloud] + "; for example {action: ec2-stop, awsRegion: eu-north-1, ec2Instance: i-0123}"}}
	}
	return nil
}

func meshCloud(s *Step) (mesh.Object, error) { return mesh.New(clouds[s.Cloud]), nil }

func deedCloud(s *Step) string {
	var spec map[string]any
	if json.Unmarshal(s.Spec, &spec) != nil {
		return s.Cloud
	}
	var of []string
	for _, k := range []string{"ec2Instance", "volumeID", "project", "zone", "instance", "resourceGroupName", "vmName", "diskName"} {
		if v, ok := spec[k]; ok {
			of = append(of, fmt.Sprint(v))
		}
	}
	return fmt.Sprintf("%v of %s", spec["action"], strings.Join(of, " "))
}

func checkManifest(s *Step) []Wrong {
	switch {
	case s.Manifest == "":
		return []Wrong{{"manifest", "is missing: the file that holds one object of chaos-mesh.org"}}
	case s.Object == "":
		return []Wrong{{"manifest", s.Manifest + ": cannot be read, or is empty"}}
	}
	return nil
}

func meshManifest(s *Step) (mesh.Object, error) {
	o, err := mesh.Parse([]byte(s.Object))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Manifest, err)
	}
	return o, nil
}

func deedManifest(s *Step) string {
	o, err := meshManifest(s)
	if err != nil {
		return s.Manifest
	}
	name := o.GetName()
	if name == "" {
		name = "of no name"
	}
	return fmt.Sprintf("%s from %s", name, s.Manifest)
}
