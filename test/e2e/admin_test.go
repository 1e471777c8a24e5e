// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 5: what the tutorial does with a running cluster, in its order.
func TestStandbyMoveAndClearBehaveAsTheTutorialSays(t *testing.T) {
	c := startedCluster(t, 3)
	first := c.startWeb(noFencing)
	one := c.Node(1)
	client := c.Fetch(floating)
	defer client.Stop()

	// Standby moves the group away; online does not bring it back, for a group
	// that runs elsewhere as well stays there.
	c.run(one, "crm_standby", "-v", "on", "-N", first.Name)
	second := c.moved(first, settleTimeout)
	c.awaitStatus(one, settleTimeout, "the group is started on "+second.Name, webRuns(second))
	if out := c.run(one, "crm_mon", "-1"); !strings.Contains(out, "Node "+first.Name+": standby") {
		t.Errorf("crm_mon -1 does not show the standby node:\n%s", out)
	}
	if out := c.run(one, "crm_standby", "-G", "-N", first.Name); !strings.Contains(out, "value=on") {
		t.Errorf("crm_standby -G: %s", out)
	}
	// The group has stickiness now: without, the nodes are equal and it could be
	// anywhere.
	c.run(one, "crm_attribute", "-t", "rsc_defaults", "-n", "resource-stickiness", "-v", "50")
	c.run(one, "crm_standby", "-D", "-N", first.Name)
	c.awaitOnline(c.members()...)
	c.stays(second, 2*time.Second)

	// A location score of the same size as the stickiness of one member does not
	// move a group of three; a larger one does.
	c.locate(one, first, 50)
	c.stays(second, 2*time.Second)
	c.locate(one, first, 1000)
	c.arrives(first)
	c.run(one, "cibadmin", "-D", "-o", "constraints", "-X", `<rsc_location id="prefer"/>`)
	c.stays(first, 2*time.Second)

	// Move adds a constraint and says so; clear takes it away, and the group
	// stays where it is.
	third := c.other(first, second)
	c.run(one, "crm_resource", "--move", "-r", "web", "-N", third.Name)
	c.arrives(third)
	if out := c.run(one, "cibadmin", "-Q", "-o", "constraints"); !strings.Contains(out, `id="cli-prefer-web"`) {
		t.Errorf("the move left no constraint:\n%s", out)
	}
	c.run(one, "crm_resource", "--clear", "-r", "web")
	if out := c.run(one, "cibadmin", "-Q", "-o", "constraints"); strings.Contains(out, "cli-") {
		t.Errorf("the constraint survived the clear:\n%s", out)
	}
	c.stays(third, 2*time.Second)

	// A ban moves it away and keeps it away.
	c.run(one, "crm_resource", "--ban", "-r", "web", "-N", third.Name)
	now := c.moved(third, settleTimeout)
	c.awaitStatus(one, settleTimeout, "the group is started on "+now.Name, webRuns(now))
	c.run(one, "crm_resource", "--clear", "-r", "web")
	c.stays(now, 2*time.Second)

	c.figure("planned moves: longest time without the page", client.Longest().Duration())
	c.maintenance(now)
}

// maintenance: while the cluster is in maintenance nothing is stopped or
// monitored; after it all goes on.
func (c *cluster) maintenance(active *lab.Node) {
	c.t.Helper()
	c.run(active, "crm_attribute", "-n", "maintenance-mode", "-v", "true")
	c.awaitStatus(active, settleTimeout, "unmanaged", func(s *lab.Status) error {
		if r, _ := s.Resource("webip"); r.Managed {
			return fmt.Errorf("webip is managed")
		}
		return nil
	})
	c.run(active, "systemctl", "stop", lab.WebUnit)
	nobody := c.nobody(serverThing)
	lab.Until(c.t, settleTimeout, "the server is stopped by hand", nobody)
	lab.For(c.t, 3*time.Second, "nobody starts the server", nobody)
	c.run(active, "systemctl", "start", lab.WebUnit)
	c.run(active, "crm_attribute", "-n", "maintenance-mode", "-D")
	c.awaitStatus(active, settleTimeout, "managed again", func(s *lab.Status) error {
		if r, _ := s.Resource("webip"); !r.Managed {
			return fmt.Errorf("webip is unmanaged")
		}
		return webRuns(active)(s)
	})
}

// locate gives the group a preference for a node.
func (c *cluster) locate(by, node *lab.Node, score int) {
	c.t.Helper()
	c.run(by, "cibadmin", "-M", "-c", "-o", "constraints", "-X",
		fmt.Sprintf(`<rsc_location id="prefer" rsc="web" node="%s" score="%d"/>`, node.Name, score))
}

// stays tells that the group does not leave a node for a while.
func (c *cluster) stays(on *lab.Node, period time.Duration) {
	c.t.Helper()
	lab.For(c.t, period, "the group stays on "+on.Name, func() error {
		if h := c.witness.Holders(addressThing); len(h) != 1 || h[0] != on.Name {
			return fmt.Errorf("the address is on %v", h)
		}
		return nil
	})
}

// arrives waits until the group runs on a node.
func (c *cluster) arrives(on *lab.Node) {
	c.t.Helper()
	lab.Until(c.t, settleTimeout, "the group moves to "+on.Name, func() error {
		if h := c.holder(settleTimeout); h != on {
			return fmt.Errorf("it is on %s", h.Name)
		}
		return nil
	})
	c.awaitStatus(on, settleTimeout, "the group is started on "+on.Name, webRuns(on))
}

// Row 5: a primitive that is restarted, disabled and enabled by hand.
func TestResourceIsRestartedStoppedAndStartedByHand(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing, dummy("solo"))
	before := c.run(active, "systemctl", "show", "-P", "MainPID", lab.WebUnit)
	c.run(active, "crm_resource", "--restart", "-r", "webserver")
	c.awaitStatus(active, settleTimeout, "restarted", webRuns(active))
	if after := c.run(active, "systemctl", "show", "-P", "MainPID", lab.WebUnit); after == before {
		t.Errorf("the server is the same process after the restart: %s", after)
	}
	c.run(active, "crm_resource", "--meta", "-r", "solo", "-p", "target-role", "-v", "Stopped")
	c.awaitStatus(active, settleTimeout, "solo is stopped", func(s *lab.Status) error { return s.Stopped("solo") })
	if out := c.run(active, "crm_mon", "-1r"); !strings.Contains(out, "solo\t(ocf:heartbeat:Dummy):\t Stopped (disabled)") {
		t.Errorf("crm_mon -1r:\n%s", out)
	}
	c.run(active, "crm_resource", "--meta", "-r", "solo", "-d", "target-role")
	c.awaitStatus(active, settleTimeout, "solo is started", func(s *lab.Status) error {
		if r, _ := s.Resource("solo"); r.Role != "Started" {
			return fmt.Errorf("solo is %s", r.Role)
		}
		return nil
	})
	c.cloneRunsEverywhere(active)
}

// cloneRunsEverywhere adds a clone to what is configured, and bans it from a
// node.
func (c *cluster) cloneRunsEverywhere(by *lab.Node) {
	c.t.Helper()
	c.run(by, "cibadmin", "-C", "-o", "resources", "-X", `<clone id="all">`+dummy("each")+`</clone>`)
	await := func(what string, want ...string) {
		c.t.Helper()
		c.awaitStatus(by, settleTimeout, what, func(s *lab.Status) error {
			if r, _ := s.Resource("each"); strings.Join(r.On(), " ") != strings.Join(want, " ") {
				return fmt.Errorf("it runs on %v", r.On())
			}
			return nil
		})
	}
	await("the clone runs everywhere", "node1", "node2", "node3")
	c.run(by, "crm_resource", "--ban", "-r", "all", "-N", "node2")
	await("the clone leaves node2", "node1", "node3")
	c.run(by, "crm_resource", "--clear", "-r", "all")
	await("the clone is everywhere again", "node1", "node2", "node3")
}
