package kubernetes

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// An Object is what is read of any object of Kubernetes. Its parts that depend on the kind are decoded when they are needed.
type Object struct {
	Kind     string          `json:"kind"`
	Metadata Metadata        `json:"metadata"`
	Spec     json.RawMessage `json:"spec"`
	Status   json.RawMessage `json:"status"`

	Record // where it is an event
}

// Metadata is what is read of an object's metadata.
type Metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UID         string            `json:"uid"`
	Version     string            `json:"resourceVersion"`
	Created     *time.Time        `json:"creationTimestamp"`
	Deleted     *time.Time        `json:"deletionTimestamp"` // when it is to be gone: the request and the grace period
	Grace       int64             `json:"deletionGracePeriodSeconds"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Owners      []Owner           `json:"ownerReferences"`
}

// An Owner is a reference to what made an object.
type Owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// A Record is what is read of an event, of core/v1 or of events.k8s.io.
type Record struct {
	Reason    string     `json:"reason"`
	Type      string     `json:"type"`
	Message   string     `json:"message"`
	Note      string     `json:"note"`
	Count     int64      `json:"count"`
	OldCount  int64      `json:"deprecatedCount"`
	Involved  *Reference `json:"involvedObject"`
	Regarding *Reference `json:"regarding"`
	EventTime *time.Time `json:"eventTime"`
	First     *time.Time `json:"firstTimestamp"`
	Last      *time.Time `json:"lastTimestamp"`
	OldFirst  *time.Time `json:"deprecatedFirstTimestamp"`
	OldLast   *time.Time `json:"deprecatedLastTimestamp"`
	Series    *struct {
		Count int64      `json:"count"`
		Last  *time.Time `json:"lastObservedTime"`
	} `json:"series"`
}

// A Reference says what an event is about.
type Reference struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	UID       string `json:"uid"`
	FieldPath string `json:"fieldPath"` // for example spec.containers{vllm}
}

// A condition is one of an object's.
type condition struct {
	Type    string     `json:"type"`
	Status  string     `json:"status"`
	Reason  string     `json:"reason"`
	Message string     `json:"message"`
	Since   *time.Time `json:"lastTransitionTime"`
}

func (c *condition) is(status string) bool { return c != nil && c.Status == status }

func (c *condition) since() int64 {
	if c == nil {
		return 0
	}
	return ns(c.Since)
}

// find returns the condition of a type, or nil.
func find(list []condition, kind string) *condition {
	for i := range list {
		if list[i].Type == kind {
			return &list[i]
		}
	}
	return nil
}

// podSpec and podStatus are what is read of a pod.
type podSpec struct {
	Node           string `json:"nodeName"`
	Containers     []struct{ Name string }
	InitContainers []struct{ Name string } `json:"initContainers"`
}

type podStatus struct {
	Phase      string            `json:"phase"`
	Reason     string            `json:"reason"`
	Message    string            `json:"message"`
	Conditions []condition       `json:"conditions"`
	Init       []containerStatus `json:"initContainerStatuses"`
	Containers []containerStatus `json:"containerStatuses"`
}

type containerStatus struct {
	Name     string         `json:"name"`
	Ready    bool           `json:"ready"`
	Restarts int64          `json:"restartCount"`
	State    containerState `json:"state"`
	Last     containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Running *struct {
		Started *time.Time `json:"startedAt"`
	} `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	Reason   string     `json:"reason"`
	Message  string     `json:"message"`
	ExitCode int        `json:"exitCode"`
	Signal   int        `json:"signal"`
	Started  *time.Time `json:"startedAt"`
	Finished *time.Time `json:"finishedAt"`
}

// ns returns Unix nanoseconds; 0 where there is no stamp, or one that nanoseconds cannot hold.
func ns(t *time.Time) int64 {
	if t == nil || t.Year() < 1970 || t.Year() > 2260 {
		return 0
	}
	return t.UnixNano()
}

// errNoObject tells of JSON that is no object of Kubernetes.
var errNoObject = errors.New("no object of Kubernetes: want its kind and metadata.name")

// ParseObject reads one object. A watch event is read as its object; verb is then ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and else empty.
func ParseObject(raw []byte) (o *Object, verb string, err error) { return parseObject(raw, "") }

// parseObject is ParseObject for an object that may not name its kind, as the items of a PodList do not.
func parseObject(raw []byte, kind string) (o *Object, verb string, err error) {
	var w struct {
		Verb   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if json.Unmarshal(raw, &w) == nil && len(w.Object) > 0 && w.Verb != "" {
		raw, verb = w.Object, w.Verb
	}
	o = &Object{}
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, verb, fmt.Errorf("no object of Kubernetes: %w", err)
	}
	if verb == "ERROR" || verb == "BOOKMARK" {
		return o, verb, nil
	}
	if o.Kind = cmp.Or(o.Kind, kind); o.Kind == "" || o.Metadata.Name == "" {
		return nil, verb, errNoObject
	}
	return o, verb, nil
}

// part decodes one part of an object; what is absent or of another shape leaves v as it is.
func part[T any](raw json.RawMessage) (v T) {
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &v)
	}
	return v
}

// owner returns the reference to the controller of an object, or the zero one.
func (m *Metadata) owner() Owner {
	for _, o := range m.Owners {
		if o.Controller {
			return o
		}
	}
	if len(m.Owners) == 1 {
		return m.Owners[0]
	}
	return Owner{}
}
