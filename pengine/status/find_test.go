// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
)

// findCIB has clones whose instances go by one name in the history, priorities
// that change the order, and resources that only the history knows, one of them
// by the name of a clone's primitive.
const findCIB = `<cib have-quorum="1"><configuration><crm_config/><nodes>
<node id="1" uname="a"/><node id="2" uname="b"/><node id="3" uname="c"/></nodes><resources>
<primitive id="low" class="ocf" provider="pacemaker" type="Dummy"/>
<clone id="anon"><group id="grp"><primitive id="in1" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="in2" class="ocf" provider="pacemaker" type="Dummy"/></group></clone>
<clone id="uniq"><meta_attributes id="um"><nvpair id="um1" name="globally-unique" value="true"/><nvpair id="um2" name="clone-max" value="1"/></meta_attributes>
<primitive id="u" class="ocf" provider="pacemaker" type="Dummy"/></clone>
<primitive id="high" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="hm"><nvpair id="hm1" name="priority" value="10"/></meta_attributes></primitive>
</resources><constraints/></configuration><status>
<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>` + findHistory + `</lrm_resources></lrm></node_state>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources>` + findHistory + `</lrm_resources></lrm></node_state>
</status></cib>`

const findHistory = `
<lrm_resource id="in1" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="i1" operation="start" operation_key="in1_start_0" call-id="1" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x"/></lrm_resource>
<lrm_resource id="in2" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="i2" operation="monitor" operation_key="in2_monitor_0" call-id="2" rc-code="7" op-status="0" interval="0" transition-key="1:1:7:x" transition-magic="0:7;1:1:7:x"/></lrm_resource>
<lrm_resource id="u" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="u1" operation="start" operation_key="u_start_0" call-id="3" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x"/></lrm_resource>
<lrm_resource id="u:7" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="u2" operation="monitor" operation_key="u:7_monitor_0" call-id="4" rc-code="7" op-status="0" interval="0" transition-key="1:1:7:x" transition-magic="0:7;1:1:7:x"/></lrm_resource>
<lrm_resource id="gone" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="g1" operation="start" operation_key="gone_start_0" call-id="5" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x"/></lrm_resource>`

// search is what FindResource promises, by looking everywhere.
func search(c *Cluster, id string, m Match) *Resource {
	for _, r := range c.Resources {
		if f := r.Find(id, m); f != nil {
			return f
		}
	}
	return nil
}

func TestFindResourceGivesTheFirstThatASearchMeets(t *testing.T) {
	root, err := document.Parse([]byte(findCIB))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Unpack(root, Settings{Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	compare := func(when string) {
		t.Helper()
		for _, id := range []string{"low", "high", "anon", "grp", "grp:0", "grp:2", "in1", "in2", "in1:0", "in1:1", "in2:2", "uniq", "u", "u:0", "u:1", "u:7", "gone", "", "none"} {
			for _, m := range []Match{MatchExact, MatchHistory, MatchAnonBasename, MatchHistory | MatchBasename} {
				want, got := search(c, id, m), c.FindResource(id, m)
				if got != want {
					t.Errorf("%s, %q with %d: found %s, want %s", when, id, m, name(got), name(want))
				}
			}
		}
	}
	if c.Resources[0].ID != "high" || c.FindResource("gone", MatchExact) == nil || c.FindResource("in1", MatchHistory) == nil {
		t.Fatalf("the cluster is not what the test is about: first %s", c.Resources[0].ID)
	}
	compare("as unpacked")
	if len(c.named["in1"]) < 2 {
		t.Fatalf("only %d instances go by the name of in1", len(c.named["in1"]))
	}
	c.FindResource("in1", MatchHistory).setHistoryID("")
	compare("with one instance less")
	c.FindResource("low", MatchExact).setHistoryID("in1")
	c.FindResource("high", MatchExact).setHistoryID("in1")
	compare("with primitives of the name")
	if c.addInstance(c.FindResource("anon", MatchExact)) == nil {
		t.Fatal("no instance added")
	}
	compare("with one instance more")
	if f := c.FindResource("in2:3", MatchExact); f == nil || f != search(c, "in2:3", MatchExact) {
		t.Errorf("the member of the new instance is found as %s", name(f))
	}
}

func name(r *Resource) string {
	if r == nil {
		return "nothing"
	}
	return r.ID
}
