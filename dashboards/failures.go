package dashboards

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// failuresText says how often the service failed of itself. Requests that fail here and there make no failure of the service; they are told beside it.
func failuresText(r *assay.Report) string {
	if requestless(r) && !serviceTold(r) {
		return Things(naturalFailures(r, assay.InstanceOf), "failures") + " of instances"
	}
	return Things(naturalFailures(r, assay.Service), "failures") + " of the service" + instanceFailures(r) + failedRequests(r)
}

// failedRequests says how many requests of the natural ledger failed; nothing where none did.
func failedRequests(r *assay.Report) string {
	f := r.Find("error_ratio")
	if f == nil || !f.Quantity.Known() || !(f.Quantity.Value > 0) {
		return ""
	}
	q := f.Quantity
	return fmt.Sprintf("; %s of %s failed", Integer(int(q.Value*float64(q.N)+0.5)), Things(q.N, "requests"))
}

// instanceFailures says how often instances failed of themselves; nothing where none was watched.
func instanceFailures(r *assay.Report) string {
	if plain(r) {
		return ""
	}
	return ", " + Integer(naturalFailures(r, assay.InstanceOf)) + " of instances"
}
