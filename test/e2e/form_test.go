// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 1: the cluster forms, and every node says the same of it.
func TestClusterFormsAndAllNodesSayTheSame(t *testing.T) {
	c := newCluster(t, 3)
	began := time.Now()
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	c.figure("start of three nodes to all online with a DC", time.Since(began))
	views := map[string]string{}
	lab.Until(t, settleTimeout, "one view", func() error {
		for _, n := range c.members() {
			views[n.Name] = steady(c.run(n, "crm_mon", "-1"))
		}
		if views["node1"] != views["node2"] || views["node1"] != views["node3"] {
			return fmt.Errorf("node1 says\n%s\nnode2 says\n%s\nnode3 says\n%s", views["node1"], views["node2"], views["node3"])
		}
		return nil
	})
	for _, want := range []string{"Online: [ node1 node2 node3 ]", "Current DC: " + c.dc().Name + " (version", "partition with quorum", "3 nodes configured"} {
		if !strings.Contains(views["node1"], want) {
			t.Errorf("crm_mon -1 does not say %q:\n%s", want, views["node1"])
		}
	}
	for _, n := range c.members() {
		if out := c.run(n, "corosync-quorumtool", "-s"); !strings.Contains(out, "Quorate:          Yes") || !strings.Contains(out, "Total votes:      3") {
			t.Errorf("%s: corosync-quorumtool -s:\n%s", n.Name, out)
		}
		for port := 9664; port <= 9669; port++ {
			if r := c.try(n, "curl", "-sS", "-f", "-m", "5", fmt.Sprintf("http://127.0.0.1:%d/metrics", port)); r.Code != 0 || !strings.Contains(r.Stdout, "\n# TYPE ") {
				t.Errorf("no metrics at port %d: %s", port, r.Stderr)
			}
		}
	}
}

// steady removes from crm_mon's text what differs with the moment and the node
// that was asked.
func steady(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "ast updated") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// Row 2: the web group runs on one node and answers another; what crm_mon, the
// kernel and the client say agrees.
func TestWebGroupStartsOnOneNodeAndAnswersAnother(t *testing.T) {
	c := startedCluster(t, 3)
	began := time.Now()
	active := c.startWeb(noFencing)
	c.figure("cibadmin to the web group started", time.Since(began))
	for _, n := range c.members() {
		c.awaitStatus(n, settleTimeout, "the group is started, "+n.Name+" says", webRuns(active))
	}
	for _, n := range c.members() {
		if out := c.run(n, "curl", "-sS", "-m", "5", "http://"+floating.String()+"/"); out != active.Name+"\n" {
			t.Errorf("curl on %s got %q, want the page of %s", n.Name, out, active.Name)
		}
	}
	for _, want := range []string{"Resource Group: web:", "webip\t(ocf:heartbeat:IPaddr2):\t Started " + active.Name, "webserver\t(systemd:" + lab.WebUnit + "):\t Started " + active.Name} {
		if out := c.run(active, "crm_mon", "-1"); !strings.Contains(out, want) {
			t.Errorf("crm_mon -1 does not say %q:\n%s", want, out)
		}
	}
	if out := c.run(active, "crm_resource", "--locate", "--resource", "webip"); !strings.Contains(out, "resource webip is running on: "+active.Name) {
		t.Errorf("crm_resource --locate: %s", out)
	}
	if out := c.run(active, "cibadmin", "-Q"); strings.Count(out, "<lrm_resource ") != 3*len(webMembers) {
		t.Errorf("the status section holds %d lrm_resource entries, want three of each", strings.Count(out, "<lrm_resource "))
	}
}

// Row 3: from systemctl start on three nodes to the first resource.
func TestColdStartReachesTheFirstResourceInFiveSeconds(t *testing.T) {
	c := startedCluster(t, 3)
	c.startWeb(noFencing)
	c.stop(c.members()...)
	c.gone()
	began := time.Now()
	c.start(c.members()...)
	var first time.Time
	lab.Until(t, settleTimeout, "the first resource", func() error {
		if first = c.witness.FirstHeld(addressThing, "", began); first.IsZero() {
			return errors.New("nobody has the address")
		}
		return nil
	})
	took := first.Sub(began)
	c.figure("systemctl start on three nodes to the first resource", took)
	if limit := scaled(5 * time.Second); took > limit {
		t.Errorf("the first resource came after %v, want at most %v", took, limit)
	}
}
