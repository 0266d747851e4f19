package promrules

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Limits on a file of rules.
const (
	maxFile  = 4 << 20
	maxRules = 2000
)

var promqlParser = parser.NewParser(parser.Options{})

// Parse reads a file of Prometheus rules. The error joins one for each thing wrong, with file, line and column.
func Parse(file string, data []byte) ([]rulefmt.RuleGroup, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes are too large for rules; at most %d", file, len(data), maxFile)
	}
	got, errs := rulefmt.Parse(data, false, model.UTF8Validation, promqlParser, slog.New(slog.DiscardHandler))
	for i := range errs {
		errs[i] = fmt.Errorf("%s: %w", file, errs[i])
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	n := 0
	for _, g := range got.Groups {
		n += len(g.Rules)
	}
	switch {
	case n == 0:
		return nil, fmt.Errorf("%s: has no rules; want groups with record or alert", file)
	case n > maxRules:
		return nil, fmt.Errorf("%s: has %d rules; at most %d", file, n, maxRules)
	}
	return got.Groups, nil
}

// ReadFile reads the rules in the file at path.
func ReadFile(path string) ([]rulefmt.RuleGroup, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return Parse(path, data)
}
