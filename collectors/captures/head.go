package captures

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay/collectors/input"
)

// A head is what stood before an answer.
type head struct {
	status   int32
	instance string
}

// podHeaders name the instance that answered.
var podHeaders = []string{"x-inference-pod", "x-pod-name", "x-instance-id", "x-served-by"}

// line takes one line. Of several heads, as redirects leave them, the last counts.
func (h *head) line(text string) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "HTTP/") {
		*h = head{}
		if f := strings.Fields(text); len(f) > 1 {
			if n, err := strconv.ParseInt(f[1], 10, 32); err == nil && n >= 100 && n < 1000 {
				h.status = int32(n)
			}
		}
		return
	}
	name, value, _ := strings.Cut(text, ":")
	if value = strings.TrimSpace(value); slices.Contains(podHeaders, strings.ToLower(name)) && value != "" && len(value) <= maxNames {
		h.instance = value
	}
}

// read reads the file that curl -D writes.
func (h *head) read(path string) error {
	f, err := input.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	l := input.Lines{File: f}
	for {
		b, err := l.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		h.line(string(b))
	}
	if h.status == 0 {
		return fmt.Errorf("%s: no line such as HTTP/1.1 200 OK: want the head of the answer, as curl -D writes it", path)
	}
	return nil
}
