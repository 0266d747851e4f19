package gpu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const standIn = "GPU-5f1e0000-1111-2222-3333-444455556666"

// fake puts the stand-in of nvidia-smi on PATH and returns the directory of its state.
func fake(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	bin, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("ASSAY_FAKE_GPU", dir)
	return dir
}

func TestStandIn(t *testing.T) {
	dir := fake(t)
	ctx := t.Context()
	want := GPU{Index: 0, UUID: standIn, Name: "Stand-in 300", Bus: "00000000:3B:00.0", Power: 300, PowerMin: 100, PowerMax: 350, Clock: 1980, ClockMax: 1980, Used: 12 << 20, Total: 24576 << 20}
	look := func() {
		t.Helper()
		if got, err := Of(ctx, standIn); err != nil || !cmp.Equal(want, got) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	look()
	if err := Power(ctx, standIn, 150); err != nil {
		t.Error(err)
	}
	if err := Lock(ctx, standIn, 600); err != nil {
		t.Error(err)
	}
	want.Power, want.Clock = 150, 600
	look()
	if err := errors.Join(Lock(ctx, standIn, 0), Power(ctx, standIn, 300)); err != nil {
		t.Error(err)
	}
	want.Power, want.Clock = 300, 1980
	look()
	if g, err := At(ctx, 0); err != nil || g.UUID != standIn {
		t.Errorf("GPU 0: %+v, %v", g, err)
	}
	for what, err := range map[string]error{
		"there is no GPU 3; nvidia-smi lists 1": second(At(ctx, 3)), "there is no GPU GPU-00 any more": second(Of(ctx, "GPU-00")),
		`"; rm" is no UUID of a GPU`: Power(ctx, "; rm", 1), "exit status 6: No devices were found": Lock(ctx, "GPU-00", 0),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "refuse"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Power(ctx, standIn, 150); err == nil || !strings.Contains(err.Error(), "Insufficient Permissions") {
		t.Errorf("refused: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestWithoutDriver(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := List(t.Context()); err == nil || err.Error() != "nvidia-smi, which comes with the driver of NVIDIA GPUs, is not on PATH" {
		t.Errorf("%v", err)
	}
	if _, err := Find("/nowhere/assay"); err == nil || !strings.Contains(err.Error(), "assay-gpu is neither beside assay nor on PATH") {
		t.Errorf("%v", err)
	}
}

func TestParse(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		out  string
		want []GPU
		err  string
	}{
		{"", nil, ""},
		{"1, GPU-ab, \"A, B\", 00000000:81:00.0, [N/A], [Not Supported], , 300 W, 5, 1, 2\n",
			[]GPU{{Index: 1, UUID: "GPU-ab", Name: "A, B", Bus: "00000000:81:00.0", Power: nan, PowerMin: nan, PowerMax: nan, Clock: nan, ClockMax: 5, Used: 1 << 20, Total: 2 << 20}}, ""},
		{"0, GPU-ab\n", nil, "2 columns, want 11"},
		{"x, GPU-ab, n, b, 1, 1, 1, 1, 1, 1, 1\n", nil, `index "x" is no number`},
		{"0, MIG-ab, n, b, 1, 1, 1, 1, 1, 1, 1\n", nil, `"MIG-ab" is no UUID`},
	} {
		got, err := parse(tc.out)
		if diff := cmp.Diff(tc.want, got, cmpopts.EquateNaNs()); diff != "" || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: %v (-want +got):\n%s", tc.out, err, diff)
		}
	}
	held, err := parseApps("GPU-ab, 7, 100\nGPU-ab, 7, 28\nGPU-cd, 8, 5\nGPU-ab, 9, [N/A]\nNo running processes found\n", "GPU-ab")
	if want := map[int]int64{7: 128 << 20}; err != nil || !cmp.Equal(want, held) {
		t.Errorf("got %v, %v; want %v", held, err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0, GPU-ab, n, b, 1, 1, 1, 1, 1, 1, 1\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, out string) {
		list, err := parse(out)
		for _, g := range list {
			if err == nil && (!IsUUID(g.UUID) || g.Used < -1 || math.IsInf(g.Power, 0)) {
				t.Errorf("%q gave %+v", out, g)
			}
		}
		if held, err := parseApps(out, "GPU-ab"); err == nil {
			for pid, n := range held {
				if n < 0 {
					t.Errorf("%q: %d holds %d", out, pid, n)
				}
			}
		}
	})
}

// card is a device of so many bytes.
type card struct{ free, total int64 }

func (c *card) Take(n int64) error { c.free -= n; return nil }

func (c *card) Memory() (int64, int64, error) { return c.free, c.total, nil }

func TestHold(t *testing.T) {
	settings := func(h Hold) []string {
		b, _ := json.Marshal(h)
		return []string{"mark", string(b)}
	}
	open := func() (Device, error) { return &card{900, 1000}, nil }
	for _, tc := range []struct {
		args []string
		open func() (Device, error)
		want string
		err  string
	}{
		{settings(Hold{time.Minute, 400}), open, `{"bytes":400,"free_before":900,"free_after":500,"total":1000}`, ""},
		{settings(Hold{time.Minute, 901}), open, `{"bytes":0,"free_before":0,"free_after":0,"total":0,"error":"the GPU has 900 bytes free, want 901"}`, "want 901"},
		{settings(Hold{time.Minute, 4}), func() (Device, error) { return nil, errors.New("no driver") }, `{"bytes":0,"free_before":0,"free_after":0,"total":0,"error":"no driver"}`, "no driver"},
		{settings(Hold{0, 4}), open, "", "want a mark and settings"},
		{[]string{"mark"}, open, "", "want a mark and settings"},
	} {
		var out bytes.Buffer
		// Its stdin has ended already, as that of a holder whose injector has died.
		err := HoldMain(t.Context(), strings.NewReader(""), &out, tc.args, tc.open)
		if got := strings.TrimSpace(out.String()); got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: %s, %v; want %s, %q", tc.args, got, err, tc.want, tc.err)
		}
	}
	// While stdin is open it holds.
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- HoldMain(context.Background(), r, io.Discard, settings(Hold{time.Minute, 4}), open) }()
	select {
	case err := <-done:
		t.Errorf("it ended by itself: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	want := filepath.Join(dir, Command)
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(filepath.Join(dir, "assay")); err != nil || got != want {
		t.Errorf("beside: %s, %v", got, err)
	}
	t.Setenv("PATH", dir)
	if got, err := Find("/nowhere/assay"); err != nil || got != want {
		t.Errorf("on PATH: %s, %v", got, err)
	}
}
