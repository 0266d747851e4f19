package plan

// MeshFault is what a fault by Chaos Mesh may say beyond others. What its kind demands is checked where the kinds are known.
type MeshFault struct {
	Load     Fraction `yaml:"load" json:"load,omitempty" jsonschema:"description=For cpu by chaosmesh: how busy each worker is. Default wholly."`
	Errno    int      `yaml:"errno" json:"errno,omitempty" jsonschema:"minimum=1,maximum=133,description=For io with mode errno: the error number; for example 5."`
	Port     int      `yaml:"port" json:"port,omitempty" jsonschema:"minimum=1,maximum=65535,description=For http by chaosmesh: port of the container."`
	Offset   Offset   `yaml:"offset" json:"offset,omitempty" jsonschema:"description=For clock: by how much it is wrong; negative is in the past."`
	Cloud    string   `yaml:"cloud" json:"cloud,omitempty" jsonschema:"enum=aws,enum=gcp,enum=azure,description=For cloud: whose machine."`
	Spec     Members  `yaml:"spec" json:"spec,omitempty" jsonschema:"description=By chaosmesh: further fields of the object's spec under the names of Chaos Mesh. For cloud: what is hurt and how."`
	Manifest string   `yaml:"manifest" json:"manifest,omitempty" jsonschema:"description=For manifest: file with one object of chaos-mesh.org; relative to the plan."`
}
