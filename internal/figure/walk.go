package figure

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// A Found is one quantity with the way to it. Kind is the way without what tells like things apart: places in lists and values of labels.
type Found struct {
	Path, Kind string
	Quantity   *assay.Quantity
}

var quantityType = reflect.TypeFor[assay.Quantity]()

// Walk returns every quantity that can be reached from v, which is a pointer, in the order of the fields. A quantity with the zero value is what an absent one leaves, and is left out.
func Walk(v any) []Found {
	var out []Found
	walk(reflect.ValueOf(v), "", "", &out)
	return out
}

func walk(v reflect.Value, path, kind string, out *[]Found) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), path, kind, out)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			e := v.Index(i)
			at, of := fmt.Sprint(i), ""
			if f, ok := e.Interface().(assay.Finding); ok {
				at, of = f.Metric+labels(f.Labels, true), f.Metric+labels(f.Labels, false)
			}
			walk(e, path+"["+at+"]", kind+"["+of+"]", out)
		}
	case reflect.Struct:
		if v.Type() == quantityType {
			if q, ok := v.Addr().Interface().(*assay.Quantity); ok && *q != (assay.Quantity{}) {
				*out = append(*out, Found{path, kind, q})
			}
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" && f.IsExported() {
				dot := "."
				if path == "" {
					dot = ""
				}
				name = cmp.Or(name, f.Name)
				walk(v.Field(i), path+dot+name, kind+dot+name, out)
			}
		}
	}
}

func labels(l map[string]string, values bool) string {
	var parts []string
	for name, value := range l {
		if values {
			name += "=" + value
		}
		parts = append(parts, name)
	}
	if parts == nil {
		return ""
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}
