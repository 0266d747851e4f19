package logs

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed lines.yaml
var linesYAML []byte

// A pattern is one line that an engine may say, and what it means.
type pattern struct {
	Match  string `yaml:"match"`
	Is     string `yaml:"is"`
	Phase  string `yaml:"phase"`
	Reason string `yaml:"reason"`
	Signal string `yaml:"signal"`
	Step   string `yaml:"step"`  // of the clock that the line tells of; "": that of its stamp
	Keyed  bool   `yaml:"keyed"` // the first group names what is loaded
	Since  string `yaml:"since"` // version of the engine
	Until  string `yaml:"until"`

	engine string
	re     *regexp.Regexp
	word   string // lower case: a part that each line has, looked for first
	step   int64
}

type table struct {
	Version int    `yaml:"version"`
	Date    string `yaml:"date"`
	Source  string `yaml:"source"`
	Engines []struct {
		Engine string    `yaml:"engine"`
		Lines  []pattern `yaml:"lines"`
	} `yaml:"engines"`

	all []*pattern
}

var loadTable = sync.OnceValue(func() *table {
	t := &table{}
	if err := yaml.NewDecoder(bytes.NewReader(linesYAML), yaml.Strict()).Decode(t); err != nil {
		panic(fmt.Sprintf("lines.yaml: %v", err)) // embedded, so a bug
	}
	for i := range t.Engines {
		for j := range t.Engines[i].Lines {
			p := &t.Engines[i].Lines[j]
			p.engine, p.re, p.word = t.Engines[i].Engine, regexp.MustCompile("(?i)"+p.Match), wordOf(p.Match)
			if p.Step != "" {
				d, err := time.ParseDuration(p.Step)
				if err != nil {
					panic(fmt.Sprintf("lines.yaml: %v", err))
				}
				p.step = int64(d)
			}
			t.all = append(t.all, p)
		}
	}
	return t
})

var plain = regexp.MustCompile(`^[A-Za-z_ =":.]{7,}`)

// wordOf returns the words that a pattern begins with, in lower case.
func wordOf(match string) string {
	w := plain.FindString(match)
	if len(w) < len(match) && strings.ContainsRune("?*{", rune(match[len(w)])) && w != "" {
		w = w[:len(w)-1]
	}
	return strings.ToLower(strings.TrimSpace(w))
}

// meaning returns the first pattern that a line matches, and its groups; nil where there is none.
func (t *table) meaning(text string) (*pattern, []string) {
	low := strings.ToLower(text)
	for _, p := range t.all {
		if !strings.Contains(low, p.word) {
			continue
		}
		if m := p.re.FindStringSubmatch(text); m != nil {
			return p, m
		}
	}
	return nil, nil
}
