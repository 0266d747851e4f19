package loadgen

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/assay-dev/assay"
)

// A BodyRule says when an answer of status 200 is a failure all the same. Function platforms answer 200 for a handler that raised an
// error or ran out of time, so that availability by the status alone is wrong there.
type BodyRule struct {
	// Errors knows the bodies of function platforms: a JSON object with errorMessage or errorType; a text that says
	// "Task timed out after …"; and an object with statusCode, which a function behind a gateway returns, of 400 or more.
	Errors bool

	Fail *regexp.Regexp // a body that matches is a failure
	Pass *regexp.Regexp // a body that does not match has the wrong content
}

var timedOut = regexp.MustCompile(`^"?(?:\S+ ){0,2}Task timed out after [0-9.]+ seconds`)

// failure returns the status that body b stands for and what it says; status 0 means that it is none.
func (rule *BodyRule) failure(b []byte) (status int, text string) {
	if rule.Fail != nil && rule.Fail.Match(b) {
		return http.StatusInternalServerError, "the body is that of a failure"
	}
	if !rule.Errors {
		return 0, ""
	}
	b = bytes.TrimSpace(b)
	if timedOut.Match(b) {
		return http.StatusInternalServerError, "the function timed out"
	}
	if len(b) == 0 || b[0] != '{' {
		return 0, ""
	}
	var body struct {
		Message json.RawMessage `json:"errorMessage"`
		Type    json.RawMessage `json:"errorType"`
		Status  json.RawMessage `json:"statusCode"`
	}
	if json.Unmarshal(b, &body) != nil {
		return 0, ""
	}
	var kind string
	if json.Unmarshal(body.Message, &text) == nil && text != "" || json.Unmarshal(body.Type, &kind) == nil && kind != "" {
		switch {
		case timedOut.MatchString(text):
			text = "the function timed out"
		case text == "":
			text = kind
		}
		return http.StatusInternalServerError, text
	}
	if json.Unmarshal(body.Status, &status) == nil && status >= 400 && status <= 599 {
		return status, "statusCode in the body"
	}
	return 0, ""
}

// settle ends the request by its whole body, as the rule says.
func (t *trip) settle(rule *BodyRule, b []byte, at int64) {
	if rule != nil {
		if status, text := rule.failure(b); status != 0 {
			t.inner(status, text, at)
			return
		}
		if rule.Pass != nil && !rule.Pass.Match(b) {
			t.r.End, t.r.Outcome, t.r.Error = at, assay.WrongContent, "the body does not match the pattern of a good one"
			return
		}
	}
	t.hear(b)
	t.ok(at)
}
