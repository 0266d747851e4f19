package tables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// Series that no label tells apart are not mixed: the second value of an instant is rejected here, with the columns that may tell them apart.
func TestValuesOfOneInstant(t *testing.T) {
	const text = "ts,pod,node,duty\n1767225600,a,x,1\n1767225600,b,x,2\n1767225601,a,x,3\n1767225601,b,x,3\n"
	for options, want := range map[string]input.Summary{
		"":                 {Read: 4, Kept: 3, Rejected: map[string]int64{"another value of the same series at the same instant; labels=pod|node may tell them apart": 1}},
		",labels=node":     {Read: 4, Kept: 3, Rejected: map[string]int64{"another value of the same series at the same instant; labels=node|pod may tell them apart": 1}},
		",labels=pod":      {Read: 4, Kept: 4},
		",labels=pod|node": {Read: 4, Kept: 4},
	} {
		_, sum, err := read(t, "samples", inputtest.File(t, "x.csv", text)+",time=ts,values=duty"+options)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); d != "" {
			t.Errorf("%q (-want +got):\n%s", options, d)
		}
	}
}

// A name that two columns have does not tell which is meant; where neither is wanted it does not matter.
func TestTwoColumnsOfOneName(t *testing.T) {
	path := inputtest.File(t, "x.csv", "ts,v,v,w\n1767225600,1,2,3\n")
	if _, _, err := read(t, "samples", path+",time=ts"); err == nil || !strings.Contains(err.Error(), `x.csv:1: two columns are called "v": want a name of its own for each`) {
		t.Error(err)
	}
	if got, _, err := read(t, "samples", path+",time=ts,values=w"); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

// A date that no run can be of is told as that.
func TestDatesFarOff(t *testing.T) {
	_, sum, err := read(t, "samples", inputtest.File(t, "x.csv", "ts,v\n2026-01-01T00:00:00Z,1\n2199-01-01T00:00:00Z,1\n2026-01-01T00:00:02Z,1\n1960-01-01T00:00:00Z,1\n")+",time=ts")
	want := input.Summary{Read: 4, Kept: 2, Rejected: map[string]int64{"ts: want none of the future (first on line 3)": 1, "ts: want one after the year 2000 (first on line 5)": 1}}
	if d := cmp.Diff(want, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}
