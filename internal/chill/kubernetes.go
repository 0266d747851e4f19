package chill

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// replicasNote is the annotation that holds how many replicas a Deployment had before we scaled it to zero.
const replicasNote = "assay.dev/replicas"

// Kubernetes makes a workload in a cluster cold, in one of two ways. A Deployment is scaled to zero; once no pod of it is left in its
// status it gets its replicas back if Wake is set, else the platform's own activator (KEDA's, for example) is to wake it. Or the
// Pods of a label selector are deleted, and whatever owns them makes new ones: that is the way for Knative. A new pod that is ready
// before the deletion was seen is an error, since the next request would find it.
type Kubernetes struct {
	API        *kube.Client
	Namespace  string
	Deployment string        // exactly one of Deployment and Pods
	Pods       string        // label selector
	Run        string        // id of the run, which the Deployment bears as a label while it is scaled; "" for none
	Wake       bool          // give the Deployment its replicas back when it is cold
	Poll       time.Duration // 0: 250 ms

	scaled bool // to zero by us, and not back yet
}

var _ Chiller = (*Kubernetes)(nil)

// String implements Chiller.
func (k *Kubernetes) String() string {
	if k.Deployment != "" {
		return fmt.Sprintf("deployment %s/%s", k.Namespace, k.Deployment)
	}
	return fmt.Sprintf("pods %s in %s", k.Pods, k.Namespace)
}

// deployment is what we read of a Deployment.
type deployment struct {
	Metadata struct {
		Generation  int64             `json:"generation"`
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Replicas *int `json:"replicas"` // 1 where it is absent
	} `json:"spec"`
	Status struct {
		Replicas           int   `json:"replicas"`
		ReadyReplicas      int   `json:"readyReplicas"`
		ObservedGeneration int64 `json:"observedGeneration"`
	} `json:"status"`
}

// replicas returns how many replicas the Deployment has when nobody made it cold; noted tells that its annotation says so.
func (d *deployment) replicas() (n int, noted bool) {
	if n, err := strconv.Atoi(d.Metadata.Annotations[replicasNote]); err == nil && n >= 0 {
		return n, true
	}
	if d.Spec.Replicas == nil {
		return 1, false
	}
	return *d.Spec.Replicas, false
}

func (k *Kubernetes) path() string {
	return deployments(k.Namespace) + "/" + url.PathEscape(k.Deployment)
}

func deployments(namespace string) string {
	return "/apis/apps/v1/namespaces/" + url.PathEscape(namespace) + "/deployments"
}

func (k *Kubernetes) pods(query string) string {
	return "/api/v1/namespaces/" + url.PathEscape(k.Namespace) + "/pods?labelSelector=" + url.QueryEscape(k.Pods) + query
}

// scale is the patch that sets the replicas, the note and whose it is; without a note both are taken away.
func (k *Kubernetes) scale(n int, note string) map[string]any {
	annotations, labels := map[string]any{replicasNote: nil}, map[string]any{kube.RunLabel: nil}
	if note != "" {
		annotations[replicasNote] = note
		if k.Run != "" {
			labels[kube.RunLabel] = k.Run
		}
	}
	return map[string]any{"metadata": map[string]any{"annotations": annotations, "labels": labels}, "spec": map[string]any{"replicas": n}}
}

// Check implements Chiller: it reads, and tries the change without making it.
func (k *Kubernetes) Check(ctx context.Context) error {
	if k.Pods != "" {
		var list podList
		if err := k.API.Get(ctx, k.pods(""), &list); err != nil {
			return fmt.Errorf("look at %s: %w", k, err)
		}
		if err := k.API.Delete(ctx, k.pods("&dryRun=All")); err != nil {
			return fmt.Errorf("try to delete %s: %w", k, err)
		}
		return nil
	}
	var d deployment
	if err := k.API.Get(ctx, k.path(), &d); err != nil {
		return fmt.Errorf("look at %s: %w", k, err)
	}
	if n, noted := d.replicas(); n == 0 && k.Wake {
		return fmt.Errorf("%s has 0 replicas: nothing would wake it again; scale it up, or say wake: false if its platform does", k)
	} else if noted {
		k.scaled = true // by a run that was killed: it is put back with ours
	}
	if err := k.API.Patch(ctx, k.path()+"?dryRun=All", k.scale(0, "0"), nil); err != nil {
		return fmt.Errorf("try to scale %s: %w", k, err)
	}
	return nil
}

// Chill implements Chiller.
func (k *Kubernetes) Chill(ctx context.Context) error {
	if k.Pods != "" {
		return k.evict(ctx)
	}
	var d deployment
	if err := k.API.Get(ctx, k.path(), &d); err != nil {
		return fmt.Errorf("look at %s: %w", k, err)
	}
	n, noted := d.replicas()
	if n == 0 {
		n = 1 // between two wakes of its platform; what it had at first is noted
	}
	k.scaled = true // even if the answer is lost
	note := strconv.Itoa(n)
	if noted {
		note = d.Metadata.Annotations[replicasNote]
	}
	if err := k.API.Patch(ctx, k.path(), k.scale(0, note), nil); err != nil {
		return fmt.Errorf("scale %s to zero: %w", k, err)
	}
	err := k.until(ctx, func() (bool, error) {
		var d deployment
		err := k.API.Get(ctx, k.path(), &d)
		return d.Status.ObservedGeneration >= d.Metadata.Generation && d.Status.Replicas == 0 && d.Status.ReadyReplicas == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait until %s is at zero: %w", k, err)
	}
	if k.Wake {
		return k.Undo(ctx)
	}
	return nil
}

// Undo implements Chiller.
func (k *Kubernetes) Undo(ctx context.Context) error {
	if k.Deployment == "" || !k.scaled {
		return nil
	}
	var d deployment
	if err := k.API.Get(ctx, k.path(), &d); err != nil {
		return fmt.Errorf("look at %s: %w", k, err)
	}
	n, noted := d.replicas()
	if !noted {
		k.scaled = false // somebody else has put it back
		return nil
	}
	if err := k.API.Patch(ctx, k.path(), k.scale(n, ""), nil); err != nil {
		return fmt.Errorf("scale %s back to %d: %w; by hand: kubectl -n %s scale deployment/%s --replicas=%d", k, n, err, k.Namespace, k.Deployment, n)
	}
	k.scaled = false
	return nil
}

// Recover undoes what the run left behind when it was killed: the annotation and the label on the Deployment tell. It reports whether there was
// anything. What bears the label of another run is left to that one.
func (k *Kubernetes) Recover(ctx context.Context) (bool, error) {
	if k.Deployment == "" {
		return false, nil
	}
	var d deployment
	if err := k.API.Get(ctx, k.path(), &d); err != nil {
		return false, fmt.Errorf("look at %s: %w", k, err)
	}
	if _, noted := d.replicas(); !noted || d.Metadata.Labels[kube.RunLabel] != "" && d.Metadata.Labels[kube.RunLabel] != k.Run {
		return false, nil
	}
	k.scaled = true
	return true, k.Undo(ctx)
}

// Sweep undoes what a run left behind in a namespace, found by its label alone. It returns what it has put back, and with it what it could not.
func Sweep(ctx context.Context, api *kube.Client, namespace, run string) (done []string, err error) {
	var list struct {
		Items []deployment `json:"items"`
	}
	if err := api.Get(ctx, deployments(namespace)+"?labelSelector="+url.QueryEscape(kube.RunLabel+"="+run), &list); err != nil {
		return nil, fmt.Errorf("list the deployments of run %s: %w", run, err)
	}
	for _, d := range list.Items {
		k := &Kubernetes{API: api, Namespace: namespace, Deployment: d.Metadata.Name, Run: run}
		was, why := k.Recover(ctx)
		if err = errors.Join(err, why); was && why == nil {
			done = append(done, k.String())
		}
	}
	return done, err
}

// podList is what we read of a list of pods.
type podList struct {
	Items []struct {
		Metadata struct {
			Name              string `json:"name"`
			UID               string `json:"uid"`
			DeletionTimestamp string `json:"deletionTimestamp"`
		} `json:"metadata"`
		Status struct {
			Conditions []struct{ Type, Status string } `json:"conditions"`
		} `json:"status"`
	} `json:"items"`
}

// evict deletes the pods and waits until none of them is left in service.
func (k *Kubernetes) evict(ctx context.Context) error {
	var before podList
	if err := k.API.Get(ctx, k.pods(""), &before); err != nil {
		return fmt.Errorf("look at %s: %w", k, err)
	}
	old := map[string]bool{}
	for _, p := range before.Items {
		old[p.Metadata.UID] = true
	}
	if len(old) > 0 {
		if err := k.API.Delete(ctx, k.pods("")); err != nil {
			return fmt.Errorf("delete %s: %w", k, err)
		}
	}
	err := k.until(ctx, func() (bool, error) {
		var now podList
		if err := k.API.Get(ctx, k.pods(""), &now); err != nil {
			return false, err
		}
		for _, p := range now.Items {
			switch {
			case p.Metadata.DeletionTimestamp != "": // out of service: its endpoints are gone or going
			case old[p.Metadata.UID]:
				return false, nil
			default:
				for _, c := range p.Status.Conditions {
					if c.Type == "Ready" && c.Status == "True" {
						return false, fmt.Errorf("pod %s was ready before the others were seen to be gone: the next request would not be cold", p.Metadata.Name)
					}
				}
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s are gone: %w", k, err)
	}
	return nil
}

// until asks done again and again until it is true, fails, or ctx is done.
func (k *Kubernetes) until(ctx context.Context, done func() (bool, error)) error {
	return poll(ctx, k.Poll, done)
}

func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	if every == 0 {
		every = 250 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := done()
		switch {
		case err != nil && ctx.Err() != nil:
			return errors.New("it took too long")
		case err != nil || ok:
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("it took too long")
		case <-tick.C:
		}
	}
}
