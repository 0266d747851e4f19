package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// firstTable is the table of assay/requests/v1.
func firstTable() *table[assay.Request] {
	row := reflect.TypeFor[requestRow]()
	var fields []reflect.StructField
	for i := range firstRequestColumns {
		fields = append(fields, row.Field(i))
	}
	return newTable(reflect.New(reflect.StructOf(fields)).Elem().Interface(), 0, requestTable.columns[:firstRequestColumns])
}

// TestOldRequests reads parts as they were before requests had users: all else is as it was written.
func TestOldRequests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	rng := newRand(3)
	var want []assay.Request
	for i := range 100 {
		r := testRequest(rng, i)
		if err := w.Emit(&r); err != nil {
			t.Fatal(err)
		}
		r.User = ""
		want = append(want, r)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	requests := filepath.Join(dir, requestsDir)
	path := filepath.Join(requests, "part-00000.parquet")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p, err := createPart(firstTable(), path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if err := p.add(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	size, err := p.close()
	if err != nil {
		t.Fatal(err)
	}
	seal := func(schema string) {
		data, err := json.Marshal(index{Schema: schema, Rows: 100, Parts: []indexPart{{File: filepath.Base(path), Rows: 100, Bytes: size}}})
		if err == nil {
			err = os.WriteFile(filepath.Join(requests, indexName), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seal("assay/requests/v1")
	got := readRequests(t, openRun(t, dir))
	if diff := diff(want, got); diff != "" {
		t.Error(diff)
	}
	seal("assay/requests/v3")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), `its schema is "assay/requests/v3", this version reads "assay/requests/v2"`) {
		t.Errorf("a version to come: %v", err)
	}
}

// TestUsersCost reads and seals requests of as many users as there are requests: no memory for each.
func TestUsersCost(t *testing.T) {
	var text texts
	ids := make([][]byte, 4096)
	for i := range ids {
		ids[i] = []byte(assay.Pseudonym(fmt.Sprint(i)))
	}
	var got []string
	if n := testing.AllocsPerRun(10, func() {
		got = got[:0]
		for _, id := range ids {
			got = append(got, text.of(id))
		}
	}); n > 8 {
		t.Errorf("%g allocations for %d users", n, len(ids))
	}
	for i, id := range ids {
		if got[i] != string(id) {
			t.Fatalf("user %d is %q, want %q", i, got[i], id)
		}
	}
	long := strings.Repeat("u", textPiece)
	if got := text.of([]byte(long)); got != long {
		t.Error("a text longer than a piece")
	}
	r, cuts := limitRequest(&assay.Request{User: long})
	if r.User != assay.Pseudonym(long) || cuts != 1 {
		t.Errorf("a user of %d bytes became %q, %d cuts", len(long), r.User, cuts)
	}
}

// TestNoUsersCost compares files of requests without users with those of the schema that had none.
func TestNoUsersCost(t *testing.T) {
	size := func(table *table[assay.Request], user string) int64 {
		p, err := createPart(table, filepath.Join(t.TempDir(), "part.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		rng := newRand(7)
		for i := range rowGroupRows {
			r := testRequest(rng, i)
			r.User = user
			if err := p.add(&r); err != nil {
				t.Fatal(err)
			}
		}
		n, err := p.close()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	v1 := firstTable()
	without, with := size(v1, ""), size(requestTable, "")
	if with-without > 1<<10 {
		t.Errorf("%d bytes where there was no column, %d with an empty one", without, with)
	}
}
