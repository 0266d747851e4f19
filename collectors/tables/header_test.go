package tables

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// Tables whose columns are named by several rows: what the rows say goes into names and labels.
func TestHeaderOfSeveralRows(t *testing.T) {
	two := inputtest.File(t, "two.csv", "time,pod,cpu,,mem\n,,avg,max,avg\n1767225600,a,0.5,1,7\n1767225601,b,,2,\n")
	for name, tt := range map[string]struct {
		spec string
		want []string
		sum  input.Summary
	}{
		"excerpt of petshop": {
			"testdata/petshop.csv,time=unix_timestamp,values=latency_p99|requests_Sum:asked,shift=85370280s", // to the instant from
			[]string{
				"latency_p99{microservice=Evidently_AWS::Evidently} 0.2858641045569433 @0", "latency_p99{microservice=PetSearch_AWS::ECS::Fargate} 0.0334385388808843 @0",
				"latency_p99{microservice=PetSite} 0.6254750829773127 @0", "asked{microservice=PetSite} 477 @0",
				"latency_p99{microservice=Evidently_AWS::Evidently} 0.2950722633261731 @300000", "latency_p99{microservice=PetSearch_AWS::ECS::Fargate} 0.0383303084307027 @300000",
				"latency_p99{microservice=PetSite} 0.6502974133006583 @300000", "asked{microservice=PetSite} 503 @300000",
			}, input.Summary{Read: 8, Kept: 8},
		},
		"cells that were merged": {
			two + ",time=time,header=2,labels=pod", []string{"cpu_avg{pod=a} 0.5 @0", "cpu_max{pod=a} 1 @0", "mem_avg{pod=a} 7 @0", "cpu_max{pod=b} 2 @1000"},
			input.Summary{Read: 6, Kept: 4, Rejected: map[string]int64{"empty cells": 2}},
		},
		"rows for labels": {
			two + ",time=time,header=2,labels=pod|row2,values=cpu", []string{"cpu{pod=a,row2=avg} 0.5 @0", "cpu{pod=a,row2=max} 1 @0", "cpu{pod=b,row2=max} 2 @1000"},
			input.Summary{Read: 4, Kept: 3, Rejected: map[string]int64{"empty cells": 1}},
		},
		"rows for the name": {
			inputtest.File(t, "x.csv", "node,n1,n1,n2\nkind,cpu,mem,cpu\nts,,,\n1767225600,1,2,3\n") + ",time=ts,name=kind,prefix=host_", []string{"host_cpu{node=n1} 1 @0", "host_mem{node=n1} 2 @0", "host_cpu{node=n2} 3 @0"},
			input.Summary{Read: 3, Kept: 3},
		},
		"a column that begins late": {
			inputtest.File(t, "x.csv", "ts,a,b\n1767225600,1,\n1767225601,2,3\n") + ",time=ts", []string{"a{} 1 @0", "a{} 2 @1000", "b{} 3 @1000"},
			input.Summary{Read: 4, Kept: 3, Rejected: map[string]int64{"empty cells": 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, sum, err := read(t, "samples", tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("samples (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.sum, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); d != "" {
				t.Errorf("counts (-want +got):\n%s", d)
			}
		})
	}
}

func TestHeaderRefused(t *testing.T) {
	petshop := "testdata/petshop.csv"
	for spec, want := range map[string]string{
		petshop + ",time=stamp":                                                       `no column "stamp" for time: there are microservice, Evidently_AWS::Evidently, PetSearch_AWS::ECS::Fargate, PetSite; header=N says`,
		petshop + ",time=unix_timestamp,header=3":                                     `no column "unix_timestamp" for time in the 3 rows of the header`,
		petshop + ",time=unix_timestamp,header=20":                                    `header "20": want how many rows name the columns, 1 to 16`,
		petshop + ",time=unix_timestamp,header=9":                                     "header=9: there are 6 rows",
		petshop + ",time=unix_timestamp,name=metrics":                                 `no row of the header is called "metrics": there are microservice, metric, statistic`,
		petshop + ",time=unix_timestamp,values=latency":                               `no column is called "latency": there are availability_Average, latency_Average, latency_p99, requests_Sum`,
		petshop + ",time=unix_timestamp,name=metric,value=metric":                     "a long table has a header of one row",
		petshop + ",time=unix_timestamp,labels=metric|statistic|microservice":         "all rows of the header, microservice, metric, statistic, are labels",
		inputtest.File(t, "x.jsonl", `{"ts":1767225600,"v":1}`) + ",time=ts,header=2": "header=2 is for CSV",
	} {
		if _, _, err := read(t, "samples", spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", spec, err, want)
		}
	}
}

// Every table of the dataset that petshop.csv is cut from is read, cell by cell.
func TestPetshop(t *testing.T) {
	paths, _ := filepath.Glob("../../../shared/data/petshop/dataset/*/train/issue_0/metrics.csv")
	if len(paths) == 0 {
		t.Skip("the dataset is not here")
	}
	for _, path := range paths {
		got, sum, err := read(t, "samples", path+",time=unix_timestamp")
		if err != nil {
			t.Error(err)
			continue
		}
		if len(sum.Rejected) != 1 || sum.Rejected["empty cells"] == 0 || sum.Kept < 1000 || int64(len(got)) != sum.Kept || sum.Read != sum.Kept+sum.Rejected["empty cells"] {
			t.Errorf("%s: %d samples of %+v", path, len(got), sum)
		}
	}
}
