package facts

import (
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
}

func newResolver() *Resolver {
	return &Resolver{pages: map[uint64]*page{}, retry: map[attempt]uint32{}, names: []string{""}, number: map[string]uint32{"": 0}}
}

// Resolve fills in Cold and Instance of r, which keeps its own where the target's traces are silent.
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
