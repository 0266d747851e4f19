package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// UndoObject puts back what a fault changed of one object in a cluster, or deletes the one it made, and then deletes the Job that would have
// done so in the cluster. What somebody else has changed meanwhile is left as it is and reported.
const UndoObject = "object"

// An objectUndo says what was changed of an object. The change and the mark, an annotation, came in one request: where the mark is not, nothing
// of ours is. It holds no credentials, and of variables only their names.
type objectUndo struct {
	Namespace string  `json:"namespace"`
	Object    string  `json:"object"`           // as kubectl names it: deployment.apps/llm
	Path      string  `json:"path"`             // of the object
	UID       string  `json:"uid,omitempty"`    // another object of that name is never touched
	Mark      string  `json:"mark,omitempty"`   // name of the annotation
	Fields    []field `json:"fields,omitempty"` // what was changed; none: the object is ours and is deleted
	Job       string  `json:"job,omitempty"`    // path of the Job that ends the fault if nobody else does; "": there is none
}

// arrival is how long a request that was sent just before its sender died may still take to arrive.
const arrival = time.Second

var objectUndoKind = undoKind{
	remote: true,
	check: func(u *Undo) error {
		o := u.Object
		if o == nil || o.Path == "" || o.Object == "" || (len(o.Fields) > 0) != (o.Mark != "" && o.UID != "") {
			return errors.New("no object")
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		api, err := clusterOf(u)
		if err != nil {
			return u.late(err)
		}
		o := u.Object
		var others *conflict
		if err := o.restore(ctx, api); err != nil && !errors.As(err, &others) {
			return u.late(err) // the Job stays: it is what is left to end the fault
		}
		if o.Job != "" {
			err = remove(ctx, api, o.Job)
		}
		if others != nil {
			return others
		}
		return err
	},
	away: func(ctx context.Context, u *Undo) error {
		api, err := clusterOf(u)
		if err != nil {
			return u.late(err)
		}
		o := u.Object
		if err := o.gone(ctx, api); err != nil {
			var others *conflict
			if errors.As(err, &others) {
				return err
			}
			return u.late(err)
		}
		if o.Job == "" {
			return nil
		}
		there, err := exists(ctx, api, o.Job)
		if err == nil && there {
			err = fmt.Errorf("%s is still there", o.job())
		}
		return err
	},
	text: func(u *Undo) string {
		text := shell(u.Object.command())
		if u.Object.Job != "" {
			text += fmt.Sprintf("; if nobody does, %s does so in the cluster at %s", u.Object.job(), time.Unix(0, u.Expires).UTC().Format(time.RFC3339))
		}
		return text
	},
}

// A conflict says what somebody else changed while a fault of ours lay on an object.
type conflict struct {
	object, mark string
	changes      []string
}

func (c *conflict) Error() string {
	return fmt.Sprintf("%s: somebody else changed it meanwhile, so it is left as it is: %s; set what is right and take the annotation %s away", c.object, strings.Join(c.changes, ", "), c.mark)
}

// restore takes the change away, if it is there.
func (o *objectUndo) restore(ctx context.Context, api *kube.Client) error {
	if o.Fields == nil {
		return o.removeOurs(ctx, api)
	}
	waited := false
	for try := 0; ; try++ {
		object, err := o.read(ctx, api)
		switch {
		case err != nil:
			return err
		case object == nil || !bearsMark(object, o.Mark):
			if waited {
				return nil
			}
			if err := pause(ctx, arrival); err != nil {
				return err
			}
			waited = true
			continue
		}
		ops, others := o.back(object)
		if len(ops) > 1 { // more than the test of the version
			err = api.Edit(ctx, o.Path, ops, nil)
			if stale(err) && try < 20 {
				continue // it changed between our look and our request
			}
			if err != nil && !kube.NotFound(err) {
				return err
			}
		}
		if others != nil {
			return others
		}
		return nil
	}
}

// back returns the operations that put back what is still as we left it, and what is not.
func (o *objectUndo) back(object any) ([]operation, error) {
	ops := []operation{{Op: "test", Path: "/metadata/resourceVersion", Value: json.RawMessage(asJSON(at(object, "/metadata/resourceVersion")))}}
	var others *conflict
	for i := range o.Fields {
		f := &o.Fields[i]
		switch {
		case f.stands(object, f.Was):
		case f.stands(object, f.Ours):
			ops = append(ops, parents(object, f.Path, map[string]bool{})...)
			ops = append(ops, f.put(object, f.Was))
		default:
			now, _ := lookup(object, f.Path)
			if others == nil {
				others = &conflict{object: o.Object, mark: o.Mark}
			}
			others.changes = append(others.changes, fmt.Sprintf("%s is %.80s now, was %.80s before the fault and %.80s in it", f.Path, asJSON(now), orNothing(f.Was), orNothing(f.Ours)))
		}
	}
	if others != nil {
		return ops, others // the mark stays until a person has looked
	}
	return append(ops, operation{Op: "remove", Path: o.markPath()}), nil
}

// put returns the operation that makes value stand at the field's place.
func (f *field) put(object any, value json.RawMessage) operation {
	op := set(f.Path, value)
	if _, there := lookup(object, f.Path); there && value != nil {
		op.Op = "replace" // add would insert into a list
	}
	return op
}

func orNothing(v json.RawMessage) string {
	if v == nil {
		return "not there"
	}
	return string(v)
}

func (o *objectUndo) markPath() string { return pointer("metadata", "annotations", o.Mark) }

// removeOurs deletes the object that we made.
func (o *objectUndo) removeOurs(ctx context.Context, api *kube.Client) error {
	there, err := exists(ctx, api, o.Path)
	if err == nil && !there {
		if err = pause(ctx, arrival); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return remove(ctx, api, o.Path)
}

// gone looks once whether the change is away.
func (o *objectUndo) gone(ctx context.Context, api *kube.Client) error {
	if o.Fields == nil {
		there, err := exists(ctx, api, o.Path)
		if err == nil && there {
			err = fmt.Errorf("%s is still there", o.Object)
		}
		return err
	}
	object, err := o.read(ctx, api)
	if err != nil || object == nil || !bearsMark(object, o.Mark) {
		return err
	}
	if _, others := o.back(object); others != nil {
		return others
	}
	return fmt.Errorf("%s is still changed", o.Object)
}

// stands reports whether all of the change is in force.
func (o *objectUndo) stands(ctx context.Context, api *kube.Client) (bool, error) {
	if o.Fields == nil {
		return exists(ctx, api, o.Path)
	}
	object, err := o.read(ctx, api)
	if err != nil || object == nil {
		return false, err
	}
	for i := range o.Fields {
		if !o.Fields[i].stands(object, o.Fields[i].Ours) {
			return false, nil
		}
	}
	return true, nil
}

// read returns the object, or nil if it is gone, and what was changed of it too.
func (o *objectUndo) read(ctx context.Context, api *kube.Client) (any, error) {
	var object any
	switch err := api.Get(ctx, o.Path, &object); {
	case kube.NotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case at(object, "/metadata/uid") != o.UID:
		return nil, nil
	}
	return object, nil
}

// command is what undoes the fault, for a person and for the Job. As a patch it is refused unless all is as we left it.
func (o *objectUndo) command() []string {
	args := []string{"kubectl", "-n", o.Namespace}
	if o.Fields == nil {
		return append(args, "delete", o.Object, "--ignore-not-found")
	}
	ops := []operation{{Op: "remove", Path: o.markPath()}} // refused where it is not
	for _, f := range o.Fields {
		if f.Ours != nil {
			ops = append(ops, operation{Op: "test", Path: f.Path, Value: f.Ours})
		}
		op := set(f.Path, f.Was)
		if f.Ours != nil && f.Was != nil {
			op.Op = "replace"
		}
		ops = append(ops, op)
	}
	return append(args, "patch", o.Object, "--type=json", "-p", asJSON(ops))
}

// shell writes a command as a person types it.
func shell(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; strings.ContainsAny(a, " '\"[]{}$~*") {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func (o *objectUndo) job() string {
	return "job " + o.Namespace + "/" + o.Job[strings.LastIndex(o.Job, "/")+1:]
}

func bearsMark(object any, mark string) bool {
	_, ok := lookup(object, pointer("metadata", "annotations", mark))
	return ok
}

// stale reports whether err says that an object was not as a patch wants it.
func stale(err error) bool {
	var e *kube.Error
	return errors.As(err, &e) && (e.Status == http.StatusConflict || e.Status == http.StatusUnprocessableEntity)
}

// exists reports whether an object is there and not on its way out.
func exists(ctx context.Context, api *kube.Client, path string) (bool, error) {
	var object any
	err := api.Get(ctx, path, &object)
	if kube.NotFound(err) {
		return false, nil
	}
	return err == nil && at(object, "/metadata/deletionTimestamp") == "", err
}

// remove deletes an object of ours and what belongs to it. One that is not there is deleted.
func remove(ctx context.Context, api *kube.Client, path string) error {
	if err := api.Delete(ctx, path+"?propagationPolicy=Background"); err != nil && !kube.NotFound(err) {
		return err
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
