package k6op

import (
	"bytes"
	"encoding/json"
)

// The subset of the objects' fields that we write.

// A text is a string that is quoted, since what looks like a number or a truth value to one version of YAML does not to another.
type text string

// MarshalYAML returns the text as JSON has it, which every version of YAML reads alike.
func (t text) MarshalYAML() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(t)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   meta   `yaml:"metadata"`
}

type meta struct {
	Name      string          `yaml:"name"`
	Namespace string          `yaml:"namespace,omitempty"`
	Labels    map[string]text `yaml:"labels,omitempty"`
}

type testRun struct {
	object `yaml:",inline"`
	Spec   testRunSpec `yaml:"spec"`
}

type testRunSpec struct {
	Parallelism int    `yaml:"parallelism"`
	Separate    bool   `yaml:"separate,omitempty"`
	Script      source `yaml:"script"`
	Arguments   text   `yaml:"arguments"`
	Starter     pod    `yaml:"starter"`
	Runner      pod    `yaml:"runner"`
}

type source struct {
	ConfigMap configFile `yaml:"configMap"`
}

type configFile struct {
	Name string `yaml:"name"`
	File string `yaml:"file"`
}

// pod is a pod as the operator describes it: in its types the token setting is a string.
type pod struct {
	Image                        string             `yaml:"image,omitempty"`
	Env                          []envVar           `yaml:"env,omitempty"`
	ServiceAccountName           string             `yaml:"serviceAccountName"`
	AutomountServiceAccountToken string             `yaml:"automountServiceAccountToken"`
	Resources                    *resources         `yaml:"resources,omitempty"`
	SecurityContext              *podSecurity       `yaml:"securityContext,omitempty"`
	ContainerSecurityContext     *containerSecurity `yaml:"containerSecurityContext,omitempty"`
	Volumes                      []volume           `yaml:"volumes,omitempty"`
	VolumeMounts                 []mount            `yaml:"volumeMounts,omitempty"`
}

type envVar struct {
	Name      string     `yaml:"name"`
	Value     text       `yaml:"value,omitempty"`
	ValueFrom *envSource `yaml:"valueFrom,omitempty"`
}

type envSource struct {
	SecretKeyRef secretKey `yaml:"secretKeyRef"`
}

type secretKey struct {
	Name string `yaml:"name"`
	Key  string `yaml:"key"`
}

type resources struct {
	Requests map[string]text `yaml:"requests,omitempty"`
}

type podSecurity struct {
	RunAsNonRoot   bool    `yaml:"runAsNonRoot"`
	RunAsUser      int     `yaml:"runAsUser"`
	RunAsGroup     int     `yaml:"runAsGroup"`
	FSGroup        int     `yaml:"fsGroup"`
	SeccompProfile profile `yaml:"seccompProfile"`
}

type profile struct {
	Type string `yaml:"type"`
}

type containerSecurity struct {
	AllowPrivilegeEscalation bool         `yaml:"allowPrivilegeEscalation"`
	Capabilities             capabilities `yaml:"capabilities"`
}

type capabilities struct {
	Drop []string `yaml:"drop"`
}

type volume struct {
	Name                  string `yaml:"name"`
	PersistentVolumeClaim claim  `yaml:"persistentVolumeClaim"`
}

type claim struct {
	ClaimName string `yaml:"claimName"`
}

type mount struct {
	Name      string `yaml:"name"`
	MountPath string `yaml:"mountPath"`
}

type configMap struct {
	object     `yaml:",inline"`
	Data       map[string]any  `yaml:"data,omitempty"` // a string of several lines, or a text
	BinaryData map[string]text `yaml:"binaryData,omitempty"`
}

type volumeClaim struct {
	object `yaml:",inline"`
	Spec   claimSpec `yaml:"spec"`
}

type claimSpec struct {
	AccessModes      []string  `yaml:"accessModes"`
	StorageClassName string    `yaml:"storageClassName,omitempty"`
	Resources        resources `yaml:"resources"`
}

type serviceAccount struct {
	object                       `yaml:",inline"`
	AutomountServiceAccountToken bool `yaml:"automountServiceAccountToken"`
}

type role struct {
	object `yaml:",inline"`
	Rules  []rule `yaml:"rules"`
}

type rule struct {
	APIGroups     []string `yaml:"apiGroups"`
	Resources     []string `yaml:"resources"`
	ResourceNames []string `yaml:"resourceNames,omitempty"`
	Verbs         []string `yaml:"verbs"`
}

type roleBinding struct {
	object   `yaml:",inline"`
	Subjects []subject `yaml:"subjects"`
	RoleRef  roleRef   `yaml:"roleRef"`
}

type subject struct {
	Kind      string `yaml:"kind"`
	Name      string `yaml:"name"`
	Namespace string `yaml:"namespace"`
}

type roleRef struct {
	APIGroup string `yaml:"apiGroup"`
	Kind     string `yaml:"kind"`
	Name     string `yaml:"name"`
}

type job struct {
	object `yaml:",inline"`
	Spec   jobSpec `yaml:"spec"`
}

type jobSpec struct {
	BackoffLimit int      `yaml:"backoffLimit"`
	Template     template `yaml:"template"`
}

type template struct {
	Spec podSpec `yaml:"spec"`
}

type podSpec struct {
	RestartPolicy                string       `yaml:"restartPolicy"`
	ServiceAccountName           string       `yaml:"serviceAccountName"`
	AutomountServiceAccountToken bool         `yaml:"automountServiceAccountToken"`
	SecurityContext              *podSecurity `yaml:"securityContext"`
	Containers                   []container  `yaml:"containers"`
	Volumes                      []volume     `yaml:"volumes"`
}

type container struct {
	Name            string             `yaml:"name"`
	Image           string             `yaml:"image"`
	Command         []string           `yaml:"command"`
	SecurityContext *containerSecurity `yaml:"securityContext"`
	VolumeMounts    []mount            `yaml:"volumeMounts"`
}
