package credential

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"encoding/json"

	"github.com/google/go-cmp/cmp"
)

// script is a source that gives its answers in turn, the last again and again, and notes when it was asked.
type script struct {
	answers []func() (Value, error)
	begin   time.Time
	asked   []time.Duration
}

func (s *script) Fetch(context.Context) (Value, error) {
	n := min(len(s.asked), len(s.answers)-1)
	s.asked = append(s.asked, time.Since(s.begin))
	return s.answers[n]()
}

func lasts(token string, d time.Duration) func() (Value, error) {
	return func() (Value, error) { return Value{Token: token, Expires: time.Now().Add(d)}, nil }
}

func fails() (Value, error) { return Value{}, errors.New("no") }

func TestKeeper(t *testing.T) {
	same := func(token string) func() (Value, error) {
		return func() (Value, error) { return Value{Token: token}, nil }
	}
	for _, c := range []struct {
		name    string
		answers []func() (Value, error)
		refused []time.Duration // instants at which the target refuses
		watch   time.Duration
		asked   []time.Duration
		token   string // at the end; "": expired
		told    int
	}{
		{"never expires", []func() (Value, error){same("a")}, nil, time.Hour, []time.Duration{0}, "a", 0},
		{"ahead of expiry", []func() (Value, error){lasts("a", time.Hour), lasts("b", time.Hour)}, nil, time.Hour, []time.Duration{0, 55 * time.Minute}, "b", 0},
		{"ahead of a short life", []func() (Value, error){lasts("a", 10*time.Second), lasts("b", time.Hour)}, nil, 9 * time.Second, []time.Duration{0, 8 * time.Second}, "b", 0},
		{"fails once", []func() (Value, error){lasts("a", 100*time.Second), fails, lasts("b", time.Hour)}, nil, 99 * time.Second,
			[]time.Duration{0, 80 * time.Second, 81 * time.Second}, "b", 1},
		{"fails on", []func() (Value, error){lasts("a", 100*time.Second), fails}, nil, 100 * time.Second,
			[]time.Duration{0, 80 * time.Second, 81 * time.Second, 83 * time.Second, 87 * time.Second, 95 * time.Second}, "", 1},
		{"refused", []func() (Value, error){same("a"), same("b")}, []time.Duration{10 * time.Second}, 20 * time.Second, []time.Duration{0, 10 * time.Second}, "b", 0},
		{"refused at once", []func() (Value, error){same("a"), same("b")}, []time.Duration{0}, 20 * time.Second, []time.Duration{0, time.Second}, "b", 0},
		{"refused again and again", []func() (Value, error){same("a")}, []time.Duration{10 * time.Second, 10500 * time.Millisecond, 13 * time.Second, 14 * time.Second}, 20 * time.Second,
			[]time.Duration{0, 10 * time.Second, 12 * time.Second, 16 * time.Second}, "a", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: c.answers, begin: time.Now()}
				told := 0
				k, err := Keep(t.Context(), s, func(error) { told++ })
				if err != nil {
					t.Fatal(err)
				}
				for _, at := range c.refused {
					time.Sleep(at - time.Since(s.begin)) // in the bubble
					k.Refused()
				}
				time.Sleep(c.watch - time.Since(s.begin))
				synctest.Wait()
				v, err := k.Get()
				if v.Token != c.token || (err == ErrExpired) != (c.token == "") || told != c.told {
					t.Errorf("token %q, %v, told %d; want %q, told %d", v.Token, err, told, c.token, c.told)
				}
				k.Close()
				if d := cmp.Diff(c.asked, s.asked); d != "" {
					t.Errorf("fetched at (-want +got)\n%s", d)
				}
			})
		})
	}
}

func TestKeeperRefusesToBegin(t *testing.T) {
	if _, err := Keep(t.Context(), &script{answers: []func() (Value, error){fails}}, nil); err == nil {
		t.Error("kept nothing")
	}
}

// TestValueIsNeverShown in any of the ways in which values get into logs.
func TestValueIsNeverShown(t *testing.T) {
	v := Value{Token: "tok-123", KeyID: "AKIA123", Secret: "s3cr3t-123", Session: "ses-123"}
	b, err := json.Marshal(map[string]any{"v": v, "p": &v})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v), fmt.Sprintf("%+v", &v), fmt.Sprintf("%+v", struct{ V Value }{v}), string(b)} {
		if strings.Contains(text, "123") {
			t.Errorf("shown: %s", text)
		}
	}
}
