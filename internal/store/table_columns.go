package store

import (
	"encoding/hex"

	"github.com/parquet-go/parquet-go"
)

// The constructors of the columns of a table: a field of a simple type, always there or null for its zero value.

func int64Column[T any](path string, field func(*T) *int64) column[T] {
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, _ *[]byte) []parquet.Value {
			return append(dst, parquet.Int64Value(*field(r)))
		},
		get:  func(r *T, v parquet.Value, _ *columnReader) error { *field(r) = v.Int64(); return nil },
		page: readInt64s(field),
	}
}

// optional makes the value of a column null where zero says that the field is.
func optional[T any](c column[T], zero func(*T) bool) column[T] {
	put := c.put
	c.put = func(dst []parquet.Value, r *T, scratch *[]byte) []parquet.Value {
		if zero(r) {
			return append(dst, parquet.Value{})
		}
		n := len(dst)
		dst = put(dst, r, scratch)
		dst[n].SetDefinitionLevel(1)
		return dst
	}
	return c
}

func optInt64Column[T any](path string, field func(*T) *int64) column[T] {
	return optional(int64Column(path, field), func(r *T) bool { return *field(r) == 0 })
}

func int32Column[T any](path string, field func(*T) *int32) column[T] {
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, _ *[]byte) []parquet.Value {
			return append(dst, parquet.Int32Value(*field(r)))
		},
		get:  func(r *T, v parquet.Value, _ *columnReader) error { *field(r) = v.Int32(); return nil },
		page: readInt32s(field),
	}
}

func optInt32Column[T any](path string, field func(*T) *int32) column[T] {
	return optional(int32Column(path, field), func(r *T) bool { return *field(r) == 0 })
}

func boolColumn[T any](path string, field func(*T) *bool) column[T] {
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, _ *[]byte) []parquet.Value {
			return append(dst, parquet.BooleanValue(*field(r)))
		},
		get: func(r *T, v parquet.Value, _ *columnReader) error { *field(r) = v.Boolean(); return nil },
	}
}

func textColumn[T any](path string, field func(*T) *string) column[T] {
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, _ *[]byte) []parquet.Value {
			return append(dst, parquet.ByteArrayValue(bytesOf(*field(r))))
		},
		get:  func(r *T, v parquet.Value, rd *columnReader) error { *field(r) = rd.text(v); return nil },
		same: func(to, from *T) { *field(to) = *field(from) },
	}
}

func optTextColumn[T any](path string, field func(*T) *string) column[T] {
	return optional(textColumn(path, field), func(r *T) bool { return *field(r) == "" })
}

// nameColumn is for an enumeration that stands as text. A text that is none of the names reads as the first of
// the constants, which means unknown in all of them.
func nameColumn[T any, E interface {
	comparable
	String() string
}](path string, field func(*T) *E, names []E) column[T] {
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, _ *[]byte) []parquet.Value {
			return append(dst, parquet.ByteArrayValue(bytesOf((*field(r)).String())))
		},
		get: func(r *T, v parquet.Value, _ *columnReader) error {
			for _, e := range names {
				if b := v.ByteArray(); string(b) == e.String() {
					*field(r) = e
					break
				}
			}
			return nil
		},
		same: func(to, from *T) { *field(to) = *field(from) },
	}
}

// idColumn is for a trace or span id, as hex. The slice is the field's.
func idColumn[T any](path string, field func(*T) []byte) column[T] {
	take := func(r *T, b []byte) error {
		id := field(r)
		if len(b) != 2*len(id) {
			return errShape
		}
		_, err := hex.Decode(id, b)
		return err
	}
	return column[T]{path: path,
		put: func(dst []parquet.Value, r *T, scratch *[]byte) []parquet.Value {
			from := len(*scratch)
			*scratch = hex.AppendEncode(*scratch, field(r))
			return append(dst, parquet.ByteArrayValue((*scratch)[from:]))
		},
		get:  func(r *T, v parquet.Value, _ *columnReader) error { return take(r, v.ByteArray()) },
		page: readBytes(take),
		same: func(to, from *T) { copy(field(to), field(from)) },
	}
}

// optIDColumn is idColumn with null for an id of zeros.
func optIDColumn[T any](path string, field func(*T) []byte) column[T] {
	return optional(idColumn(path, field), func(r *T) bool {
		for _, b := range field(r) {
			if b != 0 {
				return false
			}
		}
		return true
	})
}

// level marks the i-th value of a list.
func level(v parquet.Value, i int) parquet.Value { return v.Level(min(i, 1), 1, 0) }
