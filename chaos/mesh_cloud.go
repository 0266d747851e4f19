package chaos

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/assay-dev/assay/internal/mesh"
)

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
