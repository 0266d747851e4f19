package loadgen

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/assay-dev/assay"
)

// A place is where the models of a server are: each has a path of its own, in the manner of KServe and Triton.
type place struct {
	root  string // escaped path up to the models' names; "" where the URL names the model
	fixed string // escaped path of the model that the URL names
	query string
}

// newPlace reads the place from the URL of a server, of a model below root (/v2/models/) or of one of the operations on it.
func newPlace(u *url.URL, root string, operations ...string) *place {
	p := &place{}
	if u.RawQuery != "" {
		p.query = "?" + u.RawQuery
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	for _, o := range operations {
		if rest, ok := strings.CutSuffix(path, o); ok {
			path = rest
			break
		}
	}
	models := strings.TrimSuffix(root, "/")
	switch {
	case strings.Contains(path, root):
		p.fixed = path
	case strings.HasSuffix(path, models):
		p.root = path + "/"
	default:
		p.root = strings.TrimSuffix(path, strings.TrimSuffix(models, "/models")) + root
	}
	return p
}

// path returns the escaped path and query of an operation on a model.
func (p *place) path(model, version, operation string) string {
	path := p.fixed
	if path == "" {
		path = p.root + url.PathEscape(model)
	}
	if version != "" && !strings.Contains(path, "/versions/") {
		path += "/versions/" + url.PathEscape(version)
	}
	return path + operation + p.query
}

// notReady tells a model that is not loaded yet by the text of a refusal: the status alone is that of a client's error with some servers.
func notReady(status int, text string) assay.Outcome {
	text = strings.ToLower(text)
	unready := strings.Contains(text, "not at ready state") || strings.Contains(text, "has no available versions") ||
		strings.Contains(text, "is not ready") && status == http.StatusServiceUnavailable
	if unready && (status == http.StatusServiceUnavailable || status == http.StatusBadRequest || status == http.StatusNotFound) {
		return assay.Loading
	}
	return assay.OutcomeUnknown
}
