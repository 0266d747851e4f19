package chaos

import (
	"encoding/json"
	"time"
)

// MeshSettings are the settings of a step that only objects of Chaos Mesh have.
type MeshSettings struct {
	Load      float64         `json:"load,omitempty"`      // cpu: how busy each worker is, up to 1; 0 is wholly
	Errno     int             `json:"errno,omitempty"`     // io: error number that calls fail with
	Port      int             `json:"port,omitempty"`      // http: port of the pod
	Container string          `json:"container,omitempty"` // kill: only this container of the pod
	Offset    time.Duration   `json:"offset_ns,omitempty"` // clock: by which it is wrong; negative is in the past
	Cloud     string          `json:"cloud,omitempty"`     // cloud: aws, gcp, azure
	Spec      json.RawMessage `json:"spec,omitempty"`      // further fields of the object's spec, under Chaos Mesh's names
	Manifest  string          `json:"manifest,omitempty"`  // manifest: path of the file
	Object    string          `json:"object,omitempty"`    // manifest: what stands in it
}

// set returns the names of the settings that are there.
func (m *MeshSettings) set() []string {
	var names []string
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"load", m.Load != 0}, {"errno", m.Errno != 0}, {"port", m.Port != 0}, {"container", m.Container != ""}, {"offset", m.Offset != 0},
		{"cloud", m.Cloud != ""}, {"spec", len(m.Spec) > 0}, {"manifest", m.Manifest != ""},
	} {
		if x.set {
			names = append(names, x.name)
		}
	}
	return names
}
