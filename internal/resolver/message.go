package resolver

import (
	"errors"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// probeOption is the option, of those for local use, that marks a question as a probe.
const probeOption = 65001

// question is one question as it came.
type question struct {
	header dnsmessage.Header
	q      dnsmessage.Question
	probe  bool
}

func (q *question) name() string { return q.q.Name.String() }

var errNoQuestion = errors.New("no question")

// parse reads a message with exactly one question for an address.
func parse(b []byte) (question, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return question{}, err
	}
	if h.Response {
		return question{}, errNoQuestion
	}
	list, err := p.AllQuestions()
	if err != nil {
		return question{}, err
	}
	if len(list) != 1 || list[0].Class != dnsmessage.ClassINET {
		return question{}, errNoQuestion
	}
	q := question{header: h, q: list[0]}
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, nil
	}
	for {
		r, err := p.Additional()
		if err != nil { // the end, or what we need not understand
			return q, nil
		}
		if opt, ok := r.Body.(*dnsmessage.OPTResource); ok {
			for _, o := range opt.Options {
				q.probe = q.probe || o.Code == probeOption
			}
		}
	}
}

// answer makes the answer with those addresses that were asked for.
func (q *question) answer(code dnsmessage.RCode, addrs []netip.Addr) []byte {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.header.ID, Response: true, Authoritative: true,
		RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: code})
	b.EnableCompression()
	if b.StartQuestions() != nil || b.Question(q.q) != nil || b.StartAnswers() != nil {
		return nil
	}
	h := dnsmessage.ResourceHeader{Name: q.q.Name, Class: dnsmessage.ClassINET} // its TTL is 0: nobody is to keep the answer
	for i, a := range addrs {
		if i == 16 { // what fits into a datagram of 512 bytes
			break
		}
		a = a.Unmap()
		switch {
		case q.q.Type == dnsmessage.TypeA && a.Is4():
			_ = b.AResource(h, dnsmessage.AResource{A: a.As4()}) // fails only out of order
		case q.q.Type == dnsmessage.TypeAAAA && a.Is6():
			_ = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	out, err := b.Finish()
	if err != nil {
		return nil
	}
	return out
}

// ask makes a question.
func ask(id uint16, name string, kind dnsmessage.Type, probe bool) ([]byte, error) {
	n, err := dnsmessage.NewName(absolute(name))
	if err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	err = errors.Join(b.StartQuestions(), b.Question(dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}))
	if probe {
		var h dnsmessage.ResourceHeader
		err = errors.Join(err, b.StartAdditionals(), h.SetEDNS0(1232, dnsmessage.RCodeSuccess, false),
			b.OPTResource(h, dnsmessage.OPTResource{Options: []dnsmessage.Option{{Code: probeOption, Data: []byte("assay")}}}))
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}
