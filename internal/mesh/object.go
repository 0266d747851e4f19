package mesh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assay-dev/assay/internal/suggest"
)

// Group is the API group and version of all objects.
const Group = "chaos-mesh.org/v1alpha1"

// An Object is one object, a pointer to a type of the API.
type Object = client.Object

// Kinds returns the names of all kinds that can be created: experiments, Schedule and Workflow.
func Kinds() []string { return slices.Sorted(maps.Keys(v1alpha1.AllKindsIncludeScheduleAndWorkflow())) }

// New returns an empty object of a kind, with its group, version and kind set; nil for a kind that is not known.
func New(kind string) Object {
	k := v1alpha1.AllKindsIncludeScheduleAndWorkflow()[kind]
	if k == nil {
		return nil
	}
	o := k.SpawnObject()
	o.GetObjectKind().SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	return o
}

// Kind returns the kind of an object.
func Kind(o Object) string { return o.GetObjectKind().GroupVersionKind().Kind }

// Plural returns how a kind is called in paths. The kinds that end in chaos are their own plural.
func Plural(kind string) string {
	name := strings.ToLower(kind)
	if strings.HasSuffix(name, "chaos") {
		return name
	}
	return name + "s"
}

// Collection returns the path of all objects of a kind in a namespace.
func Collection(namespace, kind string) string {
	return "/apis/" + Group + "/namespaces/" + url.PathEscape(namespace) + "/" + Plural(kind)
}

// Path returns the path of an object.
func Path(o Object) string {
	return Collection(o.GetNamespace(), Kind(o)) + "/" + url.PathEscape(o.GetName())
}

// maxManifest bounds a manifest.
const maxManifest = 1 << 20

// Parse reads a manifest of exactly one object, strictly.
func Parse(manifest []byte) (Object, error) {
	if len(manifest) > maxManifest {
		return nil, fmt.Errorf("%d bytes is too large; at most %d", len(manifest), maxManifest)
	}
	var docs [][]byte
	for _, doc := range bytes.Split(append([]byte("\n"), manifest...), []byte("\n---")) {
		var v any
		if err := yaml.Unmarshal(doc, &v); err != nil {
			return nil, fmt.Errorf("is not YAML: %w", err)
		}
		if v != nil {
			docs = append(docs, doc)
		}
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("holds %d objects; want one a fault: a Workflow holds several", len(docs))
	}
	var head struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal(docs[0], &head); err != nil {
		return nil, errors.New("is no object: it has no apiVersion and kind")
	}
	o := New(head.Kind)
	switch {
	case head.APIVersion != Group:
		return nil, fmt.Errorf("apiVersion is %q; want %s", head.APIVersion, Group)
	case o == nil:
		return nil, fmt.Errorf("kind %q is none that can be applied; %s", head.Kind, suggest.Meant(head.Kind, Kinds()))
	}
	if err := yaml.UnmarshalStrict(docs[0], o); err != nil {
		return nil, fmt.Errorf("%s: %s", head.Kind, plain(err))
	}
	return o, nil
}

// An UnknownError is a key that an object's spec does not know.
type UnknownError struct{ Path, Hint string }

// Error returns "path: is unknown; hint".
func (e *UnknownError) Error() string { return e.Path + ": is unknown; " + e.Hint }

// Overlay lays fields of a spec, as JSON, over those of an object, strictly. For a key that is not known it returns an [*UnknownError].
func Overlay(o Object, spec []byte) error {
	if len(spec) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(append(append([]byte(`{"spec":`), spec...), '}')))
	d.DisallowUnknownFields()
	if err := d.Decode(o); err != nil {
		if f, ok := reflect.TypeOf(o).Elem().FieldByName("Spec"); ok {
			if path, hint := unknown(spec, f.Type); path != "" {
				return &UnknownError{path, hint}
			}
		}
		return errors.New(plain(err))
	}
	return nil
}

// plain shortens what a decoder says.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"error unmarshaling JSON: ", "while decoding JSON: ", "error converting YAML to JSON: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// JSON returns an object as it is created: without status, and without the times that only a server sets.
func JSON(o Object) (json.RawMessage, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", Kind(o), o.GetName(), err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", Kind(o), o.GetName(), err)
	}
	delete(m, "status")
	if meta, ok := m["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	return json.Marshal(m)
}

// YAML returns an object as a manifest.
func YAML(o Object) ([]byte, error) {
	raw, err := JSON(o)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(raw)
}
