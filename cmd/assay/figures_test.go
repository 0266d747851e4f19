package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/assay-dev/assay/internal/figure"
)

// figuresSeen are the results that were checked, by path and instant of writing.
var figuresSeen sync.Map

// figuresStand holds every figure that a command put out as JSON, and all in the results that it left below dir, to what is asked of one: n and an interval, or a reason.
func figuresStand(t *testing.T, dir, out string) {
	t.Helper()
	if strings.HasPrefix(out, "{") && json.Valid([]byte(out)) {
		figuresAlone(t, "standard output", []byte(out))
	}
	for _, pattern := range []string{"result.json", "*/result.json", "*/*/result.json"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				continue // gone since
			}
			if _, seen := figuresSeen.LoadOrStore(path+info.ModTime().String(), true); seen {
				continue
			}
			if raw, err := os.ReadFile(path); err == nil && json.Valid(raw) { // a test may have spoiled it
				figuresAlone(t, path, raw)
			}
		}
	}
}

// figuresAlone tells of the figures in raw that stand alone.
func figuresAlone(t *testing.T, where string, raw []byte) {
	t.Helper()
	alone, err := figure.JSON(raw)
	if err != nil {
		t.Errorf("%s: %v", where, err)
	}
	for _, s := range alone {
		t.Errorf("%s: %s", where, s)
	}
}
