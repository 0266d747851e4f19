package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay/internal/plan"
)

// everyFault are the settings that faults of every kind have.
var everyFault = []string{"name", "fault", "by", "at", "phase", "for", "when", "repeat", "instances"}

// No setting of a fault is taken without a word where its kind and driver do not know it: each field there is, and each there will be, is set on a fault
// that knows none, and refused with its path.
func TestSettingsThatAFaultDoesNotKnow(t *testing.T) {
	cluster := "  deployment: {kubernetes: {pods: app=vllm, namespace: serving, workload: deployment/llm}}\n"
	for _, tc := range []struct {
		name, target, fault string
		knows               []string
	}{
		{"local", "target: {kind: sandbox}\n", "{fault: kill, at: 1s}", nil},
		{"chaosmesh", "target:\n  kind: openai\n  url: http://127.0.0.1:9\n  model: m\n" + cluster, "{fault: pod-failure, by: chaosmesh, at: 1s, for: 1s}", []string{"spec"}},
		{"kubernetes", "target:\n  kind: openai\n  url: http://127.0.0.1:9\n  model: m\n" + cluster, "{fault: cold, by: kubernetes, at: 1s}", nil},
		{"lambda", "target:\n  kind: openai\n  url: http://127.0.0.1:9\n  model: m\n  deployment: {lambda: {function: f, region: r}}\n", "{fault: throttle, by: lambda, at: 1s, for: 1s}", nil},
		{"wire", "target: {kind: openai, url: 'http://localhost:9', model: m}\n", "{fault: dns, by: wire, at: 1s, for: 1s}", []string{"mode", "names", "answer", "delay", "probability"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			parse := func() *plan.Plan {
				p, err := plan.Parse("plan", []byte("apiVersion: assay/v1\nname: x\n"+tc.target+"load: [{name: steady, for: 9s}]\nchaos:\n  - "+tc.fault+"\n"))
				if err == nil {
					_, err = p.Validate(kinds())
				}
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if err := checkFaults(parse()); err != nil {
				t.Fatalf("refused as it is: %v", err)
			}
			tried := 0
			for _, f := range reflect.VisibleFields(reflect.TypeFor[plan.Fault]()) {
				name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if f.Anonymous || !f.IsExported() || name == "-" || name == "serial" || name == "parallel" || slices.Contains(everyFault, name) || slices.Contains(tc.knows, name) {
					continue
				}
				tried++
				p := parse()
				say(t, reflect.ValueOf(&p.Chaos[0]).Elem().FieldByIndex(f.Index))
				err := checkFaults(p)
				if want := "chaos[0]." + name + ": belongs to "; err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v, want %q", name, err, want)
				}
			}
			if tried+len(tc.knows) < 40 {
				t.Errorf("only %d settings were tried", tried)
			}
		})
	}
}

// say gives a field the least value that says something.
func say(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		say(t, v.Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"x":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	default:
		t.Fatalf("a setting of type %v, which this test cannot set", v.Type())
	}
}
