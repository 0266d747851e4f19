package chaos

import (
	"fmt"

	"github.com/assay-dev/assay/internal/mesh"
)

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
