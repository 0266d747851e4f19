package loadgen

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// maxPrompts bounds a file of prompts, which lies in memory.
const maxPrompts = 64 << 20

// Prompts is a list of prompts from a file. Requests take them in turn, from the first on in each phase, or at random.
type Prompts struct {
	Random bool

	list []Prompt
	hash string
}

// A Prompt is one prompt with what its file says about it.
type Prompt struct {
	Prompt string `json:"prompt"`
	In     int    `json:"tokens"`     // its length; 0: not known, so that the target's count is taken
	Out    int    `json:"max_tokens"` // length of the answer asked for; 0: as the phase says
}

// ReadPrompts reads a file with one prompt a line. If its first line begins with {, each line is a JSON object with
// "prompt" and, if known, "tokens" and "max_tokens"; other members are ignored. Empty lines are skipped.
func ReadPrompts(path string) (*Prompts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read prompts: %w", err)
	}
	defer f.Close()
	return readPrompts(f, path)
}

func readPrompts(from io.Reader, name string) (*Prompts, error) {
	p := &Prompts{}
	sum := sha256.New()
	scan := bufio.NewScanner(io.TeeReader(from, sum))
	scan.Buffer(nil, maxPrompts)
	object, size := false, 0
	for line := 1; scan.Scan(); line++ {
		b := bytes.TrimSpace(scan.Bytes())
		if line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
			object = len(b) > 0 && b[0] == '{'
		}
		if len(b) == 0 {
			continue
		}
		if size += len(b); size > maxPrompts {
			return nil, fmt.Errorf("%s:%d: more than %d MiB of prompts: use fewer", name, line, maxPrompts>>20)
		}
		var t Prompt
		if object {
			if err := json.Unmarshal(b, &t); err != nil {
				return nil, fmt.Errorf("%s:%d: %w: want a JSON object with \"prompt\" on each line", name, line, err)
			}
			if t.Prompt == "" || t.In < 0 || t.Out < 0 || t.In > 1<<30 || t.Out > 1<<30 {
				return nil, fmt.Errorf("%s:%d: want a \"prompt\" that is not empty, and counts from 0", name, line)
			}
		} else {
			if !utf8.Valid(b) {
				return nil, fmt.Errorf("%s:%d: the prompt is not UTF-8", name, line)
			}
			t.Prompt = string(b)
		}
		p.list = append(p.list, t)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read prompts %s: %w", name, err)
	}
	if len(p.list) == 0 {
		return nil, fmt.Errorf("read prompts %s: there are none", name)
	}
	p.hash = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

// Len returns how many prompts there are.
func (p *Prompts) Len() int { return len(p.list) }

// sum names the prompts; "" for none.
func (p *Prompts) sum() string {
	if p == nil {
		return ""
	}
	return p.hash
}
