// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
)

// recheckCIB has parameters with a rule that every node satisfies, by its first
// condition; what changes in time is the second.
const recheckCIB = `<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/></nodes><resources>
<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="p"><rule id="p-r" boolean-op="or">
<expression id="p-e" attribute="#kind" operation="defined"/><date_expression id="p-d" operation="lt" end="2026-08-01"/></rule>
<nvpair id="p-1" name="x" value="y"/></instance_attributes></primitive></resources><constraints/></configuration><status>
<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="r" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="r_last_failure_0" operation="start" operation_key="r_start_0" call-id="1" rc-code="1" op-status="0" interval="0" transition-key="1:1:0:x" transition-magic="0:1;1:1:0:x"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>`

func TestAFailureLooksAtParametersOfNoNode(t *testing.T) {
	root, err := document.Parse([]byte(recheckCIB))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Unpack(root, Settings{Now: time.Date(2026, 7, 15, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC); !c.RecheckBy.Equal(want) {
		t.Errorf("to be looked at again %v, want %v", c.RecheckBy, want)
	}
}
