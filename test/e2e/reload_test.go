// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// The configuration changes on all nodes or on none, while a service runs: a
// broken file on one node is refused by name and line, then a node comes with a
// new key for all, and goes again.
func TestReloadChangesAllNodesOrNone(t *testing.T) {
	c := startedCluster(t, 2)
	active := c.startWeb(noFencing)
	client := c.Fetch(floating)
	defer client.Stop()
	one, two, three := c.Node(1), c.Node(2), c.Node(3)
	expects := func(votes int, nodes ...*lab.Node) {
		t.Helper()
		want := fmt.Sprintf("Expected votes:   %d\n", votes)
		for _, n := range nodes {
			if out := c.run(n, "corosync-quorumtool", "-s"); !strings.Contains(out, want) {
				t.Errorf("%s does not expect %d votes:\n%s", n.Name, votes, out)
			}
		}
	}

	conf := lab.CorosyncConf(3)
	c.configureNode(one, conf)
	c.configureNode(two, strings.Replace(conf, "nodeid: 3", "nodeid: three", 1))
	r := c.try(one, "corosync-cfgtool", "-R")
	reason := regexp.MustCompile(`(?m)^ERROR from reload: node 2: parser error: /etc/corosync/corosync\.conf:\d+: .*"three" was given`)
	if r.Code != 1 || !reason.MatchString(r.Stdout) {
		t.Errorf("a broken file on node2: %v", r)
	}
	expects(2, one, two)

	c.key = lab.NewKey()
	c.configureNode(one, conf)
	c.configureNode(two, conf)
	begin := time.Now()
	if out := c.run(two, "corosync-cfgtool", "-R"); !strings.Contains(out, "Done\n") {
		t.Errorf("the reload says %q", out)
	}
	c.figure("reload of a node and a key", time.Since(begin))
	expects(3, one, two)

	c.size = 3
	c.configureNode(three, conf)
	c.boot(three)
	c.awaitOnline(one, two, three)
	expects(3, one, two, three)

	r = c.try(three, "corosync-cfgtool", "-R")
	if r.Code != 0 {
		t.Errorf("a reload that changes nothing: %v", r)
	}
	conf = lab.CorosyncConf(2)
	for _, n := range c.members() {
		c.configureNode(n, conf)
	}
	r = c.try(one, "corosync-cfgtool", "-R")
	if r.Code != 1 || !strings.Contains(r.Stdout, "node 3 is a member of the ring and not in the new nodelist: stop it first") {
		t.Errorf("a member is taken off the nodelist: %v", r)
	}
	c.stop(three)
	c.run(one, "corosync-cfgtool", "-R")
	expects(2, one, two)
	c.awaitStatus(one, settleTimeout, "the group is where it was", webRuns(active))
	if o := client.Longest(); o.Duration() > time.Second {
		t.Errorf("the service was away meanwhile: %v", o)
	}
}
