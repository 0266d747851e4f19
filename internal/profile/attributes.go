package profile

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/assay-dev/assay/internal/secret"
	"github.com/goccy/go-yaml"
)

type attributes struct {
	Version int               `yaml:"version"`
	Date    string            `yaml:"date"`
	Source  string            `yaml:"source"`
	Renamed map[string]string `yaml:"renamed"`
	Private []string          `yaml:"private"`

	exact    map[string]bool
	prefixes [256][]string // by first byte
}

var loadAttributes = sync.OnceValue(func() *attributes {
	b, err := files.ReadFile("attributes.yaml")
	if err != nil {
		panic(err)
	}
	a := &attributes{exact: make(map[string]bool)}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(a); err != nil {
		panic(fmt.Sprintf("profile attributes.yaml: %v", err)) // embedded, so a bug
	}
	for _, name := range a.Private {
		if p, ok := strings.CutSuffix(name, "*"); ok {
			a.prefixes[p[0]] = append(a.prefixes[p[0]], p)
		} else {
			a.exact[name] = true
		}
	}
	return a
})

// Renamed returns the present name of a span attribute that was renamed, and whether key is such an old name.
func Renamed(key string) (string, bool) {
	now, ok := loadAttributes().Renamed[key]
	return now, ok
}

// Private reports whether a span attribute holds prompts, answers, other content or credentials by its convention
// or its name, and so must not be recorded.
func Private(key string) bool {
	a := loadAttributes()
	if key == "" {
		return false
	}
	if a.exact[key] {
		return true
	}
	for _, p := range a.prefixes[key[0]] {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return secret.Key(key)
}
