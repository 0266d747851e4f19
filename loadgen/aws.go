package loadgen

import (
	"net/http"
	"strings"

	"github.com/assay-dev/assay"
)

// An exception is an error that AWS names, in the head of an answer or inside a stream.
type exception struct{ name, text string }

func (e *exception) Error() string {
	if e.text == "" {
		return e.name
	}
	return e.name + ": " + e.text
}

// exceptions are the outcomes of the errors that AWS names, without their ending Exception. Their status tells less: a ThrottlingException has 400
// with some services, and a ModelNotReadyException 429.
var exceptions = map[string]assay.Outcome{
	"Throttling": assay.Throttled, "Throttled": assay.Throttled, "TooManyRequests": assay.Throttled, "RequestLimitExceeded": assay.Throttled,
	"RequestThrottled": assay.Throttled, "EC2Throttled": assay.Throttled, "SlowDown": assay.Throttled, "PriorRequestNotComplete": assay.Throttled,

	"ModelNotReady": assay.Loading, "ResourceNotReady": assay.Loading, "SnapStartNotReady": assay.Loading,

	"ServiceUnavailable": assay.Unavailable, "InternalDependency": assay.Unavailable, "EC2Unexpected": assay.Unavailable, "ENILimitReached": assay.Unavailable,
	"SubnetIPAddressLimitReached": assay.Unavailable, "EFSMountConnectivity": assay.Unavailable, "EFSMountTimeout": assay.Unavailable, "EFSIO": assay.Unavailable,

	"InternalStreamFailure": assay.ServerError, "ModelStreamError": assay.ServerError, "ModelError": assay.ServerError, "InternalFailure": assay.ServerError,
	"InternalServer": assay.ServerError, "InternalServerError": assay.ServerError, "Service": assay.ServerError, "ModelTimeout": assay.ServerError,
	"SnapStart": assay.ServerError, "SnapStartTimeout": assay.ServerError, "SnapStartRegenerationFailure": assay.ServerError, "InvalidRuntime": assay.ServerError,

	"Validation": assay.ClientError, "ValidationError": assay.ClientError, "ResourceNotFound": assay.ClientError, "InvalidParameterValue": assay.ClientError,
	"InvalidRequestContent": assay.ClientError, "RequestTooLarge": assay.ClientError, "UnsupportedMediaType": assay.ClientError, "ResourceConflict": assay.ClientError,

	"AccessDenied": assay.Credential, "ExpiredToken": assay.Credential, "UnrecognizedClient": assay.Credential, "InvalidSignature": assay.Credential,
	"IncompleteSignature": assay.Credential, "SignatureDoesNotMatch": assay.Credential, "InvalidClientTokenId": assay.Credential, "MissingAuthenticationToken": assay.Credential,
	"RequestExpired": assay.Credential, "NotAuthorized": assay.Credential, "OptInRequired": assay.Credential,
}

// outcome returns what an error's name says, OutcomeUnknown for a name that is not known.
func (e *exception) outcome() assay.Outcome {
	name, _, _ := strings.Cut(e.name, ":") // ThrottlingException:http://…
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		name = name[i+1:] // com.amazonaws…#ThrottlingException
	}
	return exceptions[strings.TrimSuffix(name, "Exception")]
}

// thrown ends the request by an exception inside the answer.
func (t *trip) thrown(e *exception) {
	o := e.outcome()
	if o == assay.OutcomeUnknown {
		o = assay.ServerError
	}
	t.r.End, t.r.Outcome, t.r.Error = t.now(), o, short("in the answer: "+e.name)
	if o == assay.Credential {
		if t.Refused != nil {
			t.Refused()
		}
		return // such a text may repeat the credential
	}
	if text := t.discreet(e.text); text != "" {
		t.r.Error = short(t.r.Error + ": " + text)
	}
}

// awsRefusal returns the outcome of an answer of AWS that is no success, and puts the error's name before its text.
func awsRefusal(a *answer, k *complaint) assay.Outcome {
	e := &exception{name: a.field("x-amzn-errortype")}
	if e.name == "" {
		e.name = k.kind
	}
	name, _, _ := strings.Cut(e.name, ":")
	switch {
	case k.text == "":
		k.text = name
	case name != "":
		k.text = name + ": " + k.text
	}
	if strings.HasPrefix(name, "ModelError") { // the model's own answer was no success
		switch c := k.code; {
		case c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable:
			return assay.OutcomeOf(c, saysLoading([]byte(k.text)))
		case c >= 400 && c < 500 && c != http.StatusUnauthorized && c != http.StatusForbidden:
			return assay.ClientError
		}
		return assay.ServerError
	}
	return e.outcome()
}
