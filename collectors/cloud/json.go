package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/assay-dev/assay/collectors/input"
)

// objects reads JSON that is an array, an object that holds an array under one of keys, or one object after another, and hands on each
// element. Memory is bounded by one element.
func objects(f *input.File, keys []string, do func(json.RawMessage) error) error {
	d := json.NewDecoder(f)
	for n := 0; ; n++ {
		f.Row()
		t, err := d.Token()
		if err == io.EOF && n > 0 {
			return nil
		}
		if err != nil {
			return badJSON(f, d, err)
		}
		switch t {
		case json.Delim('['):
			if err := elements(f, d, do); err != nil {
				return err
			}
		case json.Delim('{'):
			if err := object(f, d, keys, do); err != nil {
				return err
			}
		default:
			return badJSON(f, d, errors.New("neither an array nor an object"))
		}
	}
}

// elements reads the rest of an array.
func elements(f *input.File, d *json.Decoder, do func(json.RawMessage) error) error {
	for d.More() {
		f.Row()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return badJSON(f, d, err)
		}
		if err := do(raw); err != nil {
			return err
		}
	}
	f.Row()
	if _, err := d.Token(); err != nil {
		return badJSON(f, d, err)
	}
	return nil
}

// object reads the rest of an object: what stands under keys element by element, or else the object itself.
func object(f *input.File, d *json.Decoder, keys []string, do func(json.RawMessage) error) error {
	whole := map[string]json.RawMessage{}
	held, size := false, 0
	for d.More() {
		f.Row()
		t, err := d.Token()
		if err != nil {
			return badJSON(f, d, err)
		}
		key, _ := t.(string)
		if slices.Contains(keys, key) {
			held = true
			if t, err = d.Token(); err != nil {
				return badJSON(f, d, err)
			}
			if t == nil {
				continue
			}
			if t != json.Delim('[') {
				return badJSON(f, d, fmt.Errorf("%s is no array", key))
			}
			if err := elements(f, d, do); err != nil {
				return err
			}
			continue
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return badJSON(f, d, err)
		}
		if size += len(key) + len(raw); size > input.MaxRow {
			return badJSON(f, d, input.ErrLong)
		}
		whole[key] = raw
	}
	if _, err := d.Token(); err != nil {
		return badJSON(f, d, err)
	}
	if held {
		return nil
	}
	raw, err := json.Marshal(whole)
	if err != nil {
		return badJSON(f, d, err)
	}
	return do(raw)
}

func badJSON(f *input.File, d *json.Decoder, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: byte %d: %w", f.Path, d.InputOffset(), err)
}
