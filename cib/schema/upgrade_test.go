// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
)

// TestUpgrades shows what becomes of the configuration of an older CIB (upgrade
// from=X.Y to=X.Y), with the notes.
func TestUpgrades(t *testing.T) {
	datadriven.RunTest(t, "testdata/upgrades", func(t *testing.T, d *datadriven.TestData) string {
		var from, to string
		d.ScanArgs(t, "from", &from)
		d.ScanArgs(t, "to", &to)
		root, err := document.Parse([]byte(`<cib validate-with="pacemaker-` + from + `" admin_epoch="0" epoch="1" num_updates="0"><configuration>` +
			d.Input + `</configuration><status/></cib>`))
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		before := string(document.Format(root))
		up, err := Upgrade(root, "pacemaker-"+to)
		if after := string(document.Format(root)); after != before {
			t.Errorf("%s: the original was changed to\n%s", d.Pos, after)
		}
		var b strings.Builder
		for _, n := range up.Notes {
			b.WriteString(n + "\n")
		}
		if err != nil {
			for _, f := range up.Faults {
				b.WriteString(f.String() + "\n")
			}
			return b.String() + "error: " + err.Error() + "\n"
		}
		if with := document.Get(up.CIB, "validate-with"); with != up.To {
			t.Errorf("%s: validate-with=%q, to %q", d.Pos, with, up.To)
		}
		b.WriteString(up.To + "\n")
		for _, section := range document.Child(up.CIB, "configuration").ChildElements() {
			if len(section.ChildElements()) > 0 {
				b.Write(document.Format(section))
			}
		}
		return b.String()
	})
}

func TestWhatNamesNoSchemaIsNotUpgraded(t *testing.T) {
	for _, with := range []string{"", "pacemaker-0.7", "pacemaker-1.1", "transitional-0.6"} {
		root := document.Empty("")
		document.Set(root, "validate-with", with)
		if _, err := Upgrade(root, Newest()); !errors.Is(err, ErrUnknownSchema) {
			t.Errorf("%q: %v", with, err)
		}
	}
	root := document.Empty("")
	document.Set(root, "validate-with", "none")
	if up, err := Upgrade(root, Newest()); err != nil || up.CIB != root {
		t.Errorf("none: %+v, %v", up, err)
	}
}

// FuzzUpgrade checks that an upgrade of anything ends, leaves the original
// alone and gives a CIB that is valid by the schema that it names.
func FuzzUpgrade(f *testing.F) {
	for _, with := range []string{"pacemaker-1.2", "pacemaker-2.0", "pacemaker-3.9"} {
		f.Add(with, `<crm_config><cluster_property_set id="p"><nvpair id="n" name="default-resource-stickiness" value="1"/></cluster_property_set></crm_config>`+
			`<nodes/><resources><master id="m"><primitive id="a" class="lsb" type="x"><meta_attributes id="s"/></primitive></master>`+
			`<primitive id="b" class="upstart" type="x"><meta_attributes id-ref="s"/></primitive></resources>`+
			`<constraints><rsc_location id="l" rsc="a" node="n" score="1"><lifetime><rule id="r" score="1"><date_expression id="d" operation="lt" end="2030"/></rule></lifetime></rsc_location></constraints>`, "")
	}
	f.Fuzz(func(t *testing.T, with, configuration, status string) {
		root, err := document.Parse([]byte(`<cib validate-with="` + with + `" admin_epoch="0" epoch="1" num_updates="0"><configuration>` +
			configuration + `</configuration><status>` + status + `</status></cib>`))
		if err != nil {
			return
		}
		before := string(document.Format(root))
		up, err := Upgrade(root, Newest())
		if after := string(document.Format(root)); after != before {
			t.Errorf("%s\nwas changed to\n%s", before, after)
		}
		if err == nil && with != unchecked && with != Newest() {
			if faults := Validate(up.CIB, nil); len(faults) > 0 {
				t.Errorf("%s\nbecame\n%s\nwhich is not valid: %v", before, document.Format(up.CIB), faults)
			}
		}
	})
}
