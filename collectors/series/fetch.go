package series

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/promapi"
)

const (
	leastStep  = 15 * time.Second
	namesAtOne = 8       // of one query
	maxFetched = 4 << 30 // bytes
	maxNames   = 2000
)

// also are names that no engine's profile has and that every assessment reads.
var also = []string{"up", "process_start_time_seconds", "kube_pod_container_status_restarts_total", "container_oom_events_total"}

// fetch gets the series of a window from an API: those whose names a profile knows, or match.
func fetch(ctx context.Context, f *input.Fetching, to io.Writer) error {
	if _, err := ask.Queried(f.URL); err != nil {
		return err
	}
	c := &promapi.Client{URL: f.URL}
	if f.Token != "" {
		c.Token = func(context.Context) (string, error) { return f.Token, nil }
	}
	from, until := time.Unix(0, f.From), time.Unix(0, f.To)
	step, err := stepOf(f.Options["step"], until.Sub(from))
	if err != nil {
		return err
	}
	names, err := c.Values(ctx, "__name__", from, until)
	if err != nil {
		return err
	}
	if names, err = wanted(names, f.Options["match"]); err != nil {
		return fmt.Errorf("%s: %w", ask.Shown(f.URL), err)
	}
	w := &fetching{c: c, to: to, step: step}
	for group := range slices.Chunk(names, namesAtOne) {
		for i, n := range group {
			group[i] = regexp.QuoteMeta(n)
		}
		query := fmt.Sprintf("{__name__=~%q%s}", strings.Join(group, "|"), more(f.Options["select"]))
		if err := w.window(ctx, query, from, until); err != nil {
			return err
		}
	}
	return nil
}

func more(selector string) string {
	if selector == "" {
		return ""
	}
	return "," + selector
}

// stepOf returns how far apart points are to be: what was asked for, else what gives at most ten thousand of a series.
func stepOf(text string, window time.Duration) (time.Duration, error) {
	if text == "" {
		return max(leastStep, (window/10_000).Truncate(time.Second)+time.Second), nil
	}
	step, err := time.ParseDuration(text)
	if err != nil || step < time.Second {
		return 0, fmt.Errorf("step %q: want a duration of at least 1s, such as 30s", text)
	}
	return step, nil
}

// wanted returns the names to get.
func wanted(names []string, match string) ([]string, error) {
	known := map[string]bool{}
	for _, n := range also {
		known[n] = true
	}
	for _, kind := range profile.Kinds() {
		for _, n := range profile.For(kind).Series() {
			known[n] = true
		}
	}
	is := func(n string) bool { return known[n] }
	if match != "" {
		re, err := regexp.Compile("^(?:" + match + ")$")
		if err != nil {
			return nil, fmt.Errorf("match %q: %w", match, err)
		}
		is = re.MatchString
	}
	out := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !is(n) })
	switch {
	case len(out) == 0 && match != "":
		return nil, fmt.Errorf("none of its %d names in the window matches %q", len(names), match)
	case len(out) == 0:
		return nil, fmt.Errorf("none of its %d names in the window is of an engine that is known: the option match gets others, such as match=my_.*", len(names))
	case len(out) > maxNames:
		return nil, fmt.Errorf("%d names: want at most %d; the option match gets fewer", len(out), maxNames)
	}
	return out, nil
}

// A fetching writes answers.
type fetching struct {
	c     *promapi.Client
	to    io.Writer
	step  time.Duration
	bytes int64
}

// window gets a query over a window, in parts that a server gives at once.
func (w *fetching) window(ctx context.Context, query string, from, to time.Time) error {
	for most := w.step * (promapi.MaxPoints - 1); to.Sub(from) > most; {
		if err := w.part(ctx, query, from, from.Add(most)); err != nil {
			return err
		}
		from = from.Add(most + w.step)
	}
	if from.After(to) {
		return nil
	}
	return w.part(ctx, query, from, to)
}

// part gets a part, in halves where it is too large for one answer.
func (w *fetching) part(ctx context.Context, query string, from, to time.Time) error {
	b, err := w.c.Range(ctx, query, from, to, w.step)
	if steps := to.Sub(from) / w.step; errors.Is(err, promapi.ErrMore) && steps >= 2 {
		half := from.Add(steps / 2 * w.step)
		if err := w.part(ctx, query, from, half); err != nil {
			return err
		}
		return w.part(ctx, query, half.Add(w.step), to)
	}
	if err != nil {
		return err
	}
	if w.bytes += int64(len(b)); w.bytes > maxFetched {
		return fmt.Errorf("more than %d GiB: a longer step, a shorter window or the option match gets less", maxFetched>>30)
	}
	_, err = w.to.Write(append(b, '\n'))
	return err
}
