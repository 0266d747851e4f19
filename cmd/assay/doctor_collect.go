package main

import (
	"bufio"
	"context"
	"fmt"
	goio "io"
	"net/http"
	"slices"
	"strings"
	"time"

	vocabulary "github.com/assay-dev/assay/internal/profile"
)

// maxExposition bounds what is read of an exposition to see what is in it.
const maxExposition = 8 << 20

// examineCollect asks the metrics endpoints: whether they answer, what of it is known, how their clocks stand to ours. One that does not answer does not keep a run from beginning.
func examineCollect(ctx context.Context, p *patient) {
	defer examineKubernetes(ctx, p)
	for i, c := range p.plan.Collect.Prometheus {
		var names []string
		clock := ""
		err := soon(ctx, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, or(c.URL, c.HTTPSD), nil)
			if err != nil {
				return err
			}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}, Timeout: 5 * time.Second}
			asked := time.Now()
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("GET %s: status %d", or(c.URL, c.HTTPSD), res.StatusCode)
			}
			clock = offsetText(clockBy(res, asked, time.Since(asked)))
			names = namesIn(res.Body)
			return nil
		})
		if err != nil {
			err = fmt.Errorf("collect.prometheus[%d]: %w", i, err)
		}
		p.try(err, doubt, "without it the run goes on and knows less", "collect.prometheus[%d]: %s answers; %s", i, or(c.URL, c.HTTPSD), clock)
		if err != nil || c.HTTPSD != "" {
			continue
		}
		p.knows(fmt.Sprintf("collect.prometheus[%d]", i), names)
	}
}

// knows says what the metrics of a source will be read as, and what will be empty.
func (p *patient) knows(source string, names []string) {
	kinds := vocabulary.Detect(names)
	if len(kinds) == 0 {
		p.add(doubt, "they are recorded all the same; engines, accelerators and platforms are told of by assay's tables of names", "%s: %d names, none of which is known: queue, batch, KV cache and accelerator will be empty", source, len(names))
		return
	}
	var told []string
	for _, k := range kinds[:min(len(kinds), 4)] {
		told = append(told, vocabulary.For(k).Title)
	}
	p.ok("%s: %d names, known as %s", source, len(names), strings.Join(told, ", "))
	for _, e := range []struct {
		q    vocabulary.Quantity
		what string
	}{{vocabulary.Success, "restarts that only counters show"}, {vocabulary.KVUsage, "the use of the KV cache"}} {
		if !slices.ContainsFunc(kinds, func(k string) bool {
			s, ok := vocabulary.For(k).Spec(e.q)
			return ok && slices.ContainsFunc(s.Names, func(n vocabulary.Name) bool {
				return slices.Contains(names, n.Metric) || slices.Contains(names, n.Metric+"_count")
			})
		}) {
			p.add(doubt, "series may be absent until the first request", "%s: shows no %s, so %s will be empty", source, strings.ReplaceAll(string(e.q), "_", " "), e.what)
		}
	}
}

// namesIn returns the names of the series in an exposition, sorted.
func namesIn(body goio.Reader) []string {
	seen := map[string]bool{}
	lines := bufio.NewScanner(goio.LimitReader(body, maxExposition))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if end := strings.IndexAny(line, "{ "); end > 0 && line[0] != '#' && len(seen) < 100_000 {
			seen[line[:end]] = true
		}
	}
	return sortedNames(seen)
}

func sortedNames(seen map[string]bool) []string {
	var out []string
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
