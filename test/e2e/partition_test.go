// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 6: one node of three is cut off: its side stops the group, the majority
// runs it, and after healing there is one cluster with one holder.
func TestCutNodeStopsAndTheMajorityRunsTheGroup(t *testing.T) {
	for _, cut := range []struct {
		name string
		do   func(*lab.Node) error
	}{{"cable pulled", (*lab.Node).Cut}, {"switch silent", (*lab.Node).Silence}} {
		t.Run(cut.name, func(t *testing.T) {
			c := startedCluster(t, 3)
			active := c.startWeb(noFencing)
			client := c.Fetch(floating)
			defer client.Stop()
			lab.Until(t, settleTimeout, "the page", func() error { return answers(client, active.Name) })
			if err := cut.do(active); err != nil {
				t.Fatal(err)
			}
			to := c.moved(active, settleTimeout)
			c.figure("active node cut off ("+cut.name+"): page away", c.takeover(client, active).Duration())
			c.lonely(active)
			majority := slices.DeleteFunc(slices.Clone(c.members()), func(n *lab.Node) bool { return n == active })
			c.awaitOnline(majority...)
			c.stays(to, 2*time.Second)
			// A write on the majority's side must reach the other when it is back.
			c.run(to, "crm_attribute", "-n", "written-meanwhile", "-v", "yes")
			if err := active.Heal(); err != nil {
				t.Fatal(err)
			}
			took := c.awaitOnline(c.members()...)
			c.figure("healed to one cluster of three", took)
			c.stays(to, 3*time.Second)
			c.awaitStatus(active, settleTimeout, "the group is started on "+to.Name, webRuns(to))
			if out := c.run(active, "crm_attribute", "-n", "written-meanwhile", "-G", "-q"); strings.TrimSpace(out) != "yes" {
				t.Errorf("the healed node does not have the majority's write: %q", out)
			}
			c.sameCIB()
		})
	}
}

// lonely checks what a node without quorum says and does.
func (c *cluster) lonely(n *lab.Node) {
	c.t.Helper()
	c.awaitStatus(n, settleTimeout, n.Name+" has no quorum and runs nothing", func(s *lab.Status) error {
		if s.Summary.DC.Quorum {
			return errors.New("it believes in quorum")
		}
		for _, id := range webMembers {
			if err := s.Stopped(id); err != nil {
				return err
			}
		}
		return nil
	})
	if out := c.run(n, "crm_mon", "-1"); !strings.Contains(out, "partition WITHOUT quorum") {
		c.t.Errorf("crm_mon -1 on %s:\n%s", n.Name, out)
	}
	if out := c.try(n, "corosync-quorumtool", "-s").Stdout; !strings.Contains(out, "Quorate:          No") {
		c.t.Errorf("corosync-quorumtool -s on %s:\n%s", n.Name, out)
	}
}

// sameCIB waits until all members that are on have byte for byte the same CIB.
func (c *cluster) sameCIB() {
	c.t.Helper()
	lab.Until(c.t, settleTimeout, "the same CIB everywhere", func() error {
		var first, from string
		for _, n := range c.members() {
			if !n.Running() {
				continue
			}
			r := c.try(n, "cibadmin", "-Q", "-l")
			switch {
			case r.Code != 0:
				return r.Err()
			case first == "":
				first, from = r.Stdout, n.Name
			case r.Stdout != first:
				return fmt.Errorf("%s and %s differ:\n%s", from, n.Name, firstDifference(first, r.Stdout))
			}
		}
		return nil
	})
}

func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, la[i], lb[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(la), len(lb))
}

// Row 6, the harder kind: a node that hears nobody but is heard, and one that
// loses a fifth of what arrives.
func TestOneWayDeafnessAndLossLeaveOneHolder(t *testing.T) {
	c := startedCluster(t, 3)
	active := c.startWeb(noFencing)
	for _, n := range c.members() {
		if err := n.Loss(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
	}
	c.stays(active, 5*time.Second)
	for _, n := range c.members() {
		if err := n.Loss(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	c.awaitOnline(c.members()...)
	deaf := c.other(active)
	for _, n := range c.members() {
		if n != deaf {
			if err := deaf.Block(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.stays(active, 8*time.Second)
	if err := deaf.Unblock(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.awaitOnline(c.members()...)
	c.stays(active, time.Second)
	c.sameCIB()
}
