package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeAtomic puts data at path so that a reader, or a crash, finds the old content or the new and nothing between.
func writeAtomic(path string, data []byte) (err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// makeRunDir makes dir and its missing parents and returns what takes them away again. It refuses a dir
// that holds anything.
func makeRunDir(dir string) (undo func(), err error) {
	var made []string // innermost first
	for p := filepath.Clean(dir); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil {
			break
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		made = append(made, p)
	}
	if len(made) == 0 {
		d, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		names, err := d.Readdirnames(1)
		if err = errors.Join(ignoreEOF(err), d.Close()); err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return nil, fmt.Errorf("%w: it holds %s", ErrNotEmpty, names[0])
		}
	}
	undo = func() {
		// The directory was empty or not there: all that is in it now is ours.
		if entries, err := os.ReadDir(dir); err == nil {
			for _, e := range entries {
				_ = os.RemoveAll(filepath.Join(dir, e.Name()))
			}
		}
		for _, p := range made {
			_ = os.Remove(p)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}

// The reserve is disk space held from the start, so that the last events and the manifest find room on a full disk.
const (
	reserveName = ".reserve"
	reserveSize = 4 << 20
)

func writeReserve(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, reserveName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, zeros{}, reserveSize)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// copyFile copies the file src to dst.
func copyFile(dst, src string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// copyTree copies the files below src to dst, which it makes. A src that is not there is an empty one.
func copyTree(dst, src string) error {
	entries, err := os.ReadDir(src)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(src, e.Name()), filepath.Join(dst, e.Name())
		switch {
		case e.IsDir():
			err = copyTree(to, from)
		case e.Type().IsRegular():
			err = copyFile(to, from)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
