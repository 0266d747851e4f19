package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// An Expiry is how a cluster ends a fault that we cannot: a Job of ours beside the workload that sleeps and then undoes the change. It is
// running before the change is made and is deleted when the fault is reverted.
type Expiry struct {
	Image          string        // has sh, date, sleep and kubectl
	ServiceAccount string        // may patch the workload, or delete our objects
	Start          time.Duration // how long the Job may take to run; default 1 m
	Grace          time.Duration // how long after its time a fault may still be reverted by us; default 30 s
}

// After returns how long after it was planned the cluster ends a fault that is held for d.
func (e *Expiry) After(d time.Duration) time.Duration {
	return d + orElse(e.Start, time.Minute) + orElse(e.Grace, 30*time.Second)
}

// wait sleeps until a time, by the cluster's clock, but no longer than asked, in case that the clocks differ, and then runs its arguments until they
// succeed or have failed for five minutes.
const wait = `left=$((UNTIL - $(date +%s))); [ "$left" -le "$AFTER" ] || left=$AFTER; [ "$left" -le 0 ] || sleep "$left"
n=0; until "$@"; do n=$((n+1)); [ "$n" -lt 60 ] || exit 1; sleep 5; done`

// expire starts the Job that ends the fault and waits until it runs. With no expiry it does nothing.
func (d *Kubernetes) expire(ctx context.Context, s *Step, undo *Undo) error {
	if d.Expiry == nil {
		return nil
	}
	u, after := undo.Object, d.Expiry.After(s.For)
	manifest := func() map[string]any { return d.job(undo, after) }
	// What the server stamps on an object that is only tried is the time by its clock.
	var tried any
	if err := d.API.Create(ctx, d.batch("jobs")+"?dryRun=All", manifest(), &tried); err != nil {
		return fmt.Errorf("try the job that would end the fault: %w", err)
	}
	now, err := time.Parse(time.RFC3339, at(tried, "/metadata/creationTimestamp"))
	if err != nil {
		now = time.Now()
	}
	undo.Expires = now.Add(after).Truncate(time.Second).UnixNano()
	if err := d.API.Create(ctx, d.batch("jobs"), manifest(), nil); err != nil {
		return fmt.Errorf("start the job that would end the fault: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, orElse(d.Expiry.Start, time.Minute))
	defer cancel()
	name := u.Job[strings.LastIndex(u.Job, "/")+1:]
	err = d.watch(ctx, func() error {
		pods, err := d.selected(ctx, "job-name="+name)
		if err != nil {
			return err
		}
		why := "it has no pod"
		for _, p := range pods {
			for _, c := range list(p.object, "/status/containerStatuses") {
				if _, running := lookup(c, "/state/running"); running {
					return nil
				}
			}
			if why = p.waits(); why == "" {
				why = "its pod is " + at(p.object, "/status/phase")
			}
		}
		return errors.New(why)
	})
	if err != nil {
		return fmt.Errorf("the job %s that would end the fault does not run: %w", name, err)
	}
	return nil
}

// job returns the manifest of the Job. It asks for so little, and gives up so much, that it is let into namespaces with quotas and pod security.
func (d *Kubernetes) job(undo *Undo, after time.Duration) map[string]any {
	u, labels := undo.Object, d.labels()
	podLabels := map[string]any{"sidecar.istio.io/inject": "false"} // a sidecar would keep the Job from ending
	for k, v := range labels {
		podLabels[k] = v
	}
	seconds := int(after / time.Second)
	env := []any{map[string]any{"name": "UNTIL", "value": fmt.Sprint(undo.ends().Unix())}, map[string]any{"name": "AFTER", "value": fmt.Sprint(seconds)},
		map[string]any{"name": "HOME", "value": "/tmp"}}
	return map[string]any{"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"name": u.Job[strings.LastIndex(u.Job, "/")+1:], "labels": labels},
		"spec": map[string]any{"backoffLimit": 6, "ttlSecondsAfterFinished": 3600,
			"template": map[string]any{"metadata": map[string]any{"labels": podLabels},
				"spec": map[string]any{"restartPolicy": "OnFailure", "serviceAccountName": d.Expiry.ServiceAccount, "activeDeadlineSeconds": seconds + 900,
					"securityContext": map[string]any{"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
					"containers": []any{map[string]any{"name": "expiry", "image": d.Expiry.Image, "command": append([]string{"sh", "-c", wait, "expiry"}, u.command()...), "env": env,
						"securityContext": map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []string{"ALL"}}},
						"resources":       map[string]any{"requests": map[string]any{"cpu": "10m", "memory": "32Mi"}, "limits": map[string]any{"cpu": "500m", "memory": "256Mi"}}}}}}}}
}

// expiryRights are what we need to start and stop the Job.
func (d *Kubernetes) expiryRights() []right {
	if d.Expiry == nil {
		return nil
	}
	return []right{{"create", "batch", "jobs", ""}, {"get", "batch", "jobs", ""}, {"delete", "batch", "jobs", ""}}
}

// checkAccount asks whether the Job's service account may undo what is planned. Where we may not ask, it says so.
func (d *Kubernetes) checkAccount(ctx context.Context, rights []right) (note string, err error) {
	for _, r := range rights {
		if r.verb != "patch" && r.verb != "delete" || r.group == "batch" {
			continue
		}
		ok, err := d.may(ctx, "system:serviceaccount:"+d.Namespace+":"+d.Expiry.ServiceAccount, r)
		switch {
		case kube.Forbidden(err) || kube.NotFound(err):
			return fmt.Sprintf("whether the service account %s may end the faults was not checked: we may not ask", d.Expiry.ServiceAccount), nil
		case err != nil:
			return "", err
		case !ok:
			return "", fmt.Errorf("the service account %s of the expiry may not %s: it could not end the fault", d.Expiry.ServiceAccount, r)
		}
	}
	return "", nil
}

// ends returns when the platform ends the fault itself; zero: it does not.
func (u *Undo) ends() time.Time {
	if u.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(0, u.Expires).UTC()
}
