package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// diskReserve is what stays free on a disk, whatever a step says.
const diskReserve = 64 << 20

// filler is how the file that fills a disk is named, before its mark.
const filler = "assay-fill-"

func checkDisk(s *Step) (w []Wrong) {
	switch st, err := os.Stat(s.Dir); {
	case !filepath.IsAbs(s.Dir):
		w = append(w, Wrong{"dir", fmt.Sprintf("%q is no absolute path of a directory", s.Dir)})
	case err != nil:
		w = append(w, Wrong{"dir", err.Error()})
	case !st.IsDir():
		w = append(w, Wrong{"dir", fmt.Sprintf("%s is no directory", s.Dir)})
	}
	if s.Bytes < 0 {
		w = append(w, Wrong{"bytes", fmt.Sprintf("%d is negative; 0 fills the disk up to its reserve", s.Bytes)})
	}
	if s.Keep < 0 {
		w = append(w, Wrong{"keep", fmt.Sprintf("%d is negative", s.Keep)})
	}
	return w
}

func previewDisk(s *Step) string {
	most := "all"
	if s.Bytes > 0 {
		most = fmt.Sprintf("at most %d bytes", s.Bytes)
	}
	text := fmt.Sprintf("%s of the disk of %s taken by a file of ours, of which %d bytes stay free, for %v", most, s.Dir, max(s.Keep, diskReserve), s.For)
	if s.Bytes == 0 {
		text += "; refused if the run directory lies on the same disk, unless bytes says how much is taken"
	}
	return text
}

// planDisk takes the space of a disk by one file in a directory that the plan names. It is in effect when the file system has
// as much less free.
func planDisk(_ context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	for _, keep := range d.Spare {
		if same, err := sameDisk(s.Dir, keep); err != nil {
			return nil, err
		} else if same && s.Bytes == 0 {
			return nil, fmt.Errorf("%s lies on the same disk as %s, which the run needs; say by bytes how much may be taken", s.Dir, keep)
		}
	}
	before, err := freeBytes(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("look at the disk of %s: %w", s.Dir, err)
	}
	take := before - max(s.Keep, diskReserve)
	if s.Bytes > 0 {
		take = min(take, s.Bytes)
	}
	if take <= 0 {
		return nil, fmt.Errorf("the disk of %s has %d bytes free, of which %d must stay", s.Dir, before, max(s.Keep, diskReserve))
	}
	path := filepath.Join(s.Dir, filler+newMark())
	return &Action{
		Touches: []string{fmt.Sprintf("this machine: %d bytes of the disk of %s, by the file %s", take, s.Dir, path)},
		Undo:    Undo{Kind: UndoRemove, Path: path},
		Apply: func(_ context.Context, stamp func()) error {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("fill the disk: %w", err)
			}
			stamp()
			return errors.Join(allocate(f, take), f.Close())
		},
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 10*time.Millisecond, func() error {
				held, err := heldBytes(path)
				if err != nil {
					return err
				}
				now, err := freeBytes(s.Dir)
				if err != nil {
					return err
				}
				effect = fmt.Sprintf("the file holds %d bytes; %d are free, of %d before", held, now, before)
				if held < take || before-now < take*9/10 { // others use the disk too
					return fmt.Errorf("%s; want %d taken", effect, take)
				}
				return nil
			})
			return effect, err
		},
		Ended: func() string {
			if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
				return "the file was removed by someone else"
			}
			return ""
		},
	}, nil
}

// isFiller reports whether a path is of a file that fills a disk: nothing else is ever removed.
func isFiller(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && isMark(cutPrefix(filepath.Base(path), filler))
}
