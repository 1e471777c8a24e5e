// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
)

// TestFaults shows what is wrong with a CIB of which only the configuration is
// given (validate), or all of it (validate whole), and what Advise says.
func TestFaults(t *testing.T) {
	datadriven.RunTest(t, "testdata/faults", func(t *testing.T, d *datadriven.TestData) string {
		text := d.Input
		if !d.HasArg("whole") {
			text = `<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0"><configuration>` +
				text + `</configuration><status><anything goes="here"/></status></cib>`
		}
		root, lines, err := document.ParseLines([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		check := Validate
		if d.Cmd == "advise" {
			check = Advise
		}
		var b strings.Builder
		for _, f := range check(root, lines) {
			b.WriteString(f.String() + "\n")
		}
		if b.Len() == 0 {
			return "ok\n"
		}
		return b.String()
	})
}

func TestAnEmptyDocumentIsValid(t *testing.T) {
	if faults := Validate(document.Empty(""), nil); len(faults) != 0 {
		t.Error(faults)
	}
}

func TestEveryChildInTheVocabularyIsDefined(t *testing.T) {
	for name, e := range elements {
		for _, kid := range e.kidList {
			if _, ok := elements[kid]; !ok && kid != "status" {
				t.Errorf("%s has the undefined child %s", name, kid)
			}
		}
		for _, a := range e.attrs {
			switch a.kind {
			case "", "id", "ref", "idref", "member", "score", "index", "int", "count", "portrange", "devices":
			default:
				if len(enums[a.kind]) == 0 {
					t.Errorf("%s %s has the undefined type %s", name, a.name, a.kind)
				}
			}
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	root := document.Empty("")
	for range 10 * MaxFaults {
		document.Add(document.Section(root, "resources"), "nonsense")
	}
	if n := len(Validate(root, nil)); n != MaxFaults {
		t.Errorf("%d faults", n)
	}
}
