package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKubernetesWatchTakesWhatTheDeploymentSays(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: x\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 10s}]\ntarget:\n  kind: openai\n  url: http://127.0.0.1:1\n  model: m\n" +
		"  deployment: {kubernetes: {kubeconfig: k.yaml, context: prod, namespace: models, pods: app=vllm}}\n"
	for text, want := range map[string]*KubernetesCollect{
		"":                            nil,
		"collect: {kubernetes: {}}\n": {Kubeconfig: "/plans/k.yaml", Context: "prod", Namespace: "models", Selector: "app=vllm"},
		"collect: {kubernetes: {context: dev, selector: app=x, container: c}}\n": {Context: "dev", Namespace: "models", Selector: "app=x", Container: "c"},
		"collect: {kubernetes: {kubeconfig: /etc/k, namespace: other}}\n":        {Kubeconfig: "/etc/k", Namespace: "other", Selector: "app=vllm"},
	} {
		p, err := Parse("/plans/p.yaml", []byte(head+text))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, p.KubernetesWatch()); d != "" {
			t.Errorf("%s(-want +got):\n%s", text, d)
		}
	}
	if _, err := Parse("p.yaml", []byte(head+"collect: {kubernetes: {selector: 'a in ('}}\n")); err == nil || !strings.Contains(err.Error(), `collect.kubernetes.selector: "a in (" is no label selector`) {
		t.Errorf("error %v", err)
	}
}
