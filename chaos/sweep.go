package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// A Sweep takes away what the faults of a run have left in a namespace of a cluster, by the labels and marks that it bears: for a run whose directory,
// and with it the journal, is lost.
type Sweep struct {
	Kubeconfig, Context, Namespace string // as in a plan; the namespace "" is that of the context, else default
	Run                            string // its id
}

// A leftover is something that a sweep has found.
type leftover struct {
	name string
	undo Undo
}

// Do undoes what is there of the run and returns once each of it is seen to be away, or may remain. What we may not look for may remain too. It is an
// error if the cluster cannot be asked.
func (s Sweep) Do(ctx context.Context) (HealReport, error) {
	var rep HealReport
	api, err := kube.Find(s.Kubeconfig, s.Context)
	if err != nil {
		return rep, err
	}
	if s.Namespace == "" {
		s.Namespace = api.Namespace
	}
	if s.Namespace == "" {
		s.Namespace = "default"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*remoteTimeout)
	defer cancel()
	found, missed, known, err := s.platform(ctx, api)
	if err != nil {
		return rep, fmt.Errorf("list what run %s has left: %w", s.Run, err)
	}
	of, meshed, err := s.mesh(ctx, api)
	if err != nil {
		err = fmt.Errorf("list what run %s has left: %w", s.Run, err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, l := range append(found, of...) {
		wg.Go(func() {
			err := l.undo.Do(ctx)
			if err == nil {
				err = l.undo.Verify(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: %v", l.name, err))
				return
			}
			rep.Reverted = append(rep.Reverted, l.name)
		})
	}
	wg.Wait()
	rep.Remaining = append(rep.Remaining, missed...)
	if err == nil && !known && !meshed {
		err = errors.New("the cluster knows no kind of Chaos Mesh, and no other that a fault could have changed")
	}
	return rep, err
}

// mesh finds the objects of Chaos Mesh. known tells that the cluster has any kind of it.
func (s Sweep) mesh(ctx context.Context, api *kube.Client) (found []leftover, known bool, err error) {
	for _, k := range mesh.Kinds() {
		collection := mesh.Collection(s.Namespace, k)
		items, err := listThere(ctx, api, collection+"?labelSelector="+mesh.RunLabel+"%3D"+s.Run)
		switch {
		case kube.NotFound(err):
			continue
		case err != nil:
			return found, known, err
		}
		known = true
		for _, o := range items {
			name := at(o, "/metadata/name")
			found = append(found, leftover{fmt.Sprintf("%s %s in %s", k, name, s.Namespace), Undo{ID: "sweep", Kind: UndoKube, Kubeconfig: s.Kubeconfig, Context: s.Context,
				Method: http.MethodDelete, Want: Gone, Finalizer: mesh.Finalizer, Path: collection + "/" + name, Labels: map[string]string{mesh.RunLabel: s.Run}}})
		}
	}
	return found, known, nil
}

// listThere lists a collection, once the server is not too busy for it. That the cluster does not know the kind is told as such, even to who may not
// list it.
func listThere(ctx context.Context, api *kube.Client, path string) ([]any, error) {
	var list struct {
		Items []any `json:"items"`
	}
	var final error
	err := until(ctx, 500*time.Millisecond, func() error {
		err := api.Get(ctx, path, &list)
		if refused(err) {
			var group any
			served, _, _ := strings.Cut(path, "/namespaces/")
			if err := api.Get(ctx, served, &group); kube.NotFound(err) {
				final = err
				return nil
			}
		}
		if kube.NotFound(err) || refused(err) {
			final = err
			return nil
		}
		return err // a server that is busy or starts will answer later
	})
	return list.Items, errors.Join(final, err)
}

// refused reports whether the API server does not let us.
func refused(err error) bool {
	var e *kube.Error
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized)
}

// CheckRunID returns why a text cannot be the id of a run.
func CheckRunID(id string) error {
	if len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is no id of a run: want 16 hexadecimal digits, as the objects' label %s has them", id, mesh.RunLabel)
	}
	return nil
}
