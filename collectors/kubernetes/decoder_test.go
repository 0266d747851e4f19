package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/assay-dev/assay"
)

// day is when the objects of these tests live; at("10:00:00") is an instant of it.
const day = "2026-11-20T"

func at(clock string) string { return day + clock + "Z" }

func unix(clock string) int64 {
	t, err := time.Parse(time.RFC3339, at(clock))
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

// object makes an object of its parts, each a piece of JSON.
func object(t testing.TB, kind, name, meta, spec, status string) *Object {
	t.Helper()
	or := func(s, alternative string) string {
		if s == "" {
			return alternative
		}
		return s
	}
	text := fmt.Sprintf(`{"kind":%q,"metadata":{"name":%q,"namespace":"models"%s},"spec":{%s},"status":{%s}}`, kind, name, or(meta, ""), spec, status)
	o, _, err := ParseObject([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return o
}

// podObject is a pod of the deployment web, with more in its metadata, status and container.
func podObject(t testing.TB, hash, suffix, created, meta, status, container string) *Object {
	if container == "" {
		container = `"state":{"running":{"startedAt":"` + at(created) + `"}}`
	}
	return object(t, "Pod", "web-"+hash+"-"+suffix,
		fmt.Sprintf(`,"uid":"uid-%s","creationTimestamp":%q,"labels":{"app":"web","pod-template-hash":%q},"ownerReferences":[{"kind":"ReplicaSet","name":"web-%s","controller":true}]%s`, suffix, at(created), hash, hash, meta),
		`"nodeName":"n1","containers":[{"name":"web"},{"name":"istio-proxy"}]`,
		fmt.Sprintf(`"conditions":[{"type":"PodScheduled","status":"True","lastTransitionTime":%q}%s],"containerStatuses":[{"name":"istio-proxy","restartCount":7},{"name":"web","ready":true,%s}]`, at(created), status, container))
}

func set(t testing.TB, hash, created string, revision, replicas int) *Object {
	return object(t, "ReplicaSet", "web-"+hash, fmt.Sprintf(`,"creationTimestamp":%q,"annotations":{"deployment.kubernetes.io/revision":"%d"},"ownerReferences":[{"kind":"Deployment","name":"web","controller":true}]`, at(created), revision),
		fmt.Sprintf(`"replicas":%d`, replicas), "")
}

func eventObject(t testing.TB, about, reason, message, when string) *Object {
	kind, name, _ := strings.Cut(about, "/")
	o, _, err := ParseObject(fmt.Appendf(nil, `{"kind":"Event","metadata":{"name":"e"},"type":"Warning","reason":%q,"message":%q,"firstTimestamp":%q,"lastTimestamp":%q,"involvedObject":{"kind":%q,"name":%q,"namespace":"models"}}`,
		reason, message, at(when), at(when), kind, name))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// told decodes objects, and returns the events of some kinds.
func told(t testing.TB, d *Decoder, kinds []string, objects ...*Object) []string {
	t.Helper()
	for _, o := range objects {
		if why := d.Take(&Selection{}, o, false, 0); why != "" {
			t.Errorf("%s %s: %s", o.Kind, o.Metadata.Name, why)
		}
	}
	var out []string
	err := d.Flush(1<<62, func(r assay.Record) error {
		if e := r.(*assay.Event); slices.Contains(kinds, e.Kind) {
			out = append(out, line(e))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhyInstancesGo(t *testing.T) {
	const deleting = `,"deletionTimestamp":"` + day + `10:00:30Z","deletionGracePeriodSeconds":30`
	stopped := func(code int) string {
		return fmt.Sprintf(`"state":{"terminated":{"exitCode":%d,"reason":"Error","startedAt":%q,"finishedAt":%q}}`, code, at("09:00:00"), at("10:00:05"))
	}
	restarted := func(code int, reason string) string {
		return fmt.Sprintf(`"restartCount":1,"state":{"running":{"startedAt":%q}},"lastState":{"terminated":{"exitCode":%d,"reason":%q,"startedAt":%q,"finishedAt":%q}}`, at("10:00:06"), code, reason, at("09:00:00"), at("10:00:05"))
	}
	gone := podObject(t, "a", "1", "09:00:00", deleting, "", stopped(143))
	for _, tt := range []struct {
		name    string
		objects []*Object
		want    string
	}{
		{"crash", []*Object{podObject(t, "a", "1", "09:00:00", "", "", restarted(1, "Error"))}, "10:00:05 instance.exited web-a-1 code=1 container_reason=Error reason=crash | ended with status 1"},
		{"a signal", []*Object{podObject(t, "a", "1", "09:00:00", "", "", restarted(139, "Error"))}, "10:00:05 instance.exited web-a-1 code=139 container_reason=Error reason=crash signal=11 | ended with status 139"},
		{"oom", []*Object{podObject(t, "a", "1", "09:00:00", "", "", restarted(137, "OOMKilled"))}, "10:00:05 instance.exited web-a-1 code=137 container_reason=OOMKilled reason=oom signal=9 | killed for more memory than its limit"},
		{"of itself", []*Object{podObject(t, "a", "1", "09:00:00", "", "", restarted(0, "Completed"))}, "10:00:05 instance.exited web-a-1 code=0 container_reason=Completed reason=unknown | ended by itself with status 0"},
		{"liveness", []*Object{podObject(t, "a", "1", "09:00:00", "", "", restarted(0, "Completed")), eventObject(t, "Pod/web-a-1", "Killing", "Container web failed liveness probe, will be restarted", "10:00:00")},
			"10:00:05 instance.exited web-a-1 code=0 container_reason=Completed reason=crash | killed by the platform since its probe failed"},
		{"deleted, and nothing else", []*Object{gone}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=recycle signal=15 | deleted by request"},
		{"status 1 after the request", []*Object{podObject(t, "a", "1", "09:00:00", deleting, "", stopped(1))}, "10:00:05 instance.exited web-a-1 code=1 container_reason=Error reason=recycle | deleted by request"},
		{"replaced", []*Object{gone, podObject(t, "a", "2", "10:00:01", "", "", "")}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=recycle signal=15 | deleted by request, and replaced"},
		{"rollout", []*Object{set(t, "a", "09:00:00", 1, 0), set(t, "b", "09:59:00", 2, 1), gone, podObject(t, "b", "2", "09:59:01", "", "", "")},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=rollout signal=15"},
		{"back to an older version", []*Object{set(t, "a", "09:00:00", 2, 0), set(t, "b", "08:00:00", 3, 1), gone}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=rollout signal=15"},
		{"rollout, as pods alone tell", []*Object{gone, podObject(t, "b", "2", "09:59:01", "", "", "")}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=rollout signal=15"},
		{"a newer version that came later", []*Object{gone, podObject(t, "b", "2", "11:00:00", "", "", "")}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=recycle signal=15 | deleted by request"},
		{"scale in", []*Object{set(t, "a", "09:00:00", 1, 1), gone, podObject(t, "a", "2", "09:00:00", "", "", "")}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=scale_in signal=15"},
		{"scale in, as an event tells", []*Object{gone, eventObject(t, "Deployment/web", "ScalingReplicaSet", "Scaled down replica set web-a to 0 from 1", "10:00:00")},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=scale_in signal=15"},
		{"the set is gone", []*Object{object(t, "ReplicaSet", "web-a", `,"deletionTimestamp":"`+at("09:59:59")+`","ownerReferences":[{"kind":"Deployment","name":"web"}]`, `"replicas":1`, ""), gone},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=shutdown signal=15 | what made it was deleted"},
		{"evicted by the kubelet", []*Object{podObject(t, "a", "1", "09:00:00", "", `,{"type":"DisruptionTarget","status":"True","reason":"TerminationByKubelet","lastTransitionTime":"`+at("10:00:01")+`"}],"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory.","x":[`, stopped(137))},
			"10:00:05 instance.exited web-a-1 code=137 container_reason=Error reason=evicted signal=9 | Evicted: The node was low on resource: memory."},
		{"preempted", []*Object{podObject(t, "a", "1", "09:00:00", deleting, `,{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler","message":"preempting to accommodate a higher priority pod","lastTransitionTime":"`+at("10:00:00")+`"}`, stopped(143))},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=preempted signal=15 | PreemptionByScheduler: preempting to accommodate a higher priority pod"},
		{"preempted, as an event tells", []*Object{gone, eventObject(t, "Pod/web-a-1", "Preempted", "Preempted by pod x on node n1", "10:00:00")}, "10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=preempted signal=15 | Preempted: Preempted by pod x on node n1"},
		{"its node was lost", []*Object{object(t, "Node", "n1", "", "", `"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","lastTransitionTime":"`+at("09:55:00")+`"}]`), gone},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=node signal=15 | node n1 was not ready"},
		{"its node came back before", []*Object{eventObject(t, "Node/n1", "NodeNotReady", "Node is not ready", "09:10:00"), eventObject(t, "Node/n1", "NodeReady", "", "09:20:00"), gone},
			"10:00:05 instance.exited web-a-1 code=143 container_reason=Error reason=recycle signal=15 | deleted by request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := told(t, &Decoder{}, []string{assay.EventInstanceExited}, tt.objects...)
			if d := cmp.Diff([]string{tt.want}, got); d != "" {
				t.Errorf("exits (-want +got):\n%s", d)
			}
		})
	}
}

// A pod that has restarted tells of its earlier lives what can be known and no more.
func TestWhatARestartedPodTellsOfItsPast(t *testing.T) {
	ready := func(status, since string) string {
		return fmt.Sprintf(`,{"type":"Ready","status":%q,"lastTransitionTime":%q}`, status, at(since))
	}
	last := func(state, from, to string) string {
		return fmt.Sprintf(`"restartCount":1,"state":{%s},"lastState":{"terminated":{"exitCode":1,"startedAt":%q,"finishedAt":%q}}`, state, at(from), at(to))
	}
	running := `"running":{"startedAt":"` + at("10:00:00") + `"}`
	for _, tt := range []struct {
		name string
		pod  *Object
		want []string
	}{
		{"it ran longer than its start takes", podObject(t, "a", "1", "09:00:00", "", ready("True", "10:00:20"), last(running, "09:00:00", "09:59:59")),
			[]string{"09:00:20~21s instance.ready web-a-1 inferred=true", "10:00:20 instance.ready web-a-1"}},
		{"it went before a start is over", podObject(t, "a", "1", "09:00:00", "", ready("True", "10:00:20"), last(running, "09:59:40", "09:59:59")), []string{"10:00:20 instance.ready web-a-1"}},
		{"it lost readiness when it went", podObject(t, "a", "1", "09:00:00", "", ready("False", "10:00:00"), last(`"waiting":{"reason":"CrashLoopBackOff"}`, "09:00:00", "09:59:59")),
			[]string{"09:59:59~59m59s instance.ready web-a-1 inferred=true", "10:00:00 instance.unready web-a-1"}},
		{"it was never ready", podObject(t, "a", "1", "09:00:00", "", ready("False", "09:00:00"), last(`"waiting":{"reason":"CrashLoopBackOff"}`, "09:00:01", "09:59:59")), nil},
		{"it lost readiness and runs", podObject(t, "a", "1", "09:00:00", "", ready("False", "09:30:00"), ""), []string{"09:30:00~30m0s instance.ready web-a-1 inferred=true", "09:30:00 instance.unready web-a-1"}},
		{"it is ready since before it was started again", podObject(t, "a", "1", "09:00:00", "", ready("True", "09:00:20"), last(running, "09:00:00", "09:59:59")),
			[]string{"09:00:20 instance.ready web-a-1", "10:00:00 instance.ready web-a-1 inferred=true"}},
	} {
		got := told(t, &Decoder{}, []string{assay.EventInstanceReady, assay.EventInstanceUnready}, tt.pod)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestImagePulls(t *testing.T) {
	const image = `Successfully pulled image "r/x:1"`
	for text, want := range map[string]string{
		image:                      "09:01:00 instance.phase web-a-1 end=09:01:00 phase=image_pull start=09:00:30",
		image + " in 1.018572802s": "09:01:00 instance.phase web-a-1 end=09:01:00 phase=image_pull pull=1018572802 start=09:00:58.981",
		image + " in 9.215s (9.215s including waiting). Image size: 1234 bytes.":    "09:01:00 instance.phase web-a-1 bytes=1234 end=09:01:00 phase=image_pull pull=9215000000 start=09:00:50.785",
		image + " in 500ms (1m2.5s including waiting). Image size: 1234 bytes.":     "09:01:00 instance.phase web-a-1 bytes=1234 end=09:01:00 phase=image_pull pull=500000000 start=08:59:57.5",
		`Container image "r/x:1" already present on machine`:                        "09:01:00 instance.phase web-a-1 cached=true end=09:01:00 phase=image_pull start=09:01:00",
		`Container image "r/x:1" already present on machine and can be accessed by`: "09:01:00 instance.phase web-a-1 cached=true end=09:01:00 phase=image_pull start=09:01:00",
	} {
		got := told(t, &Decoder{}, []string{assay.EventInstancePhase}, eventObject(t, "Pod/web-a-1", "Pulling", `Pulling image "r/x:1"`, "09:00:30"), eventObject(t, "Pod/web-a-1", "Pulled", text, "09:01:00"))
		if d := cmp.Diff([]string{want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

func TestProbes(t *testing.T) {
	for text, want := range map[string]string{
		`Liveness probe failed: Get "http://10.0.0.1:8000/health": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`: `count=1 ok=false probe=liveness | Get "http://10.0.0.1:8000/health": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
		"Readiness probe failed: HTTP probe failed with statuscode: 503":                                                                       "count=1 ok=false probe=readiness | HTTP probe failed with statuscode: 503",
		"Startup probe failed: ":                                "count=1 ok=false probe=startup",
		"Readiness probe errored: rpc error: code = NotFound":   "count=1 ok=false probe=readiness | rpc error: code = NotFound",
		"Liveness probe errored and resulted in unknown state:": "count=1 ok=false probe=liveness",
	} {
		got := told(t, &Decoder{}, []string{assay.EventInstanceProbe}, eventObject(t, "Pod/web-a-1", "Unhealthy", text, "09:01:00"))
		if d := cmp.Diff([]string{"09:01:00 instance.probe web-a-1 " + want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

func TestServingContainer(t *testing.T) {
	for _, tt := range []struct{ containers, annotation, option, want string }{
		{`{"name":"istio-proxy"},{"name":"a"},{"name":"b"}`, "", "", "a"},
		{`{"name":"a"},{"name":"kserve-container"}`, "", "", "kserve-container"},
		{`{"name":"a"},{"name":"user-container"},{"name":"b"}`, "b", "", "b"},
		{`{"name":"a"},{"name":"user-container"},{"name":"b"}`, "b", "a", "a"},
		{`{"name":"istio-proxy"}`, "", "", "istio-proxy"},
		{``, "", "", ""},
	} {
		o := object(t, "Pod", "p", `,"annotations":{"kubectl.kubernetes.io/default-container":"`+tt.annotation+`"}`, `"containers":[`+tt.containers+`]`, "")
		spec, status := part[podSpec](o.Spec), podStatus{}
		if got := serving(&Selection{Container: tt.option}, o, &spec, &status); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
}

func TestSelectionLeavesOut(t *testing.T) {
	only, err := labels.Parse("app=other")
	if err != nil {
		t.Fatal(err)
	}
	d := &Decoder{}
	got := map[string]string{}
	for _, o := range []*Object{podObject(t, "a", "1", "09:00:00", "", "", ""), set(t, "a", "09:00:00", 2, 1), object(t, "ConfigMap", "c", "", "", "")} {
		got[o.Kind] = d.Take(&Selection{Labels: only}, o, false, 0)
	}
	want := map[string]string{"Pod": "a pod that is not selected", "ReplicaSet": "of pods that are not selected", "ConfigMap": "of a kind that says nothing of instances"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"two\n  lines": "two lines",
		"GET https://me:hush@h/p?sig=hush failed": "GET https://h/p failed",
		strings.Repeat("é", 150):                  strings.Repeat("é", 98) + "...",
	} {
		if got := short(text); got != want {
			t.Errorf("short(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"kind":"Pod","metadata":{"name":"p","creationTimestamp":"2026-11-20T09:00:00Z"},"status":{"containerStatuses":[{"name":"c","state":{"terminated":{"finishedAt":"2026-11-20T09:00:00Z"}}}]}}`), "Pulled", "in 5s")
	f.Add([]byte(`{"type":"DELETED","object":{"kind":"Node","metadata":{"name":"p"}}}`), "Unhealthy", "Liveness probe failed: x")
	f.Add([]byte(`{"kind":"Event","metadata":{"name":"e"},"regarding":{"kind":"Pod","name":"p"},"eventTime":"2026-11-20T09:00:00.1Z"}`), "Killing", "Stopping container c")
	f.Fuzz(func(t *testing.T, raw []byte, reason, message string) {
		o, verb, err := ParseObject(raw)
		if err != nil {
			return
		}
		d := &Decoder{}
		for range 2 {
			d.Take(&Selection{}, o, verb == "DELETED", 0)
			o.Reason, o.Message = reason, message
		}
		if err := d.Flush(1<<62, func(r assay.Record) error {
			_, err := json.Marshal(r)
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}
