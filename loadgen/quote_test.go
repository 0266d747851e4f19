package loadgen

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestQuote: every byte at every place of a word of eight, and of what is left of one.
func TestQuote(t *testing.T) {
	for c := range 256 {
		for at := range 21 {
			text := []byte(strings.Repeat("~ !a", 6)[:21]) // the ends of the range that stands for itself are in it
			text[at] = byte(c)
			want, _ := json.Marshal(string(text))
			if plain := c >= ' ' && c != '"' && c != '\\' && c < 0x7f; plain {
				want = append(append([]byte{'"'}, text...), '"')
				if !unescaped(string(text)) {
					t.Fatalf("byte %#x at %d: stands for itself", c, at)
				}
			} else if unescaped(string(text)) {
				t.Fatalf("byte %#x at %d: has to be escaped", c, at)
			}
			if got := quote(nil, string(text)); string(got) != string(want) {
				t.Fatalf("byte %#x at %d: %s, want %s", c, at, got, want)
			}
		}
	}
	if got := string(quote([]byte("x"), "")); got != `x""` {
		t.Errorf("nothing: %s", got)
	}
}

func BenchmarkQuote(b *testing.B) {
	text := strings.Repeat("alpha beta gamma ", 1<<16)
	var out []byte
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		out = quote(out[:0], text)
	}
}
