package facts

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
)

const pageBits = 5 // requests a page: small enough for imports whose ids have gaps

type page [1 << pageBits]uint32

type attempt struct {
	id uint64
	n  int32
}

// A Resolver tells of each request whether it was cold and which instance served it, by the best source there is: the
// target's own spans, then what the client was told. It keeps four bytes a request, which ids that are dense (as ours are) fill well.
type Resolver struct {
	pages  map[uint64]*page
	retry  map[attempt]uint32 // second and later attempts
	names  []string           // instances; 0 is none
	number map[string]uint32

	lives []assay.Life
	index map[string][]int // of lives
	empty []assay.Interval // stretches in which no instance was in routing, as far as seen; each ends when one came into it
}

func newResolver() *Resolver {
	return &Resolver{pages: map[uint64]*page{}, retry: map[attempt]uint32{}, names: []string{""}, number: map[string]uint32{"": 0}}
}

// Resolve fills in Cold and Instance of r, which keeps its own where the target's traces are silent. Where nobody says whether a served
// request was cold, the lives of the instances may: see infer.
func (s *Resolver) Resolve(r *assay.Request) {
	var v uint32
	if r.Attempt != 0 {
		v = s.retry[attempt{r.ID, r.Attempt}]
	} else if p := s.pages[r.ID>>pageBits]; p != nil {
		v = p[r.ID&(1<<pageBits-1)]
	}
	if c := assay.Cold(v & 3); c != assay.ColdUnknown {
		r.Cold = c
	}
	if i := v >> 2; i != 0 {
		r.Instance = s.names[i]
	}
	if r.Cold == assay.ColdUnknown && r.Outcome == assay.OK {
		r.Cold = s.infer(r)
	}
}

// learn takes what the spans of one request tell.
func (s *Resolver) learn(t *assay.Trace) {
	cold, instance := read(t.Spans)
	if cold == assay.ColdUnknown && instance == "" {
		return
	}
	n, ok := s.number[instance]
	if !ok {
		n = uint32(len(s.names))
		s.names = append(s.names, instance)
		s.number[instance] = n
	}
	v := uint32(cold) | n<<2
	id := t.Request.ID
	if t.Request.Attempt != 0 {
		s.retry[attempt{id, t.Request.Attempt}] = v
		return
	}
	p := s.pages[id>>pageBits]
	if p == nil {
		p = new(page)
		s.pages[id>>pageBits] = p
	}
	p[id&(1<<pageBits-1)] = v
}

// read finds cold state and instance in the spans of one trace. The server span of the gateway decides; a
// gateway that names no instance leaves it to the last attempt upstream, then to any span that ran on one.
func read(spans []assay.Span) (cold assay.Cold, instance string) {
	var upstream, worker string
	var upstreamAt int64
	gateway := false
	for i := range spans {
		s := &spans[i]
		attr, _ := s.Attr("faas.instance")
		if v, ok := s.Attr("faas.coldstart"); ok && (!gateway || s.Kind == assay.SpanServer) {
			switch v {
			case "true":
				cold = assay.ColdYes
			case "false":
				cold = assay.ColdNo
			}
			if s.Kind == assay.SpanServer {
				gateway = true
			}
			if attr != "" {
				instance = attr
			}
			continue
		}
		if attr != "" && s.Kind == assay.SpanClient && s.Start >= upstreamAt {
			upstream, upstreamAt = attr, s.Start
		}
		if s.Kind == assay.SpanServer && s.Instance != "" && worker == "" {
			worker = s.Instance
		}
	}
	if instance == "" {
		instance = upstream
	}
	if instance == "" {
		instance = worker
	}
	return cold, instance
}

// mostLives bounds the lives for which stretches without an instance are looked for.
const mostLives = 5000

// watch gives the resolver the lives of the instances.
func (s *Resolver) watch(f *assay.Facts) {
	s.lives, s.index = f.Lives, map[string][]int{}
	var changes []int64
	for i := range f.Lives {
		l := &f.Lives[i]
		s.index[l.Instance] = append(s.index[l.Instance], i)
		for _, t := range []int64{l.Draining, l.Exited} {
			if t != 0 {
				changes = append(changes, t)
			}
		}
	}
	if len(f.Lives) > mostLives {
		return
	}
	slices.Sort(changes)
	for _, t := range slices.Compact(changes) {
		if n := len(s.empty); n > 0 && t < s.empty[n-1].End || routed(f.Lives, t) > 0 {
			continue
		}
		var next *assay.Life
		for i := range f.Lives {
			if l := &f.Lives[i]; l.Ready > t && (next == nil || l.Ready < next.Ready) {
				next = l
			}
		}
		if next != nil {
			s.empty = append(s.empty, assay.Interval{Begin: t, End: next.Ready, Resolution: next.Coarse})
		}
	}
}

// infer says whether a served request was cold by what is known of instances: of the one that served it, or, where that is not told, of all, if one was
// seen to leave and none was left. Within the resolution of the clocks, and where nothing was seen, it stays unknown. It was warm only where the instance
// that served it is known to have been ready and in routing when it came.
func (s *Resolver) infer(r *assay.Request) assay.Cold {
	if l := lifeAt(s.lives, s.index[r.Instance], answered(r)); l != nil && r.Instance != "" {
		switch {
		case l.Ready == 0 || firstOf(l) == l.Ready && r.Due < l.Ready: // there was more of its life than was seen
		case r.Due+l.Coarse < l.Ready && answered(r)+l.Coarse >= l.Ready:
			return assay.ColdYes
		case r.Due > l.Ready+l.Coarse && inRouting(l, r.Due, answered(r)):
			return assay.ColdNo
		}
		return assay.ColdUnknown
	}
	if r.Instance != "" {
		return assay.ColdUnknown
	}
	i, _ := slices.BinarySearchFunc(s.empty, r.Due, func(e assay.Interval, t int64) int { return cmp.Compare(e.End, t) })
	if i < len(s.empty) && s.empty[i].Begin <= r.Due && r.Due+s.empty[i].Resolution < s.empty[i].End && answered(r)+s.empty[i].Resolution >= s.empty[i].End {
		return assay.ColdYes
	}
	return assay.ColdUnknown
}

// inRouting reports whether a life that was ready at begin stayed so until end, as far as its clocks tell.
func inRouting(l *assay.Life, begin, end int64) bool {
	for _, u := range l.Unready {
		if u.Begin-l.Coarse <= end && (u.End == 0 || u.End+l.Coarse >= begin) {
			return false
		}
	}
	for _, t := range []int64{l.Draining, l.Exited} {
		if t != 0 && t-l.Coarse <= begin {
			return false
		}
	}
	return true
}
