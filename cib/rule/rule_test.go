// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package rule_test

import (
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) // a Wednesday

func TestConditions(t *testing.T) {
	in := &rule.Input{
		Now: noon, Node: map[string]string{"#uname": "node1", "n": "10", "v": "1.10", "site": "a"},
		Class: "ocf", Provider: "pacemaker", Type: "Dummy", Op: "monitor", IntervalMS: 10_000,
		Meta: map[string]string{"where": "a"}, Params: map[string]string{"port": "10"}, Submatches: []string{"xn", "n"},
	}
	for body, want := range map[string]bool{
		`<expression id="e" attribute="#uname" operation="eq" value="node1"/>`:                                                                                true,
		`<expression id="e" attribute="#uname" operation="ne" value="node1"/>`:                                                                                false,
		`<expression id="e" attribute="gone" operation="defined"/>`:                                                                                           false,
		`<expression id="e" attribute="gone" operation="not_defined"/>`:                                                                                       true,
		`<expression id="e" attribute="n" operation="gt" value="9" type="integer"/>`:                                                                          true,
		`<expression id="e" attribute="n" operation="gt" value="9" type="string"/>`:                                                                           false,
		`<expression id="e" attribute="v" operation="gt" value="1.9" type="version"/>`:                                                                        true,
		`<expression id="e" attribute="site" operation="eq" value="where" value-source="meta"/>`:                                                              true,
		`<expression id="e" attribute="n" operation="eq" value="port" value-source="param" type="number"/>`:                                                   true,
		`<expression id="e" attribute="n" operation="eq" value=" 1e1x" type="number"/>`:                                                                       true, // what follows a number does not count
		`<expression id="e" attribute="n" operation="lt" value="INFINITY" type="number"/>`:                                                                    true,
		`<expression id="e" attribute="n" operation="gt" value="-inf" type="number"/>`:                                                                        true,
		`<expression id="e" attribute="n" operation="eq" value="NaN" type="number"/>`:                                                                         true,
		`<expression id="e" attribute="n" operation="lt" value="--1" type="number"/>`:                                                                         false, // compared as texts
		`<expression id="e" attribute="n" operation="gt" value="-1.5e-2e" type="number"/>`:                                                                    true,
		`<expression id="e" attribute="n" operation="gt" value="09e999" type="number"/>`:                                                                      true, // no number is so large
		`<expression id="e" attribute="n" operation="lt" value="1e-999" type="number"/>`:                                                                      true, // nor so small
		`<expression id="e" attribute="%1" operation="eq" value="10"/>`:                                                                                       true,
		`<expression attribute="n" operation="eq" value="10"/>`:                                                                                               false, // no id
		`<rsc_expression id="e" class="ocf" type="Dummy"/>`:                                                                                                   true,
		`<rsc_expression id="e" class="lsb"/>`:                                                                                                                false,
		`<op_expression id="e" name="monitor" interval="10s"/>`:                                                                                               true,
		`<op_expression id="e" name="start"/>`:                                                                                                                false,
		`<date_expression id="e" operation="gt" start="2026-06-30"/>`:                                                                                         true,
		`<date_expression id="e" operation="lt" end="2026-06-30"/>`:                                                                                           false,
		`<date_expression id="e" operation="in_range" start="2026-06-30" end="2026-07-02"/>`:                                                                  true,
		`<date_expression id="e" operation="in_range" start="2026-06-30"><duration id="d" hours="1"/></date_expression>`:                                      false,
		`<date_expression id="e" operation="date_spec"><date_spec id="d" hours="9-17" weekdays="1-5"/></date_expression>`:                                     true,
		`<date_expression id="e" operation="date_spec"><date_spec id="d" weekdays="6-7"/></date_expression>`:                                                  false,
		`<rule id="i" boolean-op="or"><expression id="e" attribute="gone" operation="defined"/><expression id="f" attribute="n" operation="defined"/></rule>`: true,
		`<banana id="e"/>`: false,
	} {
		root, err := document.Parse([]byte(`<rule id="r">` + body + `</rule>`))
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.Holds(root, in); got != want {
			t.Errorf("%s: %t", body, got)
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	root, err := document.Parse([]byte(`<rule id="r"><date_expression id="e" operation="gt" start="2026-07-02"/></rule>`))
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	if rule.Holds(root, &rule.Input{Now: noon, Change: func(when time.Time) { at = when }}) {
		t.Error("the future has begun")
	}
	if at.Before(noon) || at.Sub(time.Date(2026, 7, 2, 0, 0, 0, 0, time.UTC)).Abs() > time.Second {
		t.Errorf("the change is told for %v", at)
	}
}

func TestBlocks(t *testing.T) {
	root, err := document.Parse([]byte(`<primitive id="p">
<meta_attributes id="low" score="1"><nvpair id="l1" name="a" value="low"/><nvpair id="l2" name="b" value="low"/></meta_attributes>
<meta_attributes id="high" score="10"><nvpair id="h1" name="a" value="high"/></meta_attributes>
<meta_attributes id="never" score="INFINITY"><rule id="r"><expression id="e" attribute="x" operation="defined"/></rule><nvpair id="n1" name="a" value="never"/></meta_attributes>
</primitive>`))
	if err != nil {
		t.Fatal(err)
	}
	got := rule.Values{"b": "before"}
	rule.Blocks(root, "meta_attributes", "", &rule.Input{Now: noon}, got)
	if got["a"] != "high" || got["b"] != "before" {
		t.Error(got)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"3.16.0", "3.9.9", 1}, {"1.0", "1.0.0", 0}, {"1", "2", -1}, {"3.20", "3.20.1", -1}, {"2", "-1", 1}, {"", "-1", 0}, {" 1.2x", "1.2", 0}, {"1.", "1.x", 0}, {"1.2-3", "1.2.1", -1}} {
		if got := rule.CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
}
