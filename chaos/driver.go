package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// The drivers, in the order in which one is chosen for a step that names none.
const (
	ByLocal      = "local"      // processes and links on this machine
	ByMesh       = "chaosmesh"  // objects of Chaos Mesh in a cluster
	ByKubernetes = "kubernetes" // objects of the platform in a cluster
	ByLambda     = "lambda"     // the control API of AWS Lambda
	ByWire       = "wire"       // a proxy of ours between the load and the target
)

// A Driver knows the deployment: what may be hurt, and how. Its methods may be called at once.
type Driver interface {
	// Victims lists what is ready and may be hurt by the step, in a stable order, and how many are ready in all.
	Victims(ctx context.Context, s *Step) (victims []Victim, ready int, err error)
	// Plan makes an action. It touches nothing.
	Plan(ctx context.Context, s *Step, v Victim) (*Action, error)
}

// Drivers gives each step to the driver that it names; it has one entry for each driver that the target offers.
type Drivers map[string]Driver

var _ Driver = Drivers(nil)

func (d Drivers) of(s *Step) (Driver, error) {
	if one, ok := d[s.by()]; ok {
		return one, nil
	}
	return nil, fmt.Errorf("the target offers no driver %s", s.by())
}

// Victims asks the step's driver.
func (d Drivers) Victims(ctx context.Context, s *Step) ([]Victim, int, error) {
	one, err := d.of(s)
	if err != nil {
		return nil, 0, err
	}
	return one.Victims(ctx, s)
}

// Plan asks the step's driver.
func (d Drivers) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	one, err := d.of(s)
	if err != nil {
		return nil, err
	}
	return one.Plan(ctx, s, v)
}

// does is how a driver does a kind of fault, as far as can be told without the deployment.
type does struct {
	settings []string            // names of the settings that it knows beyond those of all kinds
	check    func(*Step) []Wrong // what else it demands of the step
	preview  func(*Step) string  // what it will do, in words
}

// driverTable is what one driver does, by kind of fault.
type driverTable struct {
	name  string
	kinds map[string]does
}

// driverTables returns what each driver does.
func driverTables() []driverTable {
	local, wire := map[string]does{}, map[string]does{}
	for _, k := range Kinds() {
		if k.local != nil {
			local[k.Name] = does{settings: k.settings, check: k.check, preview: k.preview}
		}
		if k.Wire {
			wire[k.Name] = does{settings: k.settings, check: k.check, preview: previewWire}
		}
	}
	return []driverTable{{ByLocal, local}, meshTable(), {ByKubernetes, kubernetesTable()}, {ByLambda, lambdaTable()}, {ByWire, wire}, toolkitDriver()}
}

// DriverNames returns the names of all drivers, in the order in which one is chosen.
func DriverNames() []string {
	var names []string
	for _, t := range driverTables() {
		names = append(names, t.name)
	}
	return names
}

// By returns the drivers that do this kind of fault, in the order in which one is chosen.
func (k *Kind) By() []string {
	var names []string
	for _, t := range driverTables() {
		if _, ok := t.kinds[k.Name]; ok {
			names = append(names, t.name)
		}
	}
	return names
}

// how returns how the step's driver does its kind.
func (s *Step) how() (does, bool) {
	for _, t := range driverTables() {
		if t.name == s.by() {
			d, ok := t.kinds[s.Fault]
			return d, ok
		}
	}
	return does{}, false
}

// by returns the step's driver.
func (s *Step) by() string {
	if s.By == "" {
		return ByLocal
	}
	return s.By
}

// knowers returns, for people, the kinds of fault that know a setting: those of the driver, or of the others with their names.
func knowers(setting, by string) string {
	var own, others []string
	for _, t := range driverTables() {
		for _, k := range kindNames() {
			switch d, ok := t.kinds[k]; {
			case !ok || !slices.Contains(d.settings, setting):
			case t.name == by:
				own = append(own, k)
			default:
				others = append(others, k+" by "+t.name)
			}
		}
	}
	if own == nil {
		own = others
	}
	return strings.Join(own, ", ")
}

// Preview says in a few lines what the steps will do and, by driver, what will never be hurt, to be shown before the run.
func Preview(steps []Step) []string {
	var lines []string
	used := map[string]bool{}
	for i := range steps {
		s := &steps[i]
		if d, ok := s.how(); ok {
			lines = append(lines, fmt.Sprintf("%s: %s", when(steps, i), d.preview(s)))
			if text := s.again(i); text != "" {
				lines = append(lines, text)
			}
			used[s.by()] = true
		}
	}
	lines = append(lines, overlaps(steps)...)
	for _, t := range driverTables() {
		text := promises[t.name]
		if t.name == ByMesh {
			text = meshPromise(steps)
		}
		if used[t.name] && text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// promises are what each driver never hurts, or where its faults lie. For Chaos Mesh see meshPromise.
var promises = map[string]string{
	ByKubernetes: "in the cluster nothing is changed that the plan does not name, and nothing is put back that somebody else has changed meanwhile: that is reported",
	ByLambda:     "of AWS nothing is changed but the function that the plan names, and nothing is put back that somebody else has changed meanwhile: that is reported",
	ByLocal:      "never: this process, its ancestors, process 1, session leaders, the platform's own process, whatever the platform does not list",
	ByWire:       "these faults lie on our side of the wire: a proxy of ours between the load and the target; the target itself is not hurt, and its users feel nothing",
	ByToolkit:    "what an experiment does to whom is the experiment's own affair; its rollbacks are always played once its method has begun",
}
