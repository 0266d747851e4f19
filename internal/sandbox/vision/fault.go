package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A fault is an answer that tells of an error. All protocols of this worker tell it as {"error": "…"}.
type fault struct {
	status     int
	code       string // for the truth log
	message    string
	retryAfter string // seconds; no header when empty
}

func badRequest(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "invalid_request", message: fmt.Sprintf(format, args...)}
}

func bodyFault(err error) *fault {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &fault{status: http.StatusRequestEntityTooLarge, code: "body_too_large", message: fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit)}
	}
	return badRequest("The body could not be read: %s", clip(err.Error()))
}

func unavailable(code, message string) *fault {
	return &fault{status: http.StatusServiceUnavailable, code: code, message: message, retryAfter: "1"}
}

func unknownModel(name, served string) *fault {
	return &fault{status: http.StatusNotFound, code: "model_not_found", message: fmt.Sprintf("Model with name %q does not exist; this worker serves %q.", clip(name), served)}
}

// write answers with the error.
func (f *fault) write(w http.ResponseWriter) {
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
	}
	writeJSON(w, f.status, map[string]string{"error": f.message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}

// clip shortens what is quoted back to a client.
func clip(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}
