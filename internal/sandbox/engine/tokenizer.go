package engine

import (
	"strings"
	"unicode"
)

// The first token ids stand for structure, not for words.
const (
	tokenBegin     = 0 // beginning of text
	tokenRole      = 1 // beginning of a message
	tokenEnd       = 2 // end of a message
	tokenAssistant = 3 // the assistant's turn
	firstWord      = 4
)

const wordBytes = 16 // bytes of a word that make one token

// appendTokens appends the tokens of a text: one for each 16 bytes begun of each word.
func appendTokens(ids []int32, text string, vocab int) []int32 {
	for word := range strings.FieldsFuncSeq(text, unicode.IsSpace) {
		for len(word) > 0 {
			n := min(wordBytes, len(word))
			hash := uint32(2166136261) // FNV-1a
			for i := range n {
				hash = (hash ^ uint32(word[i])) * 16777619
			}
			ids = append(ids, firstWord+int32(hash%uint32(vocab-firstWord)))
			word = word[n:]
		}
	}
	return ids
}

// words returns the text of each token id: a space and a pronounceable word, none
// twice. The ids of structure have words too, for prompts given as token ids, but are never sampled.
func words(vocab int) []string {
	const consonants, vowels = "bdfghjklmnprstvzwxcy", "aeiou"
	list := make([]string, vocab)
	for id := range list {
		n := id * 37 % 10000 // 37 has no factor in common with 10000, so no value comes twice
		list[id] = " " + string([]byte{consonants[n%20], vowels[n/20%5], consonants[n/100%20], vowels[n/2000]})
	}
	return list
}
