package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// smallLog returns a log of requests and where its frames end.
func smallLog(t testing.TB, frames, perFrame int) (log []byte, ends []int) {
	t.Helper()
	log = []byte(requestCodec.magic)
	rng, b := newRand(3), newBatch()
	for f := range frames {
		for i := range perFrame {
			r := testRequest(rng, f*perFrame+i)
			encodeRequest(b, &r)
		}
		log = append(log, finishFrame(b)...)
		ends = append(ends, len(log))
		b.reset()
	}
	return log, ends
}

// TestTornTail cuts a run's log at every byte: what was whole before the cut is read, and the rest is a warning with file and offset.
func TestTornTail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const frames, perFrame = 4, 2
	log, ends := smallLog(t, frames, perFrame)
	var want []assay.Request
	rng := newRand(3)
	for i := range frames * perFrame {
		want = append(want, testRequest(rng, i))
	}
	path := filepath.Join(dir, requestsDir, logName)
	for size := 0; size <= len(log); size++ {
		if err := os.WriteFile(path, log[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		whole, boundary := 0, logMagic
		for _, e := range ends {
			if e <= size {
				whole, boundary = whole+perFrame, e
			}
		}
		if size < logMagic {
			boundary = 0
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatalf("cut at %d: %v", size, err)
		}
		if got := r.Counts().Requests; got != int64(whole) {
			t.Fatalf("cut at %d: %d requests, want %d", size, got, whole)
		}
		// Reading all of it takes a while: in the fast tier not at every cut.
		if size-boundary < 2 || size%37 == 0 || os.Getenv("ASSAY_FULL") != "" {
			if diff := diff(append([]assay.Request(nil), want[:whole]...), readRequests(t, r)); diff != "" {
				t.Fatalf("cut at %d (-want +got):\n%s", size, diff)
			}
		}
		var torn []string
		for _, w := range r.Warnings() {
			if strings.HasPrefix(w, path) {
				torn = append(torn, w)
			}
		}
		switch {
		case size == boundary && size > 0:
			if len(torn) != 0 {
				t.Fatalf("cut at %d: warnings %q", size, torn)
			}
		case len(torn) != 1 || !strings.Contains(torn[0], fmt.Sprintf("at byte %d;", boundary)) ||
			!strings.Contains(torn[0], fmt.Sprintf("the %d bytes", size-boundary)):
			t.Fatalf("cut at %d: warnings %q", size, torn)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamage turns each byte of a log over: what is before the damaged frame is read, and nothing wrong.
func TestDamage(t *testing.T) {
	log, ends := smallLog(t, 3, 2)
	path := filepath.Join(t.TempDir(), "log")
	for at := range log {
		bad := bytes.Clone(log)
		bad[at] ^= 0x41
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, e := range ends {
			if e <= at {
				want += 2
			}
		}
		n := 0
		cut, err := scanLog(path, requestCodec.magic, func(f frame, _ []byte) error { n += f.n; return nil })
		if err != nil || cut == nil || n != want {
			t.Fatalf("byte %d turned: %d records, torn %v, error %v; want %d records", at, n, cut, err, want)
		}
	}
}

// TestSpill sorts with hardly any memory and gets the same as with enough.
func TestSpill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, logName)
	log, _ := smallLog(t, 50, 40)
	if err := os.WriteFile(path, log, 0o644); err != nil {
		t.Fatal(err)
	}
	sorted := func(budget int) (got []assay.Request) {
		if _, err := sortLog(context.Background(), requestCodec, path, dir, budget, func(r *assay.Request) error {
			got = append(got, clone(*r))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := sorted(1 << 30)
	for _, budget := range []int{1, 100_000} {
		if diff := diff(want, sorted(budget)); diff != "" {
			t.Errorf("budget %d (-want +got):\n%s", budget, diff)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "sort-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sortLog(ctx, requestCodec, path, dir, 1, func(*assay.Request) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// FuzzDecode feeds payloads to the decoders: they refuse what is malformed, and what they accept means the same when encoded again.
func FuzzDecode(f *testing.F) {
	rng := newRand(9)
	rb, sb := newBatch(), newBatch()
	for i := range 12 {
		r := testRequest(rng, i)
		encodeRequest(rb, &r)
		for _, s := range testSpans(rng, i) {
			encodeSpan(sb, &s)
		}
	}
	f.Add(rb.buf[frameHeader:], rb.n)
	f.Add(sb.buf[frameHeader:], sb.n)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, payload []byte, n int) {
		if n < 0 {
			return
		}
		fuzzCodec(t, requestCodec, payload, n)
		fuzzCodec(t, spanCodec, payload, n)
	})
}

func fuzzCodec[T any](t *testing.T, c *codec[T], payload []byte, n int) {
	var d decoder
	var got, again block[T]
	if err := c.decodeFrame(&d, payload, n, &got); err != nil {
		return
	}
	b := newBatch()
	for i := range got.rows {
		c.encode(b, &got.rows[i])
	}
	if err := c.decodeFrame(&d, b.buf[frameHeader:], b.n, &again); err != nil {
		t.Fatalf("%s: what was decoded does not decode again: %v", c.kind, err)
	}
	if diff := diff(got.rows, again.rows); diff != "" {
		t.Fatalf("%s (-first +second):\n%s", c.kind, diff)
	}
}

// FuzzScanLog feeds files to the reader of logs.
func FuzzScanLog(f *testing.F) {
	log, _ := smallLog(f, 2, 2)
	f.Add(log)
	f.Add(log[:len(log)-3])
	f.Add([]byte(requestCodec.magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		read := int64(logMagic)
		cut, err := scanLog(path, requestCodec.magic, func(f frame, p []byte) error {
			if f.at != read+frameHeader || f.size != len(p) {
				t.Fatalf("frame %+v of %d bytes after byte %d", f, len(p), read)
			}
			read = f.at + int64(f.size)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if cut == nil && read != int64(len(data)) {
			t.Fatalf("read %d of %d bytes without a word", read, len(data))
		}
	})
}
