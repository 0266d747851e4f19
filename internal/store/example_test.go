package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// A run is written by one process and read, as often as wanted, by others.
func Example() {
	tmp, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "20260102-demo")

	w, err := store.Create(dir, &assay.Manifest{ID: "1f", Name: "demo", Epoch: time.Now().UnixNano()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range int64(3) {
		r := assay.Request{ID: uint64(i + 1), Phase: "steady", Outcome: assay.OK, Due: (3 - i) * 1e9, End: (3-i)*1e9 + 5e8}
		if err := w.Emit(&r); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		fmt.Println(err)
	}

	run, err := store.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer run.Close()
	fmt.Println(run.Manifest().Name, run.Manifest().End.Status)
	err = run.Requests(context.Background(), func(block []assay.Request) error {
		for _, r := range block {
			fmt.Println(r.ID, time.Duration(r.Due), time.Duration(r.End-r.Due), r.Outcome)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// demo complete
	// 3 1s 500ms ok
	// 2 2s 500ms ok
	// 1 3s 500ms ok
}
