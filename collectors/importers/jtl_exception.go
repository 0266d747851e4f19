package importers

import (
	"strings"

	"github.com/assay-dev/assay"
)

// nonHTTP begins the code of a sample that ended in an exception; the name of its class follows.
const nonHTTP = "Non HTTP response code:"

// exceptions are what classes of Java's, and of the HTTP client that JMeter uses, mean, the first that matches first. A text is part of the
// message and in lower case. Where the answer had begun a reset and an end are cuts.
var exceptions = []struct {
	class, text string
	outcome     assay.Outcome
	says        string
}{
	{"ConnectTimeoutException", "", assay.Timeout, "connect timed out"},
	{"SocketTimeoutException", "connect", assay.Timeout, "connect timed out"},
	{"SocketTimeoutException", "", assay.Timeout, "read timed out"},
	{"TimeoutException", "", assay.Timeout, "timed out"},
	{"InterruptedIOException", "timeout", assay.Timeout, "timed out"},
	{"ConnectException", "timed out", assay.Timeout, "connect timed out"},
	{"HttpHostConnectException", "timed out", assay.Timeout, "connect timed out"},
	{"ConnectException", "refused", assay.Refused, "connection refused"},
	{"HttpHostConnectException", "", assay.Refused, "connection refused"},
	{"ConnectException", "", assay.Unresolved, "connect failed"},
	{"NoHttpResponseException", "", assay.Reset, "connection closed by the server"},
	{"ConnectionClosedException", "", assay.CutFIN, "connection closed by the server"},
	{"TruncatedChunkException", "", assay.CutFIN, "connection closed by the server"},
	{"EOFException", "", assay.CutFIN, "connection closed by the server"},
	{"", "premature end", assay.CutFIN, "connection closed by the server"},
	{"", "connection reset", assay.CutRST, "connection reset by peer"},
	{"", "broken pipe", assay.CutRST, "connection reset by peer"},
	{"", "connection abort", assay.CutRST, "connection reset by peer"},
	{"", "socket closed", assay.Unfinished, "the run ended first"},
	{"RequestAbortedException", "", assay.Unfinished, "the run ended first"},
	{"InterruptedException", "", assay.Unfinished, "the run ended first"},
	{"InterruptedIOException", "", assay.Unfinished, "the run ended first"},
	{"ClosedByInterruptException", "", assay.Unfinished, "the run ended first"},
	{"UnknownHostException", "", assay.Unresolved, "no such host"},
	{"NoRouteToHostException", "", assay.Unresolved, "no route to host"},
	{"", "certificate_required", assay.Credential, "the server refused our certificate"},
	{"", "bad_certificate", assay.Credential, "the server refused our certificate"},
	{"SSL", "", assay.Unresolved, "TLS failed"},
	{"BindException", "", assay.RefusedByCap, "no local port was free"},
	{"", "too many open files", assay.RefusedByCap, "too many open files"},
	{"OutOfMemoryError", "", assay.RefusedByCap, "the load generator ran out of memory"},
	{"URISyntaxException", "", assay.ClientError, "malformed URL"},
	{"MalformedURLException", "", assay.ClientError, "malformed URL"},
	{"IllegalArgumentException", "", assay.ClientError, "malformed request"},
	{"MalformedChunkCodingException", "", assay.BadPayload, "malformed chunk"},
	{"ProtocolException", "", assay.BadPayload, "not what HTTP promises"},
	{"ParseException", "", assay.BadPayload, "not what HTTP promises"},
	{"ZipException", "", assay.BadPayload, "the answer cannot be unpacked"},
	{"", "network is unreachable", assay.Unresolved, "network is unreachable"},
	{"SocketException", "", assay.CutRST, "connection broken"},
}

// exception returns the outcome of a sample that ended in one, and says why. begun tells that the answer had.
func exception(class, message string, begun bool) (assay.Outcome, string) {
	class, _, _ = strings.Cut(class, " ") // some versions add "(Caused by: …)"
	if i := strings.LastIndexAny(class, ".$"); i >= 0 {
		class = class[i+1:]
	}
	message = strings.ToLower(message)
	for _, e := range exceptions {
		if e.class == "SSL" && strings.HasPrefix(class, "SSL") || e.class == class || e.class == "" {
			if !strings.Contains(message, e.text) {
				continue
			}
			if !begun && (e.outcome == assay.CutFIN || e.outcome == assay.CutRST) {
				return assay.Reset, e.says
			}
			return e.outcome, e.says
		}
	}
	return assay.ServerError, brief(class)
}
