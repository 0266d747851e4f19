package chaos

import (
	"fmt"
	"strings"
)

// A Proof is how a driver was shown to do a kind of fault.
type Proof struct {
	By   string // Live or Documents; "" is Live
	Text string // what was and what was not there; may be empty
}

// What a proof may rest on.
const (
	Live      = "live"      // it was done to the real thing
	Documents = "documents" // it follows what is documented; the real thing was not there
)

// proofs are how the drivers beyond this machine were shown to work, whatever the kind of fault.
var proofs = map[string]Proof{
	ByMesh:       {Documents, "objects on a real API server with a stand-in for its controller, never against a real controller"},
	ByKubernetes: {Live, "on an API server; what its controllers make of it by documents only"},
	ByLambda:     {Documents, "against a stand-in of AWS, never on AWS"},
}

// Proof says in words how each driver that does this kind of fault was shown to do it: live by local; documents by chaosmesh, …
func (k *Kind) Proof() string {
	var of []Proof
	by := map[Proof][]string{}
	for _, driver := range k.By() {
		p, far := proofs[driver]
		if driver == ByLocal {
			p, far = k.Proven, true
		}
		if !far || p.By == "" {
			p.By = Live
		}
		if by[p] == nil {
			of = append(of, p)
		}
		by[p] = append(by[p], driver)
	}
	var parts []string
	for _, p := range of {
		s := fmt.Sprintf("%s by %s", p.By, strings.Join(by[p], " and "))
		if p.Text != "" {
			s += ", " + p.Text
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}
