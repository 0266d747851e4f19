package kubernetes

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// message returns what an event says, and when: from first to last, and with which resolution.
func (r *Record) message() string { return cmp.Or(r.Message, r.Note) }

func (r *Record) about() *Reference {
	if r.Involved != nil {
		return r.Involved
	}
	return r.Regarding
}

func (r *Record) times(created *time.Time) (first, last, resolution, count int64) {
	first, last = ns(r.EventTime), ns(r.EventTime)
	resolution = int64(time.Microsecond)
	if first == 0 {
		resolution = second
		first = cmp.Or(ns(r.First), ns(r.OldFirst), ns(r.Last), ns(r.OldLast), ns(created))
		last = cmp.Or(ns(r.Last), ns(r.OldLast), first)
	}
	count = max(1, r.Count, r.OldCount)
	if r.Series != nil {
		count, last = max(count, r.Series.Count), max(last, ns(r.Series.Last))
	}
	return first, max(first, last), resolution, count
}

// takeEvent reads an event, of core/v1 or of events.k8s.io.
func (d *Decoder) takeEvent(s *Selection, o *Object) string {
	r, about := &o.Record, o.about()
	if about == nil {
		return "an event about nothing"
	}
	if s.Namespace != "" && about.Namespace != "" && about.Namespace != s.Namespace {
		return "of another namespace"
	}
	first, last, resolution, count := r.times(o.Metadata.Created)
	if first == 0 {
		return "an event without a time"
	}
	switch about.Kind {
	case "Pod":
		return d.podEvent(s, r, o.Metadata.Created, about, first, last, resolution, count)
	case "Node":
		if why := nodeReasons[r.Reason]; why != "" {
			d.machine(about.Name, why, last, r.Reason+": "+r.message())
			if n := d.nodes[about.Name]; why == "unready" && n == nil {
				d.nodes[about.Name] = &node{unready: []stretch{{begin: last}}}
			} else if why == "ready" && n != nil && len(n.unready) > 0 && n.unready[len(n.unready)-1].end == 0 {
				n.unready[len(n.unready)-1].end = last
			}
			return ""
		}
	case "Deployment":
		if m := scaling.FindStringSubmatch(r.message()); m != nil {
			from, to := -1, number(m[4])
			if was := cmp.Or(m[3], m[5]); was != "" {
				from = number(was)
			} else if m[1] == "down" {
				from = to + 1
			} else if to == 1 {
				from = 0
			}
			d.scales[about.Name] = append(d.scales[about.Name], rescale{at: last, maker: m[2], from: from, to: to, heard: true})
			return ""
		}
	case "HorizontalPodAutoscaler":
		if m := resized.FindStringSubmatch(r.message()); m != nil {
			d.resizes = append(d.resizes, resize{about.Name, last, number(m[1]), m[2]})
			return ""
		}
	case "InferenceService", "Revision", "Configuration", "Route":
		if r.Type == "Warning" {
			d.tell(nil, fmt.Sprintf("event %s %s %s %d", about.Kind, about.Name, r.Reason, first), assay.Event{Time: first, Resolution: resolution, Kind: assay.EventAnnotation,
				Text: short(about.Name + ": " + r.Reason + ": " + r.message()), Attrs: map[string]string{"reason": r.Reason}})
			return ""
		}
	}
	return "an event that says nothing of instances"
}

var nodeReasons = map[string]string{"NodeNotReady": "unready", "NodeReady": "ready", "NodeHasDiskPressure": "pressure", "NodeHasInsufficientMemory": "pressure",
	"NodeHasInsufficientPID": "pressure", "SystemOOM": "oom", "OOMKilling": "oom", "Rebooted": "rebooted", "NodeNotSchedulable": "cordoned", "Shutdown": "unready", "EvictionThresholdMet": "pressure"}

var (
	scaling = regexp.MustCompile(`^Scaled (up|down) replica set (\S+) (?:from (\d+) )?to (\d+)(?: from (\d+))?`)
	resized = regexp.MustCompile(`^New size: (\d+)(?:; reason: (.*))?$`)
	probed  = regexp.MustCompile(`^(Liveness|Readiness|Startup) probe (failed|errored|warning)[^:]*:?\s*(.*)`)
	took    = regexp.MustCompile(` in ([0-9][0-9a-zµ.]*)(?: \(([0-9][0-9a-zµ.]*) including waiting\))?`)
	size    = regexp.MustCompile(`Image size: (\d+) bytes`)
	field   = regexp.MustCompile(`^spec\.(initContainers|containers|ephemeralContainers)\{([^}]+)\}$`)
)

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// podEvent reads an event about a pod.
func (d *Decoder) podEvent(s *Selection, r *Record, created *time.Time, about *Reference, first, last, resolution, count int64) string {
	name := about.Namespace + "/" + about.Name
	p := d.named[name]
	if about.UID != "" && d.pods[about.UID] != nil {
		p = d.pods[about.UID]
	}
	if (p == nil || p.heard) && !d.settled && len(d.later) < maxWaiting { // it may still come
		d.later = append(d.later, waiting{s, *r, created})
		return ""
	}
	if p == nil {
		if !s.all() {
			return "about a pod that is not selected, or not there"
		}
		p = &pod{id: cmp.Or(about.UID, name), namespace: about.Namespace, name: about.Name, heard: true}
		d.pods[p.id], d.named[name] = p, p
	}
	container, init := "", false
	if m := field.FindStringSubmatch(about.FieldPath); m != nil {
		container, init = m[2], m[1] == "initContainers"
		if m[1] == "ephemeralContainers" {
			return "about a container that does not serve"
		}
	}
	text := short(r.message())
	note := func(at int64) {
		d.tell(p, fmt.Sprintf("event %s %d", r.Reason, at), assay.Event{Time: at, Resolution: resolution, Kind: assay.EventAnnotation, Text: r.Reason + ": " + text,
			Attrs: map[string]string{"reason": r.Reason, "count": strconv.FormatInt(count, 10)}})
	}
	switch r.Reason {
	case "Scheduled":
		if p.created != 0 && resolution < second { // finer than the condition, which is in whole seconds
			d.phase(p, "schedule", p.created, max(last, p.created), second)
		}
	case "Pulling", "Pulled":
		if container != "" && !init && p.container != "" && container != p.container && !strings.HasPrefix(container, "modelcar") {
			return "about a container that does not serve"
		}
		if r.Reason == "Pulled" {
			d.pulled(p, about, container, r.message(), last, resolution)
			break
		}
		d.pulls[p.id+"/"+about.FieldPath] = append(d.pulls[p.id+"/"+about.FieldPath], last)
	case "Started":
		if p.heard && !init {
			d.tell(p, fmt.Sprintf("started %d", last), assay.Event{Time: last, Resolution: resolution, Kind: assay.EventInstanceStarted})
		}
	case "Unhealthy":
		m := probed.FindStringSubmatch(r.message())
		if m == nil {
			note(first)
			break
		}
		for _, at := range []int64{first, last} {
			d.tell(p, fmt.Sprintf("probe %s false %d", m[1], at), assay.Event{Time: at, Resolution: resolution, Kind: assay.EventInstanceProbe, Text: short(m[3]),
				Attrs: map[string]string{"probe": strings.ToLower(m[1]), "ok": "false", "count": strconv.FormatInt(count, 10)}})
		}
	case "Killing":
		if strings.Contains(r.message(), "probe, will be restarted") {
			d.kills[name] = append(d.kills[name], last)
			note(last)
		} else if container == "" || p.container == "" || container == p.container {
			p.stopping = last
		}
	case "Evicted", "EvictedByVPA", "TaintManagerEviction", "Preempted", "NodeNotReady", "NodeShutdown":
		if strings.HasPrefix(r.message(), "Cancelling deletion") {
			break
		}
		why := map[string]string{"Evicted": "evicted", "EvictedByVPA": "recycle", "Preempted": "preempted"}[r.Reason]
		if r.Reason != "NodeNotReady" { // of that the pod may come back
			d.taken[name] = taking{cmp.Or(why, "node"), r.Reason + ": " + text}
		}
		note(last)
	default:
		if r.Type != "Warning" {
			return "an event that says nothing of instances"
		}
		note(first)
		if last != first {
			note(last)
		}
	}
	return ""
}

// pulled tells of the pull of an image, whose text has three forms: without a duration, with one, with two of which the longer holds the waiting for other pulls.
func (d *Decoder) pulled(p *pod, about *Reference, container, text string, end, resolution int64) {
	name := "image_pull"
	if strings.HasPrefix(container, "modelcar") {
		name = "weights_fetch" // the image holds the weights
	}
	var pairs []string
	if container != "" {
		pairs = append(pairs, "container", container)
	}
	if strings.Contains(text, "already present on machine") {
		d.phase(p, name, end, end, resolution, append(pairs, "cached", "true")...)
		return
	}
	begin := int64(0)
	if m := took.FindStringSubmatch(text); m != nil {
		pull, err := time.ParseDuration(m[1])
		whole := pull
		if m[2] != "" && err == nil {
			whole, err = time.ParseDuration(m[2])
		}
		if err == nil && whole >= 0 && whole < 24*time.Hour {
			begin = end - int64(whole)
			pairs = append(pairs, "pull_ns", strconv.FormatInt(int64(pull), 10))
		}
	}
	if begin == 0 {
		for _, at := range d.pulls[p.id+"/"+about.FieldPath] {
			if at <= end {
				begin = max(begin, at)
			}
		}
	}
	if m := size.FindStringSubmatch(text); m != nil {
		pairs = append(pairs, "bytes", m[1])
	}
	d.phase(p, name, begin, end, resolution, pairs...)
}
