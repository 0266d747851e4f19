package logs

import (
	"context"
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

// bubble is a clock of run time that began with the bubble.
type bubble struct{ epoch time.Time }

func (b bubble) Now() int64              { return int64(time.Since(b.epoch)) }
func (b bubble) FromUnix(ns int64) int64 { return max(1, ns-b.epoch.UnixNano()) }

func TestTailFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ollama.log")
	add := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		clock := bubble{time.Now()}
		stamp := func() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
		line := func(says string) string { return "time=" + stamp() + " level=INFO source=server.go:1 " + says + "\n" }
		runner := func(port int) string { return line(fmt.Sprintf(`msg="starting llama server" cmd="x --port %d"`, port)) }
		ready := `msg="llama runner started in 0.25 seconds"`
		add(runner(1)) // before the run
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		tail := &Tail{Path: path, Instance: "o", Clock: clock}
		go func() {
			done <- tail.Run(ctx, func(r assay.Record) error {
				e := r.(*assay.Event)
				got = append(got, fmt.Sprintf("%v %s %s%s", time.Duration(e.Time), strings.TrimPrefix(e.Kind, "instance."), e.Instance, e.Text))
				return nil
			})
		}()
		wait := func() { time.Sleep(time.Second); synctest.Wait() }
		wait()
		add(runner(2) + line(ready)[:30]) // the end of the line comes later
		wait()
		add(line(ready)[30:])
		wait()
		if err := os.Rename(path, path+".1"); err != nil { // rotated
			t.Fatal(err)
		}
		wait()
		add(runner(3))
		wait()
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		wait()
		add(runner(4))
		add(strings.Repeat("x", 1<<20+5) + "\n")
		wait()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		inputtest.Compare(t, []string{"1s created o:2", "1s phase o:2", "1s ready o:2", "4s exited o:2unloaded", "4s created o:3", "6s exited o:3unloaded", "6s created o:4",
			"6.25s run.warning following a log: " + path + ": a line of more than 1024 KiB is passed over"}, got)
	})
}

func TestTailTellsWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		n := 0
		tail := &Tail{Path: filepath.Join(t.TempDir(), "none.log"), Clock: bubble{time.Now()}}
		if err := tail.Run(ctx, func(r assay.Record) error {
			n++
			if e := r.(*assay.Event); e.Kind != assay.EventWarning || !strings.Contains(e.Text, "following a log: stat") {
				t.Errorf("event %+v", e)
			}
			return nil
		}); err != nil || n != 1 {
			t.Errorf("%d events, error %v", n, err)
		}
	})
}

func TestKnown(t *testing.T) {
	lines, known, err := Known("testdata/ollama-serve.log")
	if err != nil || lines != 69 || known != 22 {
		t.Errorf("%d lines, %d known, %v", lines, known, err)
	}
}
