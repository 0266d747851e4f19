package k6

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	randv2 "math/rand/v2"
	"sync"
	"sync/atomic"

	"go.k6.io/k6/v2/js/modules"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/output"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/credential"
)

// Names under which k6 knows the extensions.
const (
	ModuleName   = "k6/x/assay"
	OutputName   = "assay"
	ExecutorName = "assay-arrivals"
)

// Variables of the environment that say what the script does not.
const (
	EnvRun     = "ASSAY_RUN_ID"   // id of the run, 16 hex digits; the same in all processes of a distributed run
	EnvName    = "ASSAY_RUN_NAME" // name of the run; otherwise that of the script
	EnvTarget  = "ASSAY_TARGET"   // name of the target as reports show it; otherwise its URL
	EnvRelease = "ASSAY_RELEASE"  // release of the target
	EnvURL     = "ASSAY_URL"      // where a Client without a url goes; a plan sets these four from its target
	EnvKind    = "ASSAY_KIND"     // and its kind, model and token
	EnvModel   = "ASSAY_MODEL"
	EnvToken   = "ASSAY_TOKEN"
)

// k6 finds extensions by what registered itself before its command runs; there is no other way in.
//
//nolint:gochecknoinits // k6's registration
func init() {
	e := NewExtension()
	modules.Register(ModuleName, e)
	output.RegisterExtension(OutputName, e.NewOutput)
	lib.RegisterExecutorConfigType(ExecutorName, e.newArrivalsConfig)
}

// An Extension is what the module, the output and the executor of one process share.
type Extension struct {
	clock *clock.Clock
	id    string // of the run, unless the environment names one
	seed  uint64 // of trace ids
	last  atomic.Uint64

	mu      sync.Mutex
	keepers map[credential.AWS]*keeper // of AWS keys, one for all virtual users
}

// NewExtension returns an extension whose clock begins now.
func NewExtension() *Extension {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return &Extension{clock: clock.New(), id: hex.EncodeToString(b[:8]), seed: binary.LittleEndian.Uint64(b[8:])}
}

// runID returns the id that the environment gives the run, or our own.
func (e *Extension) runID(lookup func(string) (string, bool)) string {
	if id, ok := lookup(EnvRun); ok && id != "" {
		return id
	}
	return e.id
}

// identify numbers a request and gives it a trace.
func (e *Extension) identify(r *assay.Request) {
	r.ID = e.last.Add(1)
	rng := randv2.NewPCG(e.seed, r.ID)
	binary.BigEndian.PutUint64(r.TraceID[:8], rng.Uint64())
	binary.BigEndian.PutUint64(r.TraceID[8:], rng.Uint64()|1) // never zero
	binary.BigEndian.PutUint64(r.SpanID[:], rng.Uint64()|1)
}

// traceparent returns the W3C header of r's trace, sampled.
func traceparent(r *assay.Request) string {
	return "00-" + r.TraceID.String() + "-" + r.SpanID.String() + "-01"
}
