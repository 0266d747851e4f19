package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/chill"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// undoLimit is how long what a chiller changed may take to be put back.
const undoLimit = 30 * time.Second

// forces reports whether the plan forces cold starts.
func forces(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Load, func(l plan.Load) bool { return l.Cold != nil })
}

// chiller returns what makes the target of a plan cold; nil where no phase forces cold starts. admin is the sandbox's admin URL.
func chiller(p *plan.Plan, run, admin string) (chill.Chiller, error) {
	if !forces(p) {
		return nil, nil
	}
	if p.Target.Kind == "sandbox" {
		return &chill.Sandbox{AdminURL: admin}, nil
	}
	by := p.Target.Cold
	if by != nil && by.Kubernetes != nil && by.Kubernetes.Kubeconfig != "" {
		k := *by.Kubernetes
		k.Kubeconfig = p.Path(k.Kubeconfig)
		by = &plan.ColdBy{Kubernetes: &k}
	}
	return clusterOrCloud(by, run)
}

// clusterOrCloud returns the chiller that target.cold names, for a run; nil where there is none.
func clusterOrCloud(by *plan.ColdBy, run string) (chill.Chiller, error) {
	switch {
	case by == nil:
		return nil, nil
	case by.Kubernetes != nil:
		k := by.Kubernetes
		api, err := kube.Find(k.Kubeconfig, k.Context)
		if err != nil {
			return nil, fmt.Errorf("target.cold.kubernetes: %w", err)
		}
		return &chill.Kubernetes{API: api, Namespace: or(k.Namespace, or(api.Namespace, "default")), Deployment: k.Deployment, Pods: k.Pods, Run: run, Wake: k.Wake == nil || *k.Wake}, nil
	default:
		l := by.Lambda
		keys := credential.AWS{Region: l.Region}
		region := l.Region
		if region == "" {
			var err error
			if region, err = keys.Where(context.Background()); err != nil {
				return nil, fmt.Errorf("target.cold.lambda.region: %w", err)
			}
		}
		sign := loadgen.NewSigV4("lambda", region, func(ctx context.Context) (loadgen.AWSKeys, error) {
			v, err := keys.Fetch(ctx)
			return loadgen.AWSKeys{ID: v.KeyID, Secret: v.Secret, Session: v.Session}, err
		})
		return &chill.Lambda{Function: l.Function, Endpoint: or(l.Endpoint, "https://lambda."+region+".amazonaws.com"), Sign: sign.Sign}, nil
	}
}

// recoverCold puts back what a run that was killed left cold, as its plan says where. It returns what it did, in a line for people; "" for nothing.
func recoverCold(ctx context.Context, m *assay.Manifest) (string, error) {
	var p struct {
		Target struct {
			Cold *plan.ColdBy `json:"cold"`
		} `json:"target"`
	}
	if len(m.Plan) == 0 || json.Unmarshal(m.Plan, &p) != nil {
		return "", nil // an import, or no plan of ours
	}
	c, err := clusterOrCloud(p.Target.Cold, m.ID)
	if c == nil || err != nil {
		return "", err
	}
	r, ok := c.(interface {
		Recover(ctx context.Context) (bool, error)
	})
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, undoLimit)
	defer cancel()
	if done, err := r.Recover(ctx); !done || err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is as it was before the run", c), nil
}

// makeCold readies what makes the target cold, before the run: a target that does not allow it is refused.
func (s *session) makeCold(ctx context.Context) error {
	admin := ""
	if s.platform != nil {
		admin = s.platform.AdminURL
	}
	c, err := chiller(s.plan, s.manifest.ID, admin)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if c == nil {
		return nil
	}
	checking, cancel := context.WithTimeout(ctx, undoLimit)
	defer cancel()
	if err := c.Check(checking); err != nil {
		return &status{assay.ExitPreflight, fmt.Errorf("target.cold: %w", err)}
	}
	s.chiller = c
	if s.plan.Target.Kind != "sandbox" {
		fmt.Fprintf(s.io.err, "cold starts are forced by making %s cold\n", c)
	}
	return nil
}

// chill makes the target cold; nil where nothing can.
func (s *session) chill() func(context.Context) error {
	if s.chiller == nil {
		return nil
	}
	return s.chiller.Chill
}

// coldRemains begins what remains of making the target cold.
const coldRemains = "cold starts: "

// leftCold reports whether a run did not put back what it had changed to make its target cold: it was killed, or says so itself. What another
// run of today has changed is not this one's to put back.
func leftCold(m *assay.Manifest) bool {
	return m.End.Status == assay.EndRunning || slices.ContainsFunc(m.End.Remaining, func(r string) bool { return strings.HasPrefix(r, coldRemains) })
}

// warmAgain puts back what was changed to make the target cold, and keeps what could not be. It is done however the run ends.
func (s *session) warmAgain() {
	if s.chiller == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), undoLimit)
	defer cancel()
	if err := s.chiller.Undo(ctx); err != nil {
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s may not be as it was: %v", s.chiller, err)})
		fmt.Fprintf(s.io.err, "assay: %s may not be as it was: %v\n", s.chiller, err)
		s.cold = fmt.Sprintf("%s%s may not be as it was: %v", coldRemains, s.chiller, err)
	}
}
