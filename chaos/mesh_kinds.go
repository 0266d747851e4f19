package chaos

import (
	"errors"
	"fmt"
	"slices"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

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
		{Name: "clock", Help: "Shifts the wall clock that the process of an instance sees, by its own copy of the code that reads it, whatever the process is written in (Linux, amd64), or that a pod sees; undone by putting the code back, or by deleting the object.",
			Lasting: true, Available: clockWorks, settings: []string{"offset"}, check: checkLocalClock, preview: previewLocalClock, local: planClock},
		{Name: "cloud", Help: "Stops, restarts or resets a machine of AWS, GCP or Azure, or takes a disk from it; undone by deleting the object.", Lasting: true, Available: always},
		{Name: "manifest", Help: "Applies an object of chaos-mesh.org of any kind from a file, Schedule and Workflow included, if it is bounded and selects something; a Schedule as a Workflow with a deadline, so that the cluster ends it; undone by deleting it.", Lasting: true, Available: always},
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
	if x, err := k.object(s); err == nil && mesh.Kind(x) == v1alpha1.KindSchedule { // by its own paths, not those of what it is applied as
		if w := inManifest(s, x); len(w) > 0 {
			return w
		}
	}
	o, err := (&placement{namespace: "", name: "check", pods: []string{"pod"}}).object(s)
	var key *mesh.UnknownError
	if errors.As(err, &key) {
		return []Wrong{{settingOf(s) + "." + key.Path, "is unknown; " + key.Hint}}
	} else if err != nil {
		return []Wrong{{settingOf(s), err.Error()}}
	}
	var w []Wrong
	if b := mesh.Bound(o); s.Fault == "manifest" && b > 0 && b < s.For {
		w = append(w, Wrong{"for", fmt.Sprintf("%v is longer than the %v after which the object of %s ends by itself", s.For, b, s.Manifest)})
	}
	if s.Fault == "manifest" {
		return append(w, inManifest(s, o)...)
	}
	for _, x := range mesh.Check(o) {
		w = append(w, Wrong{x.Path, x.Msg})
	}
	return w
}

// inManifest returns what is wrong with an object from a file.
func inManifest(s *Step, o mesh.Object) (w []Wrong) {
	for _, x := range mesh.Check(o) {
		w = append(w, Wrong{"manifest", fmt.Sprintf("%s: %s: %s", s.Manifest, mesh.Kind(o), x)})
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
	whom, object, bound := s.whom(), "?", s.bound()
	if raw, err := k.object(s); err == nil {
		if object = mesh.Kind(raw); object == v1alpha1.KindSchedule {
			object += ", " + asWorkflow
		}
	}
	if o, err := (&placement{name: "preview", pods: []string{"pod"}}).object(s); err == nil && s.Fault == "manifest" {
		bound = mesh.Bound(o)
	}
	text := fmt.Sprintf("Chaos Mesh %s: %s", object, k.deed(s))
	if !k.whole {
		text += " at " + whom
	}
	if s.For > 0 {
		text += fmt.Sprintf(", for %v; the cluster itself ends it at the latest %v after it began", s.For, bound)
	}
	return text
}

func says(text string) func(*Step) string { return func(*Step) string { return text } }
