package assay

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/assay-dev/assay"

var parts = []string{"collectors", "loadgen", "chaos", "analyzers", "dashboards"}

// part returns the top directory that a package of ours lies in; "" for the root package.
func part(importPath string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	top, _, _ := strings.Cut(rest, "/")
	return top
}

// TestImportDirection holds the one-way flow: cmd → parts → root → standard library, and
// internal packages below the parts.
func TestImportDirection(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "runs") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && file != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := part(path.Join(module, filepath.ToSlash(filepath.Dir(file))))
		for _, imp := range f.Imports {
			to, _ := strconv.Unquote(imp.Path.Value)
			check(t, file, from, to)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("only %d Go files seen: the walk is broken", seen)
	}
}

func check(t *testing.T, file, from, to string) {
	ours := to == module || strings.HasPrefix(to, module+"/")
	isPart := func(p string) bool { return strings.Contains(" "+strings.Join(parts, " ")+" ", " "+p+" ") }
	test := strings.HasSuffix(file, "_test.go")
	switch {
	case from == "" && !test && strings.Contains(strings.SplitN(to, "/", 2)[0], "."):
		t.Errorf("%s imports %s: the vocabulary imports only the standard library", file, to)
	case strings.HasPrefix(to, "go.k6.io/"):
		t.Errorf("%s imports %s: k6 stays in its own module", file, to)
	case !ours:
	case part(to) == "cmd" && from != "cmd":
		t.Errorf("%s imports %s: nothing imports a command", file, to)
	case from == "internal" && isPart(part(to)):
		t.Errorf("%s imports %s: internal packages lie below the parts", file, to)
	case isPart(from) && isPart(part(to)) && from != part(to):
		t.Errorf("%s imports %s: the parts never import one another; cmd joins them", file, to)
	}
}
