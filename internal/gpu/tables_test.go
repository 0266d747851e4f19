package gpu

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestXIDTable(t *testing.T) {
	table := XIDs()
	for c := 1; c <= 172; c++ {
		if _, ok := table.Rows[c]; !ok {
			t.Errorf("code %d is not listed", c)
		}
	}
	if table.Version < 1 || table.Date == "" || table.Source == "" || len(table.Rows) != 172 {
		t.Errorf("version %d of %q, %d rows", table.Version, table.Date, len(table.Rows))
	}
	for code, want := range map[int]Class{13: ClassApp, 31: ClassApp, 94: ClassApp, 43: ClassInformation, 45: ClassFollows, 48: ClassGPU, 63: ClassWarning, 64: ClassGPU,
		74: ClassLink, 78: ClassPlatform, 79: ClassNode, 119: ClassGPU, 149: ClassLink, 151: ClassNode, 154: ClassAction, 157: ClassWarning, 162: ClassUnclassified, 172: ClassGPU, 5: ClassUnclassified, 400: ClassUnclassified} {
		if got := table.Of(code).Class; got != want {
			t.Errorf("XID %d: %s, want %s", code, got, want)
		}
	}
	// A cause in the hardware with damage the size of an application: the two axes are apart.
	if want, got := (XID{94, "contained uncorrectable ECC error", "restart app", "hardware, with damage the size of an application", ClassApp}), table.Of(94); want != got {
		t.Errorf("got %+v, want %+v", got, want)
	}
	other := table.With([]XID{{Code: 79, Meaning: "m", Class: ClassGPU}, {Code: 500, Class: ClassWarning}})
	if other.Of(79).Class != ClassGPU || other.Of(500).Class != ClassWarning || other.Of(13) != table.Of(13) || table.Of(79).Class != ClassNode {
		t.Error("rows of another table do not stand in place of the built-in ones, or change them")
	}
	if s := other.Sorted(); len(s) != 173 || s[0].Code != 1 || s[172].Code != 500 {
		t.Errorf("%d rows, %+v", len(s), s)
	}
	for _, c := range []struct {
		class    Class
		severity string
	}{{ClassApp, "failure"}, {ClassNode, "failure"}, {ClassWarning, "warning"}, {ClassFollows, "information"}, {ClassUnclassified, "unclassified"}} {
		if c.class.Severity() != c.severity {
			t.Errorf("%s: severity %s", c.class, c.class.Severity())
		}
	}
	if !ClassNode.Graver(ClassGPU) || ClassApp.Graver(ClassLink) || ClassGPU.Graver(ClassGPU) || !ClassApp.Graver("") {
		t.Error("order of gravity")
	}
}

func TestParseTable(t *testing.T) {
	got, err := ParseTable([]byte("rows:\n  - {codes: \"79 13-14\", meaning: m, action: a, cause: c, class: gpu}\n"))
	want := map[int]XID{13: {13, "m", "a", "c", ClassGPU}, 14: {14, "m", "a", "c", ClassGPU}, 79: {79, "m", "a", "c", ClassGPU}}
	if err != nil || !cmp.Equal(want, got.Rows) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got.Rows))
	}
	for text, want := range map[string]string{
		"":                                     "want rows",
		"rows: []":                             "want rows",
		"rows: [{codes: x, class: gpu}]":       `codes "x": want numbers`,
		"rows: [{codes: 9-3, class: gpu}]":     `codes "9-3": want numbers`,
		"rows: [{codes: 1-99999, class: gpu}]": "up to 999",
		"rows: [{codes: '', class: gpu}]":      "want codes",
		"rows: [{codes: '5', class: bad}]":     `class "bad" is unknown: want one of [app platform link gpu node`,
		"rows: [{codes: '5', class: gpu}, {codes: '5', class: link}]": "rows[1]: code 5 stands twice",
		"rows: [{codes: '5', class: gpu, colour: red}]":               "colour",
	} {
		if _, err := ParseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestReasons(t *testing.T) {
	var names []string
	for _, r := range ReasonsIn(0x44 | 1<<40) {
		names = append(names, r.Name+" "+r.Class)
	}
	if d := cmp.Diff([]string{"sw_power_cap capacity", "hw_thermal_slowdown fault"}, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var all uint64
	for _, r := range Reasons() {
		if all&r.Bit != 0 {
			t.Errorf("bit %#x stands twice", r.Bit)
		}
		all |= r.Bit
	}
	if all != 0x7ff {
		t.Errorf("bits %#x", all)
	}
	if r, ok := ReasonNamed("thermal"); !ok || r.Class != "environment" || r.Bit != 0 {
		t.Errorf("thermal: %+v, %t", r, ok)
	}
	if _, ok := ReasonNamed("x"); ok {
		t.Error("x is a reason")
	}
}

func TestRecovery(t *testing.T) {
	for text, want := range map[string]string{
		"GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)":   "GPU reset",
		"GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)": "node reboot",
		"Drain and Reset": "drain and reset", "Drain P2P": "drain P2P", "None": "none", "System Reboot": "system reboot", "nonesuch": "", "": "",
	} {
		r, ok := RecoveryTo(text)
		if r.Name != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", text, r.Name, want)
		}
	}
	for i, r := range Recoveries() {
		if r.Code != i || r.Class == "" {
			t.Errorf("action %d: %+v", i, r)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("rows:\n  - {codes: \"79 13-14\", meaning: m, action: a, cause: c, class: gpu}\n")
	f.Add("rows:\n ! 0") // the library panics
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseTable([]byte(text))
		if err == nil && (len(table.Rows) == 0 || len(table.Rows) > maxRows) {
			t.Errorf("%d rows", len(table.Rows))
		}
	})
}
