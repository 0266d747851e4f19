package k6

import (
	"errors"
	"strconv"

	"github.com/grafana/sobek"
	"go.k6.io/k6/v2/js/common"
	"go.k6.io/k6/v2/js/modules"

	"github.com/assay-dev/assay/loadgen"
)

var (
	_ modules.Module   = (*Extension)(nil)
	_ modules.Instance = (*instance)(nil)
)

// An instance is the module in one virtual user.
type instance struct {
	ext    *Extension
	vu     modules.VU
	meters *meters
	runID  string
	env    func(name string) string // "" where it is not set
}

// NewModuleInstance implements modules.Module.
func (e *Extension) NewModuleInstance(vu modules.VU) modules.Instance {
	init := vu.InitEnv()
	if init == nil {
		common.Throw(vu.Runtime(), errors.New(ModuleName+": import it in the init context"))
	}
	m, err := newMeters(init.Registry)
	if err != nil {
		common.Throw(vu.Runtime(), err)
	}
	lookup := init.LookupEnv
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	env := func(name string) string { v, _ := lookup(name); return v }
	return &instance{ext: e, vu: vu, meters: m, runID: e.runID(lookup), env: env}
}

// Exports implements modules.Instance.
func (i *instance) Exports() modules.Exports {
	kinds := make([]string, len(loadgen.ClientKinds))
	for n, k := range loadgen.ClientKinds {
		kinds[n] = k.Name
	}
	return modules.Exports{Named: map[string]any{
		"Client":  i.newClient,
		"kinds":   kinds,
		"runId":   i.runID,
		"planned": i.planned,
	}}
}

// newClient is the constructor Client of the script.
func (i *instance) newClient(call sobek.ConstructorCall) *sobek.Object {
	rt := i.vu.Runtime()
	c, err := i.client(call.Argument(0))
	if err != nil {
		common.Throw(rt, err)
	}
	return rt.ToValue(c).ToObject(rt)
}

// planned returns what the trace of the scenario says of the iteration, or null.
func (i *instance) planned() *row {
	ctx := i.vu.Context()
	if i.vu.State() == nil || ctx == nil {
		common.Throw(i.vu.Runtime(), errors.New("planned: not in the init context: call it in a function"))
	}
	t := turnOf(ctx)
	if t == nil || t.item == nil {
		return nil
	}
	r := &row{PromptTokens: max(0, t.item.In), MaxTokens: max(0, t.item.Out), Class: t.item.Class, turn: *t}
	if t.item.Session != 0 {
		r.Session = strconv.FormatUint(t.item.Session, 16)
	}
	return r
}
