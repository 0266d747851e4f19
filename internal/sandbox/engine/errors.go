package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// An apiError is an answer in the form that OpenAI's clients read.
type apiError struct {
	status      int
	kind        string // error.type
	code, param string // null when empty
	message     string
	retryAfter  string // seconds; no header when empty
}

func badRequest(param, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "BadRequestError", code: "invalid_request", param: param, message: message}
}

func bodyError(err error) *apiError {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &apiError{status: http.StatusRequestEntityTooLarge, kind: "BadRequestError", code: "body_too_large",
			message: fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit)}
	}
	return badRequest("", "The body is not the JSON that is expected here: "+clip(err.Error()))
}

func unavailable(code, message string) *apiError {
	return &apiError{status: http.StatusServiceUnavailable, kind: "ServiceUnavailableError", code: code, message: message, retryAfter: "1"}
}

// write answers with the error.
func (e *apiError) write(w http.ResponseWriter) {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	if e.retryAfter != "" {
		w.Header().Set("Retry-After", e.retryAfter)
	}
	writeJSON(w, e.status, map[string]any{"error": map[string]any{
		"message": e.message, "type": e.kind, "param": orNull(e.param), "code": orNull(e.code)}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
