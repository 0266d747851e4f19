package openslo

import "testing"

// Several objects may be a list in one document, as OpenSLO's own tools write them.
func TestReadList(t *testing.T) {
	const list = `- apiVersion: openslo/v1
  kind: Service
  metadata: {name: web}
  spec: {description: the shop}
- apiVersion: openslo/v1
  kind: SLO
  metadata: {name: served}
  spec:
    service: web
    indicator: {metadata: {name: served-sli}, spec: {ratioMetric: {counter: true, good: {metricSource: {type: assay, spec: {metric: availability}}}, total: {metricSource: {type: assay, spec: {metric: availability}}}}}}
    timeWindow: [{duration: 30d, isRolling: true}]
    budgetingMethod: Occurrences
    objectives: [{target: 0.99}]
`
	set, err := Read(File{Name: "a.yaml", Data: []byte(list)})
	if err != nil || len(set.SLOs) != 1 || set.SLOs[0].Name != "served" || set.SLOs[0].Target != .99 || !Is([]byte(list)) {
		t.Errorf("got %+v, %v, begins as one %t", set, err, Is([]byte(list)))
	}
	if _, err := Read(File{Name: "a.yaml", Data: []byte("- apiVersion: openslo/v1\n- 3\n")}); err == nil {
		t.Error("a list of what is no object: no error")
	}
}
