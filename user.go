package assay

import (
	"crypto/sha256"
	"encoding/hex"
)

// PseudonymLen is the length of what [Pseudonym] returns.
const PseudonymLen = 16

// Pseudonym returns what stands for a user or a session in a [Request]: the first 64 bits of a SHA-256, as hex. "" stays "".
//
// What a recording calls a user may be a name, an address, a key or a session's secret, so that none of it is kept as it stands, whatever it looks like.
// The hash has no key and no salt, so that a user is the same in all recordings of a service, whenever and wherever they are imported: with a
// salt of each run, users could not be followed over a proxy's log and a load balancer's, or from week to week. The price is that whoever holds a run and a list
// of guesses can test them. A run with users is therefore pseudonymous and not anonymous, and is to be kept as personal data are; random ids, as sessions mostly have,
// cannot be guessed. Among a million users the odds that any two share a pseudonym are one to 37 million.
func Pseudonym(id string) string {
	if id == "" {
		return ""
	}
	var text [256]byte
	sum := sha256.Sum256(append(append(text[:0], "assay user\x00"...), id...))
	return hex.EncodeToString(sum[:PseudonymLen/2])
}
