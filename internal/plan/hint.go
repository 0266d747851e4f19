package plan

import (
	"fmt"
	"strings"
)

// A hinter knows of its own settings what a value that cannot be read was meant to say, where their types do not; "" where it does not know either.
type hinter interface{ hint(key, text string) string }

var _, _ hinter = (*Fault)(nil), (*Load)(nil)

func (f *Fault) hint(key, text string) string {
	switch d, err := ParseDuration(text); {
	case err != nil:
	case key == "every" && d > 0:
		return fmt.Sprintf("%q is a time, and every is one in so many requests; to strike again and again write repeat: {every: %s, times: 3}", text, text)
	case key == "for" && d < 0:
		return fmt.Sprintf("%q is negative; want how long the fault is held, for example %s; leave it out where it strikes once", text, strings.TrimPrefix(text, "-"))
	}
	return ""
}

func (l *Load) hint(key, text string) string {
	if d, err := ParseDuration(text); err == nil && key == "for" && d < 0 {
		return fmt.Sprintf("%q is negative; want how long the phase lasts, for example %s", text, strings.TrimPrefix(text, "-"))
	}
	return ""
}
