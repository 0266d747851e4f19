package sandbox

import (
	"fmt"
	"net/http"
)

// Chilled is the answer of POST /admin/chill.
type Chilled struct {
	Stopped int `json:"stopped"` // instances that were there
}

// chill makes the deployment cold: it drains all instances, for the reason forced_cold, and answers when their processes have ended. The
// instances of the next start from zero are marked as forced. A deployment that keeps instances of itself cannot be made cold (409).
func (a *admin) chill(w http.ResponseWriter, r *http.Request) {
	if a.cfg.MinScale > 0 || a.cfg.KeepLast {
		writeJSON(w, http.StatusConflict, map[string]string{"error": fmt.Sprintf("the deployment never goes to zero (min_scale %d, keep_last %t)", a.cfg.MinScale, a.cfg.KeepLast)})
		return
	}
	decided := make(chan struct{})
	select {
	case a.scaler.cold <- decided:
	case <-r.Context().Done():
		return
	}
	<-decided
	all := a.sup.list()
	for _, in := range all {
		select {
		case <-in.done:
		case <-r.Context().Done():
			return
		}
	}
	writeJSON(w, http.StatusOK, Chilled{len(all)})
}
