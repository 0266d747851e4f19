package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/store"
)

// undos returns the undos that were armed in the runs below dir.
func undos(t *testing.T, dir string) (list []chaos.Undo) {
	t.Helper()
	for _, name := range runsIn(t, dir) {
		run, err := store.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		events, err := run.Events()
		run.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind != assay.EventFaultArmed {
				continue
			}
			var u chaos.Undo
			if err := json.Unmarshal([]byte(e.Attrs["undo"]), &u); err != nil {
				t.Fatal(err)
			}
			list = append(list, u)
		}
	}
	return list
}

// groupsLeft lists the control groups of faults that are still there.
func groupsLeft(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, u := range undos(t, dir) {
		if u.Kind != chaos.UndoCgroup {
			continue
		}
		if _, err := os.Lstat(u.Path); err == nil {
			left = append(left, u.Path)
		}
	}
	return left
}
