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

// A Sweep takes away the objects of Chaos Mesh that a run has left in a namespace, by the label that they bear: for a run whose directory, and with it
// the journal, is lost.
type Sweep struct {
	Kubeconfig, Context, Namespace string // as in a plan; the namespace "" is that of the context, else default
	Run                            string // its id
}

// ErrNoMesh says that there is no Chaos Mesh in a cluster.
var ErrNoMesh = errors.New("the cluster knows no kind of Chaos Mesh")

// Do deletes the objects and returns once each is seen to be gone, or may remain. It is an error if the cluster cannot be asked, [ErrNoMesh] if
// nothing could be there.
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
	var mu sync.Mutex
	var wg sync.WaitGroup
	known := false
	for _, k := range mesh.Kinds() {
		var list struct {
			Items []metadata `json:"items"`
		}
		unknown, denied := false, error(nil)
		err := until(ctx, 500*time.Millisecond, func() error {
			err := api.Get(ctx, mesh.Collection(s.Namespace, k)+"?labelSelector="+mesh.RunLabel+"%3D"+s.Run, &list)
			switch unknown = kube.NotFound(err); {
			case unknown:
				return nil
			case refused(err):
				denied = err
				return nil
			}
			return err // a server that is busy or starts will answer later
		})
		switch {
		case unknown:
			continue
		case denied != nil:
			return rep, fmt.Errorf("list what run %s has left: %w", s.Run, denied)
		case err != nil:
			return rep, fmt.Errorf("list what run %s has left: %w", s.Run, err)
		}
		known = true
		for _, o := range list.Items {
			u := Undo{ID: "sweep", Kind: UndoKube, Kubeconfig: s.Kubeconfig, Context: s.Context, Method: http.MethodDelete, Want: Gone, Finalizer: mesh.Finalizer,
				Path: mesh.Collection(s.Namespace, k) + "/" + o.Metadata.Name, Labels: map[string]string{mesh.RunLabel: s.Run}}
			name := fmt.Sprintf("%s %s in %s", k, o.Metadata.Name, s.Namespace)
			wg.Go(func() {
				err := u.Do(ctx)
				if err == nil {
					err = u.Verify(ctx)
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: %v", name, err))
					return
				}
				rep.Reverted = append(rep.Reverted, name)
			})
		}
	}
	wg.Wait()
	if !known {
		return rep, ErrNoMesh
	}
	return rep, nil
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
