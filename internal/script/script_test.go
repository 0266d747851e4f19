package script

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestFiles(t *testing.T) {
	files := fstest.MapFS{
		"s/main.js":  {Data: []byte("import http from 'k6/http';\nimport { a } from \"./lib/a.js\";\nimport 'https://host/x.js';\nconst b = open('data.json'), c = open(__ENV.X);\nconst d = require('./gone.js');")},
		"s/lib/a.js": {Data: []byte("import { m } from '../main.js'; export * from './b.mjs'")}, "s/lib/b.mjs": {Data: []byte("b")},
		"s/data.json": {Data: []byte("import 'c.js'")}, "s/c.js": {Data: []byte("c")},
	}
	read := func(path string) ([]byte, error) { return fs.ReadFile(files, path) }
	list, err := Files(read, "s/main.js")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		if string(f.Data) != string(files[f.Path].Data) {
			t.Errorf("%s has other data", f.Path)
		}
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{"s/main.js", "s/lib/a.js", "s/data.json", "s/lib/b.mjs"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Files(read, "s/none.js"); err == nil {
		t.Error("a script that is not there has files")
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("import './a.js'"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(string) ([]byte, error) { return data, nil } // every file names the same again
		if list, err := Files(read, "s.js"); err != nil || len(list) == 0 || len(list) > most {
			t.Errorf("%d files, %v", len(list), err)
		}
	})
}
