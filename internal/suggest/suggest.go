// Package suggest says what a person probably meant by a word that is not known.
package suggest

import (
	"fmt"
	"slices"
	"strings"
)

// Nearest returns the known word with the smallest edit distance to word, ignoring case, and that distance. Of
// equals it returns the first. Without known words it returns "".
func Nearest(word string, known []string) (nearest string, distance int) {
	distance = -1
	for _, k := range known {
		if n := levenshtein(strings.ToLower(word), strings.ToLower(k)); distance < 0 || n < distance {
			nearest, distance = k, n
		}
	}
	return nearest, distance
}

// near is the largest distance at which a word is taken for a misspelling.
const near = 2

// Meant returns a hint for a message: the word that was probably meant, or all that are known.
func Meant(word string, known []string) string {
	if k, n := Nearest(word, known); k != "" && n <= near {
		return fmt.Sprintf("did you mean %q?", k)
	}
	sorted := slices.Sorted(slices.Values(known))
	return "known here: " + strings.Join(sorted, ", ")
}

// levenshtein counts the single-byte edits between two short words.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
