package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// A target is an object of the platform, as it was just read.
type target struct {
	name   string // as kubectl names it
	path   string
	object any
}

// A workloadKind says where in one kind of workload the things stand that faults change, as JSON pointers.
type workloadKind struct {
	group, version, plural string
	meta                   string // labels and annotations of its pods
	spec                   string // of its pods
	model                  string // a container that stands beside the list of containers; "": there is none
	inPod                  bool   // what stands below meta and spec stands in the pods as it is
}

var workloadKinds = map[string]workloadKind{
	onDeployment: {"apps", "v1", "deployments", "/spec/template/metadata", "/spec/template/spec", "", true},
	onKnative:    {"serving.knative.dev", "v1", "services", "/spec/template/metadata", "/spec/template/spec", "", true},
	onKServe:     {"serving.kserve.io", "v1beta1", "inferenceservices", "/spec/predictor", "/spec/predictor", "/spec/predictor/model", false},
}

// workload splits what the plan names.
func (d *Kubernetes) workload() (kind, name string, k workloadKind, err error) {
	kind, name, _ = strings.Cut(d.Workload, "/")
	k, ok := workloadKinds[kind]
	if !ok || name == "" {
		return "", "", k, fmt.Errorf("%q is no workload: deployment/NAME, ksvc/NAME or inferenceservice/NAME", d.Workload)
	}
	return kind, name, k, nil
}

// read returns an object of the namespace as it is.
func (d *Kubernetes) read(ctx context.Context, group, version, plural, name string) (*target, error) {
	t := &target{name: plural + "." + group + "/" + name,
		path: "/apis/" + group + "/" + version + "/namespaces/" + url.PathEscape(d.Namespace) + "/" + plural + "/" + url.PathEscape(name)}
	if err := d.API.Get(ctx, t.path, &t.object); err != nil {
		return nil, fmt.Errorf("look at %s: %w", t.name, err)
	}
	if at(t.object, "/metadata/uid") == "" {
		return nil, fmt.Errorf("look at %s: the answer is no object", t.name)
	}
	return t, nil
}

// readWorkload returns the workload as it is.
func (d *Kubernetes) readWorkload(ctx context.Context) (*target, string, workloadKind, error) {
	kind, name, k, err := d.workload()
	if err != nil {
		return nil, "", k, err
	}
	t, err := d.read(ctx, k.group, k.version, k.plural, name)
	return t, kind, k, err
}

// container returns the pointer of a container by name, or of the first.
func (k *workloadKind) container(object any, name string) (string, error) {
	if k.model != "" {
		if _, ok := lookup(object, k.model); ok && name == "" {
			return k.model, nil
		}
	}
	containers := list(object, k.spec+"/containers")
	for i, c := range containers {
		if name == "" || at(c, "/name") == name {
			return k.spec + "/containers/" + strconv.Itoa(i), nil
		}
	}
	if name == "" {
		return "", errors.New("it has no container")
	}
	return "", fmt.Errorf("it has no container %s", name)
}

// takenUp looks once whether the platform has seen the last change of the workload.
func (d *Kubernetes) takenUp(ctx context.Context, t *target) error {
	var object any
	if err := d.API.Get(ctx, t.path, &object); err != nil {
		return err
	}
	if seen, is := number(object, "/status/observedGeneration"), number(object, "/metadata/generation"); seen < is {
		return fmt.Errorf("the platform has not taken up the change of %s: it has seen generation %d of %d", t.name, seen, is)
	}
	return nil
}

// bears reports whether a pod was made with the changed fields.
func (k *workloadKind) bears(p pod, fields []field) bool {
	found := false
	for _, f := range fields {
		in := ""
		if rest, ok := strings.CutPrefix(f.Path, k.meta); ok {
			in = "/metadata" + rest
		} else if rest, ok := strings.CutPrefix(f.Path, k.spec); ok {
			in = "/spec" + rest
		} else {
			continue
		}
		if moved := (field{Path: in}); !moved.stands(p.object, f.Ours) {
			return false
		}
		found = true
	}
	return found
}

// measureTemplate makes the action say whether new pods bear the change, and the undo whether the platform took it up.
func (d *Kubernetes) measureTemplate(a *Action, t *target, k workloadKind) {
	fields := a.Undo.Object.Fields
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			if err := d.takenUp(ctx, t); err != nil {
				return err
			}
			pods, err := d.pods(ctx)
			if err != nil {
				return err
			}
			if !k.inPod || len(pods) == 0 {
				effect, a.Basis = fmt.Sprintf("the platform says that it has taken up the change of %s; no pod shows it, so it was not measured by us", t.name), assay.EffectTold
				return nil
			}
			n, last := 0, ""
			for _, p := range pods {
				if k.bears(p, fields) {
					n++
					last = p.name()
				}
			}
			if n == 0 {
				return fmt.Errorf("none of %d pods was made with the change", len(pods))
			}
			effect, a.Basis = fmt.Sprintf("%d of %d pods were made with it, pod %s among them", n, len(pods), last), assay.EffectMeasured
			return nil
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error { return d.watch(ctx, func() error { return d.takenUp(ctx, t) }) }
}

// workloadRights are those of a fault that changes the workload.
func workloadRights(d *Kubernetes, _ *Step) []right {
	_, name, k, err := d.workload()
	if err != nil {
		return nil
	}
	return []right{{"get", k.group, k.plural, name}, {"patch", k.group, k.plural, name}}
}
