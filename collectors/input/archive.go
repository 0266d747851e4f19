package input

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of an archive.
const (
	maxUnpacked = 16 << 30 // bytes of all members of one
	maxPacked   = 1000     // times its own size that an archive or a packed file may unpack to
	minUnpacked = 64 << 20 // bytes that a small one may unpack to in any case
)

// isArchive reports whether a path is that of a tar archive.
func isArchive(path string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

// addArchive unpacks the members of a tar archive that the pattern of option member picks and takes each up.
func (s *Set) addArchive(o *one) error {
	f, err := os.Open(o.path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	var in io.Reader = f
	if !strings.HasSuffix(o.path, ".tar") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", o.path, err)
		}
		in = z
	}
	pattern := o.spec.Options["member"]
	if _, err := filepath.Match(pattern, ""); err != nil {
		return fmt.Errorf("%s: member %q: want a pattern such as *.csv", o.path, pattern)
	}
	left := min(maxUnpacked, max(minUnpacked, st.Size()*maxPacked))
	t := tar.NewReader(in)
	n := 0
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", o.path, err)
		}
		base := filepath.Base(h.Name)
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(base, ".") {
			continue
		}
		if pattern != "" {
			whole, _ := filepath.Match(pattern, h.Name)
			if last, _ := filepath.Match(pattern, base); !whole && !last {
				continue
			}
		}
		if n++; n > maxFiles {
			return fmt.Errorf("%s holds more than %d files: want it in parts, each in an import of its own, or fewer by member=", o.path, maxFiles)
		}
		m := *o
		m.shown = o.path + ":" + h.Name
		if m.path, err = s.spool(io.LimitReader(t, left+1), ".gz", h.Name); err != nil {
			return fmt.Errorf("unpack %s: %w", m.shown, err)
		}
		if left -= h.Size; left < 0 {
			return fmt.Errorf("%s unpacks to more than %d times its size", o.path, maxPacked)
		}
		s.inputs = append(s.inputs, &m)
	}
	if n == 0 {
		return fmt.Errorf("%s holds no file%s", o.path, map[bool]string{true: " that fits member=" + pattern}[pattern != ""])
	}
	return nil
}

// spool writes in to a file that Close removes. It keeps the ending that says how a file is packed.
func (s *Set) spool(in io.Reader, ending, name string) (string, error) {
	pattern := "input-*"
	if strings.HasSuffix(name, ending) {
		pattern += ending
	}
	f, err := os.CreateTemp(s.settings.Temp, pattern)
	if err != nil {
		return "", err
	}
	s.temp = append(s.temp, f.Name())
	_, err = io.Copy(f, in)
	return f.Name(), errors.Join(err, f.Close())
}
