package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// follow follows a log to which text is added after a second, for two more.
func follow(t *testing.T, text func() string, emit func(*assay.Event) error) (err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, func() {
			if err := os.WriteFile(path, []byte(text()), 0o644); err != nil {
				t.Error(err)
			}
		})
		tail := &Tail{Path: path, Instance: "o", Clock: bubble{time.Now()}}
		err = tail.Run(ctx, func(r assay.Record) error { return emit(r.(*assay.Event)) })
	})
	return err
}

// TestTailGoesOn: a record (here the exit of the first runner) that is not taken costs that record and no more; an error that ends the recording ends the source.
func TestTailGoesOn(t *testing.T) {
	runners := func() (text string) {
		for port := 1; port <= 4; port++ {
			text += fmt.Sprintf("time=%s level=INFO source=server.go:1 msg=\"starting llama server\" cmd=\"x --port %d\"\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), port)
		}
		return text
	}
	for _, tt := range []struct {
		fault error
		want  []string
	}{
		{assay.ErrFull, []string{"created o:1", "created o:2", "exited o:2", "created o:3", "exited o:3", "created o:4"}},
		{errors.New("closed"), []string{"created o:1"}},
	} {
		var got []string
		n := 0
		err := follow(t, runners, func(e *assay.Event) error {
			if n++; n == 2 {
				return tt.fault
			}
			got = append(got, strings.TrimPrefix(e.Kind, "instance.")+" "+e.Instance)
			return nil
		})
		if ended := tt.fault != assay.ErrFull; errors.Is(err, tt.fault) != ended || !ended && err != nil {
			t.Errorf("%v: ended with %v", tt.fault, err)
		}
		inputtest.Compare(t, tt.want, got)
	}
}
