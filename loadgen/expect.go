package loadgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/assay-dev/assay"
)

// maxSaid bounds the text that is kept for a check.
const maxSaid = 1 << 20

// Expect says what a good answer holds. An answer that is well formed and lacks it ends as assay.WrongContent: a server that answers
// quickly with garbage has failed. The text that is checked is what the first choice of a generated answer says, without
// reasoning, and the whole body where a protocol has no text. The checks that are set must all hold.
type Expect struct {
	Contains  string          // text
	Regexp    string          // RE2, found anywhere in the text
	SHA256    string          // hex digest of the text: for a fixed prompt at temperature 0
	Schema    json.RawMessage // the text is JSON that fits the JSON schema; see [Schema]
	MinTokens int             // answer tokens, as counted or told
	MaxTokens int             // answer tokens; 0: any number
	Model     string          // that the answer names, so that a rollback or a wrong route shows
	Version   string          // of the model, that the answer names; OpenInference and Triton do

	// Stable takes the digest of the first good answer and demands it of all later ones: for a fixed prompt at temperature 0.
	Stable bool
	// Learn is told that digest and says whether it may be taken; false leaves answers without one until the next good answer. It
	// must not block. nil: always.
	Learn func(digest string) bool
}

// expectation is an Expect made ready.
type expectation struct {
	Expect
	pattern *regexp.Regexp
	digest  []byte
	schema  *Schema
	learned atomic.Pointer[[sha256.Size]byte] // of Stable
}

// ready checks the settings.
func (e *Expect) ready() (*expectation, error) {
	if e == nil {
		return nil, nil
	}
	x := &expectation{Expect: *e}
	var err error
	if e.Regexp != "" {
		if x.pattern, err = regexp.Compile(e.Regexp); err != nil {
			return nil, fmt.Errorf("expect.regexp: %w", err)
		}
	}
	if e.SHA256 != "" {
		if x.digest, err = hex.DecodeString(strings.TrimSpace(e.SHA256)); err != nil || len(x.digest) != sha256.Size {
			return nil, errors.New("expect.sha256: want 64 hexadecimal digits")
		}
	}
	if len(e.Schema) > 0 {
		if x.schema, err = ParseSchema(e.Schema); err != nil {
			return nil, fmt.Errorf("expect.schema: %w", err)
		}
	}
	if e.MinTokens < 0 || e.MaxTokens < 0 || e.MaxTokens > 0 && e.MaxTokens < e.MinTokens {
		return nil, errors.New("expect.minTokens, maxTokens: want 0 <= minTokens <= maxTokens")
	}
	return x, nil
}

// judge settles a request whose answer came well.
func (x *expectation) judge(t *trip) {
	if why := x.lacks(t); why != "" {
		t.r.Outcome, t.r.Error = assay.WrongContent, short(why)
	}
}

// lacks says what is wrong with the answer, never what the answer is.
func (x *expectation) lacks(t *trip) string {
	text := t.said
	if len(text) >= maxSaid {
		return "answer too long to be checked"
	}
	if t.escaped {
		if bytes.IndexByte(text, '\\') >= 0 {
			text = []byte(unquote(text))
		}
	}
	switch {
	case x.Contains != "" && !bytes.Contains(text, []byte(x.Contains)):
		return "answer lacks the expected text"
	case x.pattern != nil && !x.pattern.Match(text):
		return "answer does not match the expected pattern"
	case x.digest != nil && [sha256.Size]byte(x.digest) != sha256.Sum256(text):
		return "answer's digest is not the expected one"
	case x.MinTokens > 0 && int(t.r.TokensOut) < x.MinTokens:
		return fmt.Sprintf("answer of %d tokens, want at least %d", t.r.TokensOut, x.MinTokens)
	case x.MaxTokens > 0 && int(t.r.TokensOut) > x.MaxTokens:
		return fmt.Sprintf("answer of %d tokens, want at most %d", t.r.TokensOut, x.MaxTokens)
	case x.Model != "" && unquote(t.model) != x.Model:
		return fmt.Sprintf("answer names model %q, want %q", unquote(t.model), x.Model)
	case x.Version != "" && unquote(t.version) != x.Version:
		return fmt.Sprintf("answer names version %q of the model, want %q", unquote(t.version), x.Version)
	case x.schema != nil:
		if err := x.schema.Check(text); err != nil {
			return "answer does not fit the schema: " + err.Error()
		}
	}
	if x.Stable && !x.same(sha256.Sum256(text)) {
		return "answer is not the one that was given at first"
	}
	return ""
}

// same reports whether the digest is that of the first good answer, or there has been none that could be taken.
func (x *expectation) same(digest [sha256.Size]byte) bool {
	if first := x.learned.Load(); first != nil {
		return *first == digest
	}
	if x.Learn != nil && !x.Learn(hex.EncodeToString(digest[:])) {
		return true
	}
	return x.learned.CompareAndSwap(nil, &digest) || *x.learned.Load() == digest
}
