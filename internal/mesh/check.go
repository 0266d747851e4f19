package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// A Wrong is one thing wrong with an object: the path of the field, and what would be right.
type Wrong struct{ Path, Msg string }

// String returns "path: message".
func (w Wrong) String() string { return w.Path + ": " + w.Msg }

// MaxDuration is the longest duration that an object may have: beyond it a mistake is likelier than a wish.
const MaxDuration = 2 * time.Hour

// Check returns what is wrong with an object: what would hurt more or longer than anyone can have meant, what hurts nothing, pods outside of its
// own namespace, and what the API itself refuses.
func Check(o Object) []Wrong {
	c := check(o)
	if len(c.wrong) == 0 {
		c.own(o)
	}
	return c.wrong
}

// check walks an object.
func check(o Object) *checker {
	c := &checker{namespace: o.GetNamespace()}
	switch x := o.(type) {
	case *v1alpha1.Schedule:
		c.schedule(x)
	case *v1alpha1.Workflow:
		c.workflow("spec", &x.Spec)
	case v1alpha1.InnerObjectWithSelector:
		c.duration("spec.duration", x)
		c.experiment("spec", x)
	default:
		c.bad("kind", "%s is no experiment, Schedule or Workflow", Kind(o))
	}
	return c
}

type checker struct {
	namespace string
	wrong     []Wrong
	selected  []Selected
	machines  bool // of a cloud are among what is hurt
	spared    bool // what is selected now is not hurt
}

func (c *checker) bad(path, format string, args ...any) {
	c.wrong = append(c.wrong, Wrong{path, fmt.Sprintf(format, args...)})
}

// silent keeps controller-runtime, whose functions log each call, from complaining on our standard error that nobody listens.
var silent = sync.OnceFunc(func() { log.SetLogger(logr.Discard()) })

// own asks the API's functions, on a copy.
func (c *checker) own(o Object) {
	silent()
	o = o.DeepCopyObject().(Object)
	v, ok := o.(v1alpha1.WebhookObject)
	if !ok {
		return
	}
	if err := v.Default(context.Background(), o); err != nil {
		c.bad("spec", "%v", err)
		return
	}
	if _, err := v.ValidateCreate(context.Background(), o); err != nil {
		path, msg := told(err.Error())
		c.bad(path, "%s", msg)
	}
}

// told takes the first complaint of the API's functions apart. Their paths hold the names of Go's fields and of embedded structs.
func told(text string) (path, msg string) {
	text = strings.ReplaceAll(strings.Trim(undumped(text), "[]"), ", Spec: ", ", ")
	text, _, _ = strings.Cut(text, ", Spec.")
	at, msg, ok := strings.Cut(text, ": ")
	if !ok || !strings.EqualFold(at[:min(4, len(at))], "spec") {
		return "spec", text
	}
	var parts []string
	for _, p := range strings.Split(at, ".") {
		switch p {
		case "PodSelector", "ContainerSelector", "TcParameter", "PodHttpChaosActions":
		default:
			parts = append(parts, strings.ToLower(p[:min(1, len(p))])+p[min(1, len(p)):])
		}
	}
	return strings.Join(parts, "."), msg
}

// undumped takes out the whole specs, as JSON, that some of the API's functions put into what they complain of.
func undumped(text string) string {
	const before = "Invalid value: "
	for at := 0; ; {
		i := strings.Index(text[at:], before+"{")
		if i < 0 {
			return text
		}
		at += i
		var dump json.RawMessage
		d := json.NewDecoder(strings.NewReader(text[at+len(before):]))
		if d.Decode(&dump) != nil {
			at += len(before)
			continue
		}
		text = text[:at] + strings.TrimPrefix(text[at+len(before)+int(d.InputOffset()):], ": ")
	}
}

// duration demands a bound that the cluster enforces.
func (c *checker) duration(path string, o v1alpha1.InnerObject) {
	if o.IsOneShot() {
		return
	}
	text, ok := durationOf(o)
	d, err := time.ParseDuration(text)
	switch {
	case !ok || text == "":
		c.bad(path, "is missing: without it the fault stays for ever if we cannot end it; for example 60s")
	case err != nil:
		c.bad(path, "%q is not a duration; for example 60s", text)
	case d <= 0 || d > MaxDuration:
		c.bad(path, "%v is out of range; more than 0s and at most %v", d, MaxDuration)
	}
}

// durationOf returns the duration of an experiment's spec as it stands there. A one-shot action may be without.
func durationOf(o any) (string, bool) {
	f := reflect.ValueOf(o).Elem().FieldByName("Spec").FieldByName("Duration")
	if !f.IsValid() || f.IsNil() {
		return "", false
	}
	return f.Elem().String(), true
}

// experiment checks the selectors and the action of an experiment whose spec stands at path.
func (c *checker) experiment(path string, o v1alpha1.InnerObjectWithSelector) {
	if f := reflect.ValueOf(o).Elem().FieldByName("Spec").FieldByName("RemoteCluster"); f.IsValid() && f.String() != "" {
		c.bad(path+".remoteCluster", "lies in another cluster, where nobody could see to its end; leave it out")
	}
	for where, s := range o.GetSelectorSpecs() {
		at := path
		c.spared = spared(o, where)
		if where != "." {
			at += strings.ToLower(where)
		}
		c.selector(at, s)
	}
	c.action(path, o)
}

// selector demands that something is selected by more than where it lies.
func (c *checker) selector(path string, s any) {
	switch s := s.(type) {
	case *v1alpha1.PodSelector:
		c.pods(path, s)
	case *v1alpha1.ContainerSelector:
		c.pods(path, &s.PodSelector)
	case *v1alpha1.ContainerNodeVolumePathSelector:
		c.pods(path, &s.PodSelector)
	case *v1alpha1.AWSSelector:
		c.machines = true
		c.need(path, "ec2Instance", s.Ec2Instance, "awsRegion", s.AWSRegion)
	case *v1alpha1.GCPSelector:
		c.machines = true
		c.need(path, "project", s.Project, "zone", s.Zone, "instance", s.Instance)
	case *v1alpha1.AzureSelector:
		c.machines = true
		c.need(path, "subscriptionID", s.SubscriptionID, "resourceGroupName", s.ResourceGroupName, "vmName", s.VMName)
	case *v1alpha1.PhysicalMachineSelector:
		c.bad(path+".selector", "selects machines, which are no pods of the target: a plan cannot say which may be hurt; leave it out")
	default:
		c.bad(path, "selects by %T, which is not known here", s)
	}
}

// need demands that values are there; they come as pairs of name and value.
func (c *checker) need(path string, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			c.bad(path+"."+pairs[i], "is missing: it says what is hurt")
		}
	}
}

// narrow returns how many conditions a selector has beyond namespaces.
func narrow(g *v1alpha1.GenericSelectorSpec) int {
	return len(g.LabelSelectors) + len(g.ExpressionSelectors) + len(g.AnnotationSelectors) + len(g.FieldSelectors)
}

// named reports whether a map from namespaces to names names anything.
func named(m map[string][]string) bool {
	for _, names := range m {
		if len(names) > 0 {
			return true
		}
	}
	return false
}

func (c *checker) pods(path string, s *v1alpha1.PodSelector) {
	at := path + ".selector"
	sel := &s.Selector
	const node = "selects by node, whosever pods run there; name pods or labelSelectors"
	if len(sel.Nodes) > 0 {
		c.bad(at+".nodes", node)
	}
	if len(sel.NodeSelectors) > 0 {
		c.bad(at+".nodeSelectors", node)
	}
	if !c.spared {
		c.selected = append(c.selected, Selected{at, sel})
	}
	if !named(sel.Pods) && narrow(&sel.GenericSelectorSpec)+len(sel.Nodes)+len(sel.NodeSelectors) == 0 {
		c.bad(at, "is empty: it would hurt every pod of the namespace; name pods or labelSelectors")
	}
	for _, ns := range sel.Namespaces {
		c.within(at+".namespaces", ns)
	}
	for ns := range sel.Pods {
		c.within(at+".pods", ns)
	}
	switch s.Mode {
	case v1alpha1.OneMode, v1alpha1.AllMode, v1alpha1.FixedMode, v1alpha1.FixedPercentMode, v1alpha1.RandomMaxPercentMode:
	default:
		c.bad(path+".mode", "%q is no mode; one of one, all, fixed, fixed-percent, random-max-percent", s.Mode)
	}
}

func (c *checker) within(path, namespace string) {
	if c.namespace != "" && namespace != c.namespace {
		c.bad(path, "%q is not %s, the namespace of the target's pods", namespace, c.namespace)
	}
}

type embedded struct {
	path string
	o    v1alpha1.InnerObjectWithSelector
}

// embedded returns the experiment of a type that stands in a Schedule or a template.
func (c *checker) embedded(path, kind string, e *v1alpha1.EmbedChaos) *embedded {
	f, ok := reflect.TypeFor[v1alpha1.EmbedChaos]().FieldByName(kind)
	if !ok {
		c.bad(path+".type", "%q is no kind of experiment", kind)
		return nil
	}
	at := path + "." + strings.TrimSuffix(f.Tag.Get("json"), ",omitempty")
	if e == nil || reflect.ValueOf(e).Elem().FieldByIndex(f.Index).IsNil() {
		c.bad(at, "is missing: the block of type %s", kind)
		return nil
	}
	o, err := e.SpawnNewObject(v1alpha1.TemplateType(kind))
	inner, ok := o.(v1alpha1.InnerObjectWithSelector)
	if err != nil || !ok {
		c.bad(at, "is no experiment")
		return nil
	}
	return &embedded{at, inner}
}

// workflow demands a deadline of the whole, which bounds all of it, and of each experiment in it.
func (c *checker) workflow(path string, w *v1alpha1.WorkflowSpec) {
	for i := range w.Templates {
		t := &w.Templates[i]
		at := path + ".templates[" + strconv.Itoa(i) + "]"
		if t.Name == w.Entry || v1alpha1.IsChaosTemplateType(t.Type) {
			c.deadline(at+".deadline", t.Deadline)
		}
		switch {
		case t.Type == v1alpha1.TypeTask:
			c.bad(at+".templateType", "Task runs a container, and nobody can undo what that does; leave it out")
		case t.Type == v1alpha1.TypeSchedule && t.Schedule == nil:
			c.bad(at+".schedule", "is missing: the block of type Schedule")
		case t.Type == v1alpha1.TypeSchedule:
			c.scheduled(at+".schedule", string(t.Schedule.Type), &t.Schedule.EmbedChaos)
			c.often(at+".schedule.schedule", t.Schedule.Schedule)
		case v1alpha1.IsChaosTemplateType(t.Type):
			if e := c.embedded(at, string(t.Type), t.EmbedChaos); e != nil {
				c.experiment(e.path, e.o)
			}
		}
	}
}

func (c *checker) deadline(path string, text *string) {
	if text == nil || *text == "" {
		c.bad(path, "is missing: without it the workflow may go on for ever; for example 60s")
		return
	}
	if d, err := time.ParseDuration(*text); err != nil {
		c.bad(path, "%q is not a duration; for example 60s", *text)
	} else if d <= 0 || d > MaxDuration {
		c.bad(path, "%v is out of range; more than 0s and at most %v", d, MaxDuration)
	}
}

// Bound returns how long after its creation the cluster ends an object by itself at the latest; 0 where
// there is nothing to end, and for a Schedule, which is applied as [Bounded] makes it.
func Bound(o Object) time.Duration {
	var text string
	switch x := o.(type) {
	case *v1alpha1.Workflow:
		for _, t := range x.Spec.Templates {
			if t.Name == x.Spec.Entry && t.Deadline != nil {
				text = *t.Deadline
			}
		}
	case v1alpha1.InnerObject:
		text, _ = durationOf(x)
	}
	d, _ := time.ParseDuration(text)
	return d
}

// OneShot reports whether an object's action happens once and is not held.
func OneShot(o Object) bool {
	x, ok := o.(v1alpha1.InnerObject)
	return ok && x.IsOneShot()
}
