package input

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pack makes a packed archive of files, two to a pair of name and text.
func pack(t *testing.T, files ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all.tgz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{w, z, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestArchive(t *testing.T) {
	path := pack(t, "a/one.txt", fmt.Sprintf("%d\n", base), "a/two.csv", fmt.Sprintf("%d\n%d\n", base, base+1), "a/.hidden", "x\n")
	temp := t.TempDir()
	for member, want := range map[string][]string{"": {path + ":a/one.txt 1", path + ":a/two.csv 2"}, "*.csv": {path + ":a/two.csv 2"}, "a/*.txt": {path + ":a/one.txt 1"}} {
		s, err := Open(t.Context(), []Spec{{Kind: seconds, Path: path, Options: map[string]string{"member": member}}}, Settings{Temp: temp})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, sum := range s.Summaries {
			got = append(got, fmt.Sprint(sum.Path, " ", sum.Kept))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("member %q (-want +got):\n%s", member, diff)
		}
		s.Close()
	}
	bomb := pack(t, "big.txt", strings.Repeat("0", 70<<20))
	for name, tt := range map[string]struct{ path, member, want string }{
		"no member": {path, "*.log", "holds no file that fits member=*.log"},
		"a pattern": {path, "[", `member "[": want a pattern such as *.csv`},
		"no tar":    {func() string { p := file(t, "x"); os.Rename(p, p+".tar"); return p + ".tar" }(), "", "unpack "},
		"a bomb":    {bomb, "", "unpacks to more than 1000 times its size"},
		"a bad row": {pack(t, "bad.txt", "x\n"), "", "all.tgz:bad.txt: nothing to keep of 1 lines"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), []Spec{{Kind: seconds, Path: tt.path, Options: map[string]string{"member": tt.member}}}, Settings{Temp: temp})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A packed file unpacks to no more than it can hold in earnest, and its reading ends when it is told to, though nothing in it is a record.
func TestPackedFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	for range 70 {
		if _, err := z.Write([]byte(strings.Repeat("\n", 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), []Spec{{Kind: seconds, Path: path}}, Settings{}); err == nil || !strings.Contains(err.Error(), "unpacks to more than 1000 times its size") {
		t.Errorf("error %v, want one of the size", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, []Spec{{Kind: seconds, Path: file(t, strings.Repeat("\n", 1<<20))}}, Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was stopped", err)
	}
}
