// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

const intentsCIB = `<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/></nodes><resources>
<primitive id="f" class="stonith" type="x"/><primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration><status>
<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>`

func TestADemandThatDemandsMoreIsTakenOnce(t *testing.T) {
	root, err := document.Parse([]byte(intentsCIB))
	if err != nil {
		t.Fatal(err)
	}
	c, err := status.Unpack(root, status.Settings{Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	s := newScheduler(c, Input{CIB: root})
	n, r := c.FindNode("a"), c.FindResource("r", status.MatchExact)
	n.Online = false // so that the stop cannot run, and the node has to be fenced
	c.Intents = []status.Intent{{Kind: status.IntentStop, Rsc: r, Node: n, Managed: true}}
	s.takeIntents()
	if len(c.Intents) > 0 || !n.Unclean {
		t.Errorf("%d demands left, unclean %t", len(c.Intents), n.Unclean)
	}
	if stops := s.of[r].findTask(taskStop, n, true); len(stops) != 1 || stops[0].is(runnable) {
		t.Errorf("stops: %v", stops)
	}
	if s.singletons["stonith-a-reboot"] == nil {
		t.Error("the node is not fenced")
	}
}

func TestADemandCountsTheManagementOfItsTime(t *testing.T) {
	root, err := document.Parse([]byte(intentsCIB))
	if err != nil {
		t.Fatal(err)
	}
	c, err := status.Unpack(root, status.Settings{Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	s := newScheduler(c, Input{CIB: root})
	n, r := c.FindNode("a"), c.FindResource("r", status.MatchExact)
	c.Intents = []status.Intent{{Kind: status.IntentStop, Rsc: r, Node: n, Managed: true}}
	r.Clear(status.Managed)
	s.takeIntents()
	if stops := s.of[r].findTask(taskStop, n, true); len(stops) != 1 || stops[0].is(optional) {
		t.Errorf("the stop that was demanded is not required: %v", stops)
	}
	if r.Is(status.Managed) {
		t.Error("the resource has become managed")
	}
}
