// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/test/e2e/lab"
)

// The service names of the field mean the daemons, and systemctl waits for them.
func TestServiceNamesOfTheFieldStopAndStartTheDaemons(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	c.run(active, "systemctl", "stop", "pacemaker")
	for _, d := range []string{"crmd", "transitiond", "pengined", "lrmd", "cibd"} {
		if len(active.Processes(d)) > 0 {
			t.Errorf("%s still runs after systemctl stop pacemaker", d)
		}
	}
	if len(active.Processes("messagingd")) != 1 {
		t.Error("systemctl stop pacemaker stopped messaging too")
	}
	if len(active.Processes("nginx")) > 0 {
		t.Error("the node was not drained: its web server runs")
	}
	if out := c.run(active, "corosync-quorumtool", "-s"); !strings.Contains(out, "Total votes:      3") {
		t.Errorf("messaging lost a vote:\n%s", out)
	}
	to := c.moved(active, settleTimeout)
	c.run(active, "systemctl", "start", "pacemaker")
	c.awaitOnline(c.members()...)
	// Stopping messaging stops the manager first, so the node leaves in order.
	c.run(to, "systemctl", "stop", "corosync")
	for _, d := range append(daemons(), daemonName{name: "nginx"}) {
		if len(to.Processes(d.name)) > 0 {
			t.Errorf("%s still runs after systemctl stop corosync", d.name)
		}
	}
	c.moved(to, settleTimeout)
	c.run(to, "systemctl", "start", "quorate.target")
	c.awaitOnline(c.members()...)
	c.run(to, "systemctl", "restart", "pacemaker")
	c.awaitOnline(c.members()...)
	if out := c.try(to, "systemctl", "--failed", "--no-legend", "--plain").Stdout; strings.Contains(out, "quorate") || strings.Contains(out, "pacemaker") {
		t.Errorf("failed units after orderly stops:\n%s", out)
	}
	c.holder(settleTimeout)
}

// A machine that shuts down drains first and is not missed as a lost one.
func TestShutdownOfTheMachineDrainsTheNode(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(options{"stonith-enabled": "true"}, fenceDevice)
	client := c.Fetch(floating)
	defer client.Stop()
	lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
	active.Exec(t.Context(), "systemctl", "poweroff")
	c.figure("systemctl poweroff of the active node: page away", c.takeover(client, active).Duration())
	to := c.moved(active, settleTimeout)
	c.awaitStatus(to, settleTimeout, "the node is offline, not unclean", func(s *lab.Status) error {
		if len(s.Unclean()) > 0 {
			t.Errorf("unclean: %v", s.Unclean())
		}
		return webRuns(to)(s)
	})
	if r := c.Fence().Records(); len(r) > 0 {
		t.Errorf("an orderly shutdown was fenced: %v", r)
	}
	active.Kill() // what is left of the container
	c.boot(active)
	c.awaitOnline(c.members()...)
}
