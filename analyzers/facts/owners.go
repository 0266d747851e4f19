package facts

import (
	"cmp"
	"strings"
)

// Whose decision it was
//
// A decision of the platform explains the end of an instance only where it is about the same workload, and the same version of it, so far as both tell of which they are.
// Where no event says so of an instance, its name may: the pods of a deployment, a stateful set and a revision begin with its name.

// An owner is what an instance is of; empty where that is not known.
type owner struct{ workload, revision string }

// maker notes the names of what makes instances: a workload, and a version of it.
func (s *instanceScan) maker(workload, revision string) {
	for _, n := range []string{workload, revision} {
		if n != "" && len(s.makers) < mostIdle {
			s.makers[n] = owner{workload, ""}
		}
	}
	if revision != "" && s.makers[revision].workload != "" {
		s.makers[revision] = owner{workload, revision}
	}
}

// owner returns what an instance is of.
func (s *instanceScan) owner(id string) (o owner) {
	for _, i := range s.index[id] {
		l := &s.f.Lives[i]
		o.workload, o.revision = cmp.Or(l.Workload, o.workload), cmp.Or(l.Revision, o.revision)
	}
	if o.workload != "" {
		return o
	}
	for at := strings.LastIndexByte(id, '-'); at > 0; at = strings.LastIndexByte(id[:at], '-') {
		if m, ok := s.makers[id[:at]]; ok { // the longest
			return m
		}
	}
	return o
}

// concerns reports whether a decision may be about the instances of an owner, and says what was compared.
func (r *reason) concerns(o owner) (mine bool, compared string) {
	switch {
	case r.workload == "":
		return true, "of which workload is not told"
	case o.workload == "":
		return true, "of " + cmp.Or(r.revision, r.workload) + ", and of which workload the instance is is not told"
	case r.workload != o.workload, r.revision != "" && o.revision != "" && r.revision != o.revision:
		return false, ""
	}
	return true, "of " + cmp.Or(r.revision, r.workload) + ", of which the instance is"
}
