package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// watches reports whether failures in the phase would be natural ones: somebody asks, and not beyond the limit.
func (l *Load) watches() bool {
	return l.Role != assay.RoleStress && l.Role != assay.RoleIdle && l.Role != assay.RoleCold
}

// rare says whether so much natural time can show an MTBF, and how much would. Without a failure a run is judged by a one-sided bound, with one by
// a two-sided interval.
func rare(unit string, mtbf float64, calm time.Duration) (bool, string) {
	none, one := seconds(mtbf*stat.PlanningFactor(0, 0.95)), seconds(mtbf*stat.PlanningFactor(1, 0.975))
	why := fmt.Sprintf("%v of natural time planned; %v without a failure are needed to show %v at 95 %%, %v with one", calm.Round(time.Second), none, seconds(mtbf), one)
	switch ok := calm >= none; {
	case ok:
		return true, why
	case unit == "service":
		return false, why + "; assay evidence adds up the time of many runs"
	}
	return false, why + fmt.Sprintf("; it is summed over all that are watched: %.0f of them would do, or many runs by assay evidence", math.Ceil(float64(none)/float64(max(calm, time.Second))))
}

// longer says how long a load that gives n requests in some time needs to give enough.
func longer(n float64, need int, steady time.Duration) string {
	if n <= 0 || steady <= 0 {
		return ""
	}
	return fmt.Sprintf(": %v at this load would be enough", seconds(math.Ceil(float64(need)/n*steady.Seconds())))
}

// starts says whether the cold starts of a run can decide a metric below cold/. How many come of themselves is not planned; one that is forced is told apart
// by its label.
func (p *Plan) starts(metric string, leastN func(q, c float64) int) (bool, string) {
	name := metric[strings.LastIndexByte(metric, '/')+1:]
	v, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	if !strings.HasPrefix(name, "p") || err != nil || !(v > 0 && v < 100) {
		return true, "decided by the instance starts that the run sees"
	}
	need := leastN(v/100, 0.95)
	why := fmt.Sprintf("%d independent instance starts are the least for a 95 %% interval, and how many a run sees is not planned", need)
	for i := range p.Load {
		if p.Load[i].Cold != nil {
			return false, why + "; ask for the forced ones with forced: true"
		}
	}
	return false, why + fmt.Sprintf("; a phase with cold: {force: %d} makes them", need)
}

// perMinute says how long would have to be watched without a failure for an availability to follow, for each minute that a failure may last: the bound on how often one comes times
// how long it lasts is what is lost at most. "" where nothing would do.
func perMinute(o assay.Objective) string {
	if o.Min == nil || !(*o.Min > 0 && *o.Min < 1) {
		return ""
	}
	return fmt.Sprintf("; were a failure known to last no more than a minute, %v without one would show %.6g %%, and as much more for each further minute", seconds(60*stat.PlanningFactor(0, 0.95)/(1-*o.Min)), 100**o.Min)
}

// failing says whether so many natural requests can show that at most a share of them is not served, where none fails; undrawn is set where the run decides how many
// there are.
func failing(limit, n float64, steady time.Duration, undrawn bool) (bool, string) {
	if limit <= 0 {
		return false, "no number of requests shows that none will fail: allow for some, such as 0.1 %"
	}
	need := stat.Trials(limit, 0, 0.95)
	if undrawn && n < float64(need) {
		return true, fmt.Sprintf("if the load makes %d requests without a failure, the least that show %.3g %% at 95 %%: how many it makes is decided in the run", need, 100*limit)
	}
	why := fmt.Sprintf("about %.0f natural requests expected; %d without a failure are the least that show %.3g %% at 95 %%, %d with one", n, need, 100*limit, stat.Trials(limit, 1, 0.95))
	if n < float64(need) {
		return false, why + longer(n, need, steady)
	}
	return true, why
}
