package tables

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
	"github.com/assay-dev/assay/internal/pacetest"
)

// read reads a table of a kind with options as a person writes them.
func read(t testing.TB, kind, spec string) (records []string, sum input.Summary, err error) {
	t.Helper()
	k := &Kinds[slices.IndexFunc(Kinds, func(k input.Kind) bool { return k.Name == kind })]
	s, err := input.ParseSpec(k, spec)
	if err != nil {
		return nil, sum, err
	}
	sum, err = inputtest.Read(t, s, input.Settings{Latest: 2e18}, func(set *input.Set, r assay.Record) {
		switch r := r.(type) {
		case *assay.Sample:
			var labels []string
			for _, l := range r.Labels {
				labels = append(labels, l.Name+"="+l.Value)
			}
			records = append(records, fmt.Sprintf("%s{%s} %g @%d", r.Name, strings.Join(labels, ","), r.Value, (r.Time+set.Epoch-from)/1e6))
		case *assay.Event:
			if r.Kind != assay.EventWarning {
				records = append(records, fmt.Sprintf("%s %s @%d %v ±%d %s", r.Kind, r.Instance, (r.Time+set.Epoch-from)/1e6, r.Attrs, r.Resolution/1e6, r.Text))
			}
		}
	})
	return records, sum, err
}

const from = int64(1767225600) * 1e9 // 2026-01-01T00:00:00Z

func TestSamples(t *testing.T) {
	type wide struct {
		TS   int64    `parquet:"ts"`
		Pod  string   `parquet:"pod"`
		Duty *float64 `parquet:"duty,optional"`
	}
	half := 0.5
	columns := filepath.Join(t.TempDir(), "gpu.parquet")
	if err := parquet.WriteFile(columns, []wide{{from / 1e6, "a", &half}, {from/1e6 + 1000, "a", nil}}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spec string
		want []string
		sum  input.Summary
	}{
		"wide": {
			inputtest.File(t, "gpu.csv", "ts,pod,duty,mem used,note\n1767225600000,a,0.5,12,x\n1767225601000,b,,13,y\n1767225602000,,1e3,NaN,z\n") + ",time=ts:ms,labels=pod,prefix=gpu_",
			[]string{"gpu_duty{pod=a} 0.5 @0", "gpu_mem_used{pod=a} 12 @0", "gpu_mem_used{pod=b} 13 @1000", "gpu_duty{} 1000 @2000"},
			input.Summary{Read: 6, Kept: 4, Rejected: map[string]int64{"empty cells": 1, "cells that hold no number": 1}},
		},
		"wide, named": {
			inputtest.File(t, "gpu.jsonl", `{"t":"2026-01-01T01:00:00","m":{"duty":50},"up":true}`) + ",time=t,values=m.duty:DCGM_FI_DEV_GPU_UTIL|up,zone=Europe/Berlin",
			[]string{"DCGM_FI_DEV_GPU_UTIL{} 50 @0", "up{} 1 @0"}, input.Summary{Read: 2, Kept: 2},
		},
		"long": {
			inputtest.File(t, "long.csv", "time_ms;metric;value;host\n1767225600250;queue.size;3;h-1\n1767225600500;duty;7;h-2\n") + ",time=time_ms,name=metric,value=value,labels=host",
			[]string{"queue_size{host=h-1} 3 @250", "duty{host=h-2} 7 @500"}, input.Summary{Read: 2, Kept: 2},
		},
		"long, one metric": {
			inputtest.File(t, "one.csv", "at,v\n1767225600,3\n") + ",time=at,name=queue,value=v", []string{"queue{} 3 @0"}, input.Summary{Read: 1, Kept: 1},
		},
		"parquet": {columns + ",time=ts:ms,labels=pod", []string{"duty{pod=a} 0.5 @0"}, input.Summary{Read: 2, Kept: 1, Rejected: map[string]int64{"empty cells": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, sum, err := read(t, "samples", tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.sum, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	loads := inputtest.File(t, "loads.csv", "pod,start,end,load_ms\na,2026-01-01 00:00:10,2026-01-01 00:00:12,1500\nb,2026-01-01 00:00:20,,\n,2026-01-01 00:00:20,,3\n")
	pods := inputtest.File(t, "pods.csv", "at,pod,status,why\n1767225600,a,Running,\n1767225601.5,a,OOMKilled,too much\n1767225602,a,Odd,\n1767225603,,Running,\n")
	attrs := func(end int64) string {
		return fmt.Sprintf("map[end_ns:%d phase:weights_load source:table start_ns:%d]", from+end*1e6, from+10_000*int64(1e6))
	}
	for name, tt := range map[string]struct {
		spec string
		want []string
		sum  input.Summary
	}{
		"events": {pods + ",time=at,event=status,map=running:instance.started|OOMKilled:instance.exited/oom,instance=pod,text=why,resolution=1s",
			[]string{"instance.started a @0 map[] ±1000 ", "instance.exited a @1500 map[reason:oom] ±1000 too much"},
			input.Summary{Read: 4, Kept: 2, Rejected: map[string]int64{"what happened has no meaning in map": 1, "no instance": 1}}},
		"an end": {loads + ",begin=start,end=end,phase=weights_load,instance=pod", []string{"instance.phase a @12000 " + attrs(12000) + " ±0 "},
			input.Summary{Read: 3, Kept: 1, Rejected: map[string]int64{"no instance": 1, "no end": 1}}},
		"a duration": {loads + ",begin=start,duration=load_ms,phase=weights_load,instance=pod", []string{"instance.phase a @11500 " + attrs(11500) + " ±0 "},
			input.Summary{Read: 3, Kept: 1, Rejected: map[string]int64{"no instance": 1, "no end": 1}}},
		"names of ours": {inputtest.File(t, "own.jsonl", `{"t":1767225600,"k":"instance.ready","i":"x"}`) + ",time=t,event=k,instance=i", []string{"instance.ready x @0 map[] ±0 "}, input.Summary{Read: 1, Kept: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, sum, err := read(t, "happened", tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.sum, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// Who reads the report is told which zone was taken for stamps that name none.
func TestZoneIsTold(t *testing.T) {
	for spec, want := range map[string]int{
		inputtest.File(t, "x.csv", "ts,up\n2026-11-20 10:00:00,1\n2026-11-20T10:00:01Z,2\n") + ",time=ts":                    1,
		inputtest.File(t, "x.csv", "ts,up\n2026-11-20 10:00:00,1\n2026-11-20T10:00:01Z,2\n") + ",time=ts,zone=Europe/Berlin": 0,
		inputtest.File(t, "x.csv", "ts,up\n2026-11-20T10:00:00+01:00,1\n1795168800,2\n") + ",time=ts":                        0,
	} {
		_, sum, err := read(t, "samples", spec)
		if err != nil || len(sum.Notes) != want || want == 1 && sum.Notes[0] != "1 stamps name no time zone: UTC was taken; zone= names another" {
			t.Errorf("%s: %v, %q", spec, err, sum.Notes)
		}
	}
}

// Rows that cannot be read are rejected, unless they are most of a table.
func TestBadRows(t *testing.T) {
	const good = "1767225600,a,1\n1767225601,a,2\n1767225602,a,3\n"
	for _, tt := range []struct {
		kind, spec string
		want       map[string]int64
	}{
		{"samples", inputtest.File(t, "x.csv", "ts,pod,v\n"+good+"soon,a,1\n-5,a,1\n") + ",time=ts,labels=pod,values=v", map[string]int64{"ts: want a date, or a number with the right unit (first on line 5)": 2}},
		{"samples", inputtest.File(t, "x.jsonl", `{"ts":1767225600,"v":1}`+"\n{}\n[\n"+`{"ts":1767225601,"v":1}`+"\n"+`{"ts":1767225602,"v":1}`+"\n") + ",time=ts,values=v",
			map[string]int64{`no column "ts" for time (first on line 2)`: 1, "the line: want a JSON object (first on line 3)": 1}},
		{"happened", inputtest.File(t, "x.csv", "ts,pod,v\n"+good+"1767225603,a,-1\n") + ",begin=ts,duration=v,phase=weights_load,instance=pod",
			map[string]int64{"v: want a length of less than 30 days that is not negative (first on line 5)": 1}},
	} {
		_, sum, err := read(t, tt.kind, tt.spec)
		if err != nil || sum.Kept != 3 {
			t.Errorf("%s: %v, %+v", tt.kind, err, sum)
			continue
		}
		if d := cmp.Diff(tt.want, sum.Rejected); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.kind, d)
		}
	}
}

func TestRefused(t *testing.T) {
	csv := inputtest.File(t, "x.csv", "ts,pod,v\n1767225600,a,word\n")
	for _, tt := range []struct{ kind, spec, want string }{
		{"samples", csv, "x.csv: want the option time, for example"},
		{"samples", csv + ",time=tz", `x.csv:1: no column "tz" for time: there are ts, pod, v; header=N says`},
		{"samples", csv + ",time=pod", `x.csv:2: pod "a": want a date, or a number with the right unit`},
		{"samples", csv + ",time=ts", "x.csv:2: no column holds a number"},
		{"samples", csv + ",time=ts,values=v", "nothing to keep of 1 cells (1 cells that hold no number)"},
		{"samples", csv + ",time=ts,values=:x", `values: ":x": want COLUMN, COLUMN:quantity`},
		{"samples", csv + ",time=ts,value=v", "a long table has a name and a value"},
		{"samples", csv + ",time=ts,labels=node,values=v", `no column "node" for labels`},
		{"samples", inputtest.File(t, "bad.parquet", "PAR1 and nothing more"), "want the option time"},
		{"samples", inputtest.File(t, "bad.parquet", "PAR1 and nothing more") + ",time=ts", "bad.parquet: "},
		{"samples", inputtest.File(t, "bad.jsonl", "{\"ts\":1767225600,\"v\":1}\n{\n{") + ",time=ts", `bad.jsonl:2: the line "{": want a JSON object`},
		{"happened", csv, "want the options time and event"},
		{"happened", csv + ",time=ts,event=v,map=word:ready", `map "word:ready": want value:event, where event is one of instance.created`},
		{"happened", csv + ",begin=ts,phase=warmup,instance=pod", "want begin=COLUMN, and end=COLUMN or duration=COLUMN"},
		{"happened", csv + ",begin=ts,duration=v,phase=warmup", "want instance=COLUMN"},
		{"happened", csv + ",begin=ts,duration=v,phase=warmup,instance=pod", `v "word": want a length of less than 30 days`},
		{"happened", csv + ",time=ts,event=v,resolution=soon", `resolution "soon": want a duration`},
	} {
		if _, _, err := read(t, tt.kind, tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("--%s …%s: error %v, want …%s…", tt.kind, tt.spec[strings.LastIndexByte(tt.spec, '/'):], err, tt.want)
		}
	}
}

// FuzzTables: any bytes as a table end in records or in an error, and what is read is kept or rejected.
func FuzzTables(f *testing.F) {
	f.Add([]byte("ts,pod,v\n1767225600,a,1\n1767225601,a,\n"))
	f.Add([]byte(`{"ts":1767225600,"v":{"x":1}}`))
	f.Add([]byte("PAR1\x15\x04\x15\x10"))
	f.Add([]byte("ts;v\n-1e18;NaN\n"))
	f.Add([]byte("node,n1,n1\nkind,a,b\nts,,\n1767225600,1,2\n"))
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for _, spec := range []string{",time=ts", ",time=ts,name=v,value=v", ",time=ts,header=2", ",time=ts,name=kind"} {
			if _, sum, err := read(t, "samples", path+spec); err == nil && sum.Samples > sum.Kept {
				t.Errorf("%d samples of %d cells", sum.Samples, sum.Kept)
			}
		}
		_, _, _ = read(t, "happened", path+",time=ts,event=v,instance=pod,map=1:instance.ready")
		if d := time.Since(begin); d > pacetest.Most(5*time.Second) {
			t.Errorf("took %v", d)
		}
	})
}
