package logs

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxJoined bounds what the parts of one line may become.
const maxJoined = 1 << 20

// A line is one message, out of its wrapping.
type line struct {
	stamp
	instance string // that the wrapping names; "": none
	text     string
}

// An unwrapper takes lines out of what they are wrapped in, and joins those that came in parts.
type unwrapper struct {
	parts map[string][]byte // by stream
	count map[string]int64
}

var criLine = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}T\S+) (stdout|stderr) ([FP]) ?`)

// unwrap returns the message of a raw line. done is false where more of it has to come; n is how many raw lines it was made of.
func (u *unwrapper) unwrap(raw []byte) (l line, n int64, done bool) {
	pod, rest := podBefore(raw)
	if pod == "" {
		return u.bare(raw)
	}
	at, rest := stampBefore(rest)
	if len(rest) == 0 {
		return line{stamp: at, instance: pod}, 1, true
	}
	l, n, done = u.bare(rest)
	if l.instance = pod; l.stamp.at == 0 {
		l.stamp = at
	}
	return l, n, done
}

// bare is unwrap for what no pod stands before.
func (u *unwrapper) bare(raw []byte) (l line, n int64, done bool) {
	if m := criLine.FindSubmatch(raw); m != nil {
		t, err := time.Parse(time.RFC3339Nano, string(m[1]))
		if err == nil {
			l.stamp = stamp{t.UnixNano(), int64(time.Millisecond)} // the runtime's clock is finer, its pipe is not
		}
		return u.join(l, string(m[2]), raw[len(m[0]):], m[3][0] == 'F')
	}
	if raw[0] != '{' {
		l.text = string(raw)
		return l, 1, true
	}
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&o) != nil {
		l.text = string(raw)
		return l, 1, true
	}
	if src, ok := o["_source"].(map[string]any); ok { // a hit of a search
		o = src
	}
	l.stamp = stampOf(o)
	l.instance = instanceOf(o)
	text := field(o, "log", "message", "msg", "line", "text", "body", "textPayload", "MESSAGE")
	_, docker := o["stream"]
	if _, ok := o["log"]; ok && docker {
		return u.join(l, field(o, "stream"), []byte(strings.TrimSuffix(text, "\n")), strings.HasSuffix(text, "\n"))
	}
	l.text = strings.TrimSpace(text)
	return l, 1, true
}

// join appends a part, and hands out the whole.
func (u *unwrapper) join(l line, stream string, part []byte, last bool) (line, int64, bool) {
	if u.parts == nil {
		u.parts, u.count = map[string][]byte{}, map[string]int64{}
	}
	if have := u.parts[stream]; len(have)+len(part) <= maxJoined {
		u.parts[stream] = append(have, part...)
	}
	u.count[stream]++
	if !last {
		return l, 0, false
	}
	l.text = string(u.parts[stream])
	n := u.count[stream]
	u.parts[stream], u.count[stream] = u.parts[stream][:0], 0
	return l, n, true
}

// left returns how many raw lines wait for their end.
func (u *unwrapper) left() (n int64) {
	for _, c := range u.count {
		n += c
	}
	return n
}

// field returns the first of some members, as text.
func field(o map[string]any, names ...string) string {
	for _, name := range names {
		switch v := o[name].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// stampOf reads the stamp of a JSON line: a date, or a number of s, ms, us or ns since 1970.
func stampOf(o map[string]any) stamp {
	text := field(o, "time", "@timestamp", "timestamp", "ts", "asctime", "date", "__REALTIME_TIMESTAMP")
	if text == "" {
		return stamp{}
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		unit := 1e9
		for _, u := range []float64{1e6, 1e3, 1} {
			if v > 1e11 {
				if unit = u; v*u < 5e18 && v*u > 5e17 {
					break
				}
			}
		}
		if at := v * unit; at > 0 && at < 9e18 {
			if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
				return stamp{whole * int64(unit), max(int64(unit), int64(time.Millisecond))}
			}
			return stamp{int64(at), int64(time.Millisecond)}
		}
		return stamp{}
	}
	d := dial{zone: time.UTC}
	s := d.date(text)
	s.resolution = max(s.resolution, int64(time.Millisecond))
	return s
}

// instanceOf returns the pod, or else the container, that a JSON line is of.
func instanceOf(o map[string]any) string {
	for _, path := range [][]string{{"kubernetes", "pod_name"}, {"kubernetes", "pod", "name"}, {"labels", "pod"}, {"labels", "instance"}, {"pod"}, {"pod_name"}, {"resource", "labels", "pod_name"},
		{"k8s.pod.name"}, {"kubernetes.pod_name"}, {"container_id"}, {"container", "id"}, {"labels", "container"}, {"container"}, {"container_name"}} {
		var at any = o
		for _, p := range path {
			m, _ := at.(map[string]any)
			at = m[p]
		}
		if s, ok := at.(string); ok && s != "" && len(s) <= 253 {
			return s
		}
	}
	return ""
}

var podFile = regexp.MustCompile(`^([a-z0-9.-]+)_[a-z0-9-]+_[a-z0-9.-]+-[0-9a-f]{64}\.log$`)

// instanceFrom returns the instance that a file's name tells: the pod's in a node's log directories, or the name without its ending.
func instanceFrom(path string) string {
	base := filepath.Base(path)
	if m := podFile.FindStringSubmatch(base); m != nil { // /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
		return m[1]
	}
	if parts := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(path))), "_"); len(parts) == 3 { // /var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log
		return parts[1]
	}
	for {
		ext := filepath.Ext(base)
		switch ext {
		case ".gz", ".log", ".txt", ".json", ".jsonl", ".ndjson", ".out":
			base = strings.TrimSuffix(base, ext)
			continue
		}
		return base
	}
}
