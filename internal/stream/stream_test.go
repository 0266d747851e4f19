package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// full sets every field of v to something that is not zero.
func full(v reflect.Value, n int64) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int32, reflect.Int64:
			f.SetInt(n + int64(i))
		case reflect.Uint64:
			f.SetUint(uint64(n) + uint64(i))
		case reflect.Uint8:
			f.SetUint(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Slice:
			s := reflect.MakeSlice(f.Type(), 2, 2)
			s.Index(0).SetInt(n + 1)
			s.Index(1).SetInt(n + 2)
			f.Set(s)
		case reflect.Array:
			f.Index(3).SetUint(7)
		}
	}
}

// TestRequest holds that no field of a request is lost on the way.
func TestRequest(t *testing.T) {
	var want assay.Request
	full(reflect.ValueOf(&want).Elem(), 1000)
	raw, err := json.Marshal(Line{Request: Of(&want, 5_000_000)})
	if err != nil {
		t.Fatal(err)
	}
	var l Line
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatal(err)
	}
	got, err := l.Request.Record(-5_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	none, err := Of(&assay.Request{Due: 1}, 10).Record(0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&assay.Request{Due: 11}, none); diff != "" {
		t.Errorf("what was not seen: (-want +got):\n%s", diff)
	}
}

// sent writes lines as a sender does.
func sent(t *testing.T, lines ...Line) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

// TestClocks has a sender whose wall clock is an hour off, as after a step: what the machine's clock tells counts.
func TestClocks(t *testing.T) {
	ours := clock.New()
	time.Sleep(2 * time.Millisecond) // so that the epochs differ
	theirs := clock.New()
	at, ok := theirs.Monotonic()
	if !ok {
		t.Skip("no clock that processes share")
	}
	between := int64(ours.At(theirs.Time(0)))
	for name, tt := range map[string]struct {
		monotonic, step int64
		ahead, within   int64 // of the sender's epoch
		err             int64
	}{
		"same wall":    {at, 0, between, 2000, monoError},
		"stepped wall": {at, int64(time.Hour), between, 2000, monoError},
		"wall only":    {0, 0, between, 50_000, wallError},
	} {
		t.Run(name, func(t *testing.T) {
			epoch := theirs.Epoch() + tt.step
			r := assay.Request{ID: 1, Due: 7_000_000, End: 9_000_000, Arrivals: []int64{8_000_000}}
			e := assay.Event{Time: epoch + 6_000_000, Kind: assay.EventAnnotation}
			in := sent(t, Line{Manifest: &assay.Manifest{Epoch: epoch}, Monotonic: tt.monotonic}, Line{Request: Of(&r, epoch)}, Line{Event: &e},
				Line{Manifest: &assay.Manifest{Epoch: epoch, MaxWait: 5}}, Line{End: &assay.Ending{Status: assay.EndComplete, At: epoch + 10_000_000}})
			var offset assay.Offset
			var got []int64
			v := &Receiver{Clock: ours, Begin: func(_ *assay.Manifest, o assay.Offset) { offset = o }, Emit: func(rec assay.Record) error {
				switch rec := rec.(type) {
				case *assay.Request:
					got = append(got, rec.Due, rec.Arrivals[0], rec.End)
				case *assay.Event:
					got = append(got, rec.Time)
				}
				return nil
			}}
			m, err := v.Receive(in)
			if err != nil || m.MaxWait != 5 || m.End.Status != assay.EndComplete {
				t.Fatalf("manifest %+v, %v", m, err)
			}
			got = append(got, m.End.At)
			for i, want := range []int64{7_000_000, 8_000_000, 9_000_000, 6_000_000, 10_000_000} {
				if d := got[i] - (want + tt.ahead); d < -tt.within || d > tt.within {
					t.Errorf("instant %d is off by %d ns, want at most %d", i, d, tt.within)
				}
			}
			if d := -offset.Offset - tt.ahead; d < -tt.within || d > tt.within || offset.Error != tt.err {
				t.Errorf("offset %+v, want -%d", offset, tt.ahead)
			}
		})
	}
}

// TestReceiveRefuses has streams that are not what they should be.
func TestReceiveRefuses(t *testing.T) {
	manifest := Line{Manifest: &assay.Manifest{Epoch: 5}}
	for name, tt := range map[string]struct{ in, want string }{
		"empty":       {"", ErrCut.Error()},
		"cut":         {sent(t, manifest, Line{Request: &Request{Due: 7}}).String(), ErrCut.Error()},
		"torn":        {sent(t, manifest).String() + `{"request":{"id"`, "read line 2 of the stream: unexpected end of JSON input"},
		"no manifest": {sent(t, Line{Request: &Request{Due: 7}}).String(), "read line 1 of the stream: want the manifest first"},
		"end first":   {sent(t, Line{End: &assay.Ending{}}).String(), "read line 1 of the stream: want the manifest first"},
		"bad id":      {sent(t, manifest, Line{Request: &Request{TraceID: "xy"}}).String(), `read line 2 of the stream: trace_id "xy": want 32 hex digits`},
	} {
		v := &Receiver{Clock: clock.New(), Emit: func(assay.Record) error { return nil }}
		if _, err := v.Receive(strings.NewReader(tt.in)); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	v := &Receiver{Clock: clock.New(), Emit: func(assay.Record) error { return errors.New("full") }}
	if _, err := v.Receive(sent(t, manifest, Line{Request: &Request{Due: 7}}, Line{End: &assay.Ending{}})); err != nil || v.Refused() != 1 {
		t.Errorf("%v, %d refused, want 1", err, v.Refused())
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"manifest":{"epoch_unix_ns":5},"monotonic_ns":3}` + "\n" + `{"request":{"due_unix_ns":7,"outcome":"ok","cold":"warm"}}` + "\n" + `{"end":{"status":"complete"}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		v := &Receiver{Clock: clock.New(), Emit: func(assay.Record) error { return nil }}
		if m, err := v.Receive(bytes.NewReader(in)); err == nil && m == nil {
			t.Error("neither a manifest nor an error")
		}
	})
}
