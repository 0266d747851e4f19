package series

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// redisCounters are the fields that only grow; the exporter's names end in _total.
var redisCounters = map[string]string{
	"keyspace_hits": "redis_keyspace_hits_total", "keyspace_misses": "redis_keyspace_misses_total", "evicted_keys": "redis_evicted_keys_total",
	"expired_keys": "redis_expired_keys_total", "rejected_connections": "redis_rejected_connections_total",
	"total_commands_processed": "redis_commands_processed_total", "total_connections_received": "redis_connections_received_total",
	"used_memory": "redis_memory_used_bytes", "maxmemory": "redis_memory_max_bytes",
}

func isRedisInfo(_ string, head []byte) bool {
	return bytes.Contains(head, []byte("redis_version:")) || bytes.Contains(head, []byte("keyspace_hits:"))
}

// readRedisInfo emits the numbers of INFO. A field that was told before begins the next one.
func readRedisInfo(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	when, err := newWhen(in)
	if err != nil {
		return err
	}
	var labels []assay.Label
	if id := in.Option("instance"); id != "" {
		labels = []assay.Label{{Name: "instance", Value: id}, {Name: "instance_id", Value: id}}
	}
	var samples []assay.Sample
	seen, own, lost := map[string]bool{}, int64(0), false
	flush := func() error {
		if len(samples) == 0 {
			return nil
		}
		at := own
		if at == 0 {
			if lost = !when.next(); lost {
				in.Tally.Reject("of a second INFO without a time: the option every says how far apart they were", int64(len(samples)))
				samples = samples[:0]
				return nil
			}
			if at, err = when.at(); err != nil {
				return err
			}
		}
		in.Tally.Keep(int64(len(samples)))
		for i := range samples {
			samples[i].Time = at
			if err := emit(&samples[i]); err != nil {
				return err
			}
		}
		samples, own = samples[:0], 0
		clear(seen)
		return nil
	}
	lines := input.Lines{File: in.File}
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if line[0] == '#' {
			continue
		}
		key, text, ok := strings.Cut(string(line), ":")
		if !ok || key == "" || len(key) > maxLabel || strings.ContainsAny(key, " \t\"{}") {
			in.Tally.Reject("no field of INFO", 1)
			continue
		}
		if seen[key] {
			if err := flush(); err != nil {
				return err
			}
			clear(seen)
		}
		if seen[key] = true; len(seen) > maxSeries {
			return fmt.Errorf("%s: more than %d fields in one INFO", in.Path, maxSeries)
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			in.Tally.Reject("a field of INFO that is no number", 1)
			continue
		}
		if key == "server_time_usec" && v > 0 && v < 9e15 {
			own = int64(v) * 1000
		}
		name := redisCounters[key]
		if name == "" {
			name = "redis_" + key
		}
		samples = append(samples, assay.Sample{Name: name, Labels: labels, Value: v})
	}
	if err := flush(); err != nil {
		return err
	}
	when.note()
	return nil
}
