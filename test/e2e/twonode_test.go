// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Row 9: with two_node: 1 the one that is left keeps quorum and takes over.
func TestTwoNodesWithTwoNodeSet(t *testing.T) {
	c := startedCluster(t, 2, "two_node: 1")
	active := c.startWeb(noFencing)
	if out := c.run(active, "corosync-quorumtool", "-s"); !strings.Contains(out, "2Node") || !strings.Contains(out, "WaitForAll") {
		t.Errorf("corosync-quorumtool -s does not tell the flags:\n%s", out)
	}
	active.Kill()
	to := c.moved(active, settleTimeout)
	c.awaitStatus(to, settleTimeout, "the group runs on the one that is left", func(s *lab.Status) error {
		if !s.Summary.DC.Quorum {
			return errors.New("it has no quorum")
		}
		return webRuns(to)(s)
	})
	// A node that starts alone waits for the other (wait_for_all).
	to.Kill()
	c.boot(active)
	lab.For(t, 5*time.Second, "nothing starts on a node that has not seen the other", c.nobody(addressThing))
	c.boot(to)
	c.awaitOnline(c.members()...)
	c.holder(settleTimeout)
}

// Row 9: two nodes without two_node: the one that is left has no quorum; with
// no-quorum-policy=ignore it runs the group all the same.
func TestTwoNodesWithNoQuorumPolicy(t *testing.T) {
	c := startedCluster(t, 2)
	active := c.startWeb(noFencing)
	left := c.other(active)
	active.Kill()
	c.awaitStatus(left, settleTimeout, "no quorum", func(s *lab.Status) error {
		if s.Summary.DC.Quorum || !s.Summary.DC.Present {
			return errors.New("it has quorum, or no DC")
		}
		return s.Stopped("webip")
	})
	if out := c.run(left, "crm_mon", "-1r"); !strings.Contains(out, "partition WITHOUT quorum") || !strings.Contains(out, "webip\t(ocf:heartbeat:IPaddr2):\t Stopped") {
		t.Errorf("crm_mon -1r:\n%s", out)
	}
	c.run(left, "crm_attribute", "-n", "no-quorum-policy", "-v", "ignore")
	if to := c.moved(active, settleTimeout); to != left {
		t.Errorf("the group is on %s", to.Name)
	}
	c.boot(active)
	c.awaitOnline(c.members()...)
	c.holder(settleTimeout)
}
