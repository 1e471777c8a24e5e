// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/test/e2e/bare"
	"github.com/quorate/quorate/test/e2e/lab"
)

// netDevice are the lines of a quorum section with the arbitration server on the
// third machine.
func netDevice(server *lab.Node) []string {
	return []string{
		"device {", "model: net", "votes: 1", "net {", "host: " + server.Address().String(), "algorithm: ffsplit", "tls: required", "}", "}",
	}
}

// startArbiter boots a machine as the arbitration server of the cluster, with
// certificates made in the steps of an administrator.
func (c *cluster) startArbiter(server *lab.Node) {
	c.t.Helper()
	const nodeDir, serverDir = "/etc/corosync/qdevice/net/nssdb/", "/etc/corosync/qnetd/nssdb/"
	carry := func(from *lab.Node, path string, to *lab.Node, name string) {
		c.t.Helper()
		text, err := from.ReadFile(path)
		if err == nil {
			err = to.WriteFile(name, 0o600, text)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	c.boot(server)
	c.run(server, "corosync-qnetd-certutil", "-i")
	first := c.members()[0]
	for _, n := range c.members() {
		carry(server, serverDir+"qnetd-cacert.crt", n, "/root/ca.crt")
		c.run(n, "corosync-qdevice-net-certutil", "-i", "-c", "/root/ca.crt")
	}
	c.run(first, "corosync-qdevice-net-certutil", "-r", "-n", "lab")
	carry(first, nodeDir+"qdevice-net-node.crq", server, "/root/node.crq")
	c.run(server, "corosync-qnetd-certutil", "-s", "-c", "/root/node.crq", "-n", "lab")
	carry(server, serverDir+"cluster-lab.crt", first, "/root/cluster.crt")
	c.run(first, "corosync-qdevice-net-certutil", "-M", "-c", "/root/cluster.crt")
	for _, n := range c.members()[1:] {
		carry(first, nodeDir+"qdevice-net-node.p12", n, "/root/node.p12")
		c.run(n, "corosync-qdevice-net-certutil", "-m", "-c", "/root/node.p12")
	}
	c.run(server, "systemctl", "start", "corosync-qnetd")
}

// quorumOf asks a node what its votes came to.
func (c *cluster) quorumOf(n *lab.Node) (quorate bool, text string) {
	c.t.Helper()
	r := c.try(n, "corosync-quorumtool", "-s")
	return strings.Contains(r.Stdout, "Quorate:          Yes"), r.Stdout
}

// awaitVotes waits until all nodes count so many votes.
func (c *cluster) awaitVotes(total int, nodes ...*lab.Node) {
	c.t.Helper()
	want := fmt.Sprintf("Total votes:      %d\n", total)
	lab.Until(c.t, settleTimeout, strings.TrimSpace(want), func() error {
		for _, n := range nodes {
			if _, text := c.quorumOf(n); !strings.Contains(text, want) {
				return fmt.Errorf("%s: %s", n.Name, text)
			}
		}
		return nil
	})
}

// Two nodes and an arbitration server: the two cut from each other, exactly one
// goes on and the service with it; the server gone, both go on.
func TestTwoNodesWithAnArbiter(t *testing.T) {
	c := newCluster(t, 2)
	server := c.Nodes()[2]
	for _, n := range c.members() {
		c.configureNode(n, lab.CorosyncConf(2, netDevice(server)...))
	}
	c.startArbiter(server)
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	c.awaitVotes(3, c.members()...)
	active := c.startWeb(noFencing)
	if out := c.run(active, "corosync-qdevice-tool", "-s"); !strings.Contains(out, "State:\t\t\tConnected\n") {
		t.Errorf("corosync-qdevice-tool -s:\n%s", out)
	}
	if out := c.run(server, "corosync-qnetd-tool", "-l"); strings.Count(out, "Vote:\t\t\tACK (ACK)") != 2 {
		t.Errorf("corosync-qnetd-tool -l:\n%s", out)
	}

	// Cut apart; both still reach the server. The lower node has the tie-breaker.
	first, second := c.members()[0], c.members()[1]
	if err := errors.Join(first.Block(t.Context(), second), second.Block(t.Context(), first)); err != nil {
		t.Fatal(err)
	}
	lab.Until(t, settleTimeout, "one half has no quorum", func() error {
		if q, text := c.quorumOf(second); q || !strings.Contains(text, "Total votes:      1\n") {
			return errors.New(text)
		}
		return nil
	})
	lab.For(t, 5*time.Second, "exactly the first node is quorate", func() error {
		q1, text := c.quorumOf(first)
		if q2, _ := c.quorumOf(second); !q1 || q2 {
			return fmt.Errorf("first %v, second %v: %s", q1, q2, text)
		}
		return nil
	})
	c.awaitStatus(first, settleTimeout, "the group runs on the quorate half", webRuns(first))
	if err := errors.Join(first.Unblock(t.Context()), second.Unblock(t.Context())); err != nil {
		t.Fatal(err)
	}
	c.awaitOnline(c.members()...)
	c.awaitVotes(3, c.members()...)

	// The server goes: nothing happens.
	holder := c.holder(settleTimeout)
	c.run(server, "systemctl", "stop", "corosync-qnetd")
	c.awaitVotes(2, c.members()...)
	c.stays(holder, 3*time.Second)
	c.run(server, "systemctl", "start", "corosync-qnetd")
	c.awaitVotes(3, c.members()...)

	// The holder dies: the other goes on.
	holder.Kill()
	c.moved(holder, settleTimeout)
}

// sharedDisk makes a block device that nodes can be given.
func sharedDisk(t *testing.T) (major, minor uint32) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "losetup", "--find", "--show", file).Output()
	if err != nil {
		t.Skipf("this machine has no loop devices: losetup: %v", err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v: %s", err, out)
		}
	})
	var st unix.Stat_t
	if err := unix.Stat(device, &st); err != nil {
		t.Fatal(err)
	}
	return unix.Major(st.Rdev), unix.Minor(st.Rdev)
}

// Two nodes with a quorum disk on a block device: cut from each other, exactly
// one goes on; healed, both do; the holder dead, the other goes on.
func TestTwoNodesWithAQuorumDiskAndACutNetwork(t *testing.T) {
	c := newCluster(t, 2)
	major, minor := sharedDisk(t)
	attach := func(n *lab.Node) {
		c.run(n, "mknod", "/dev/qdisk", "b", fmt.Sprint(major), fmt.Sprint(minor))
	}
	for _, n := range c.members() {
		attach(n)
		c.configureNode(n, lab.CorosyncConf(2, "device {", "model: disk", "votes: 1", "disk {", "path: /dev/qdisk", "}", "}"))
	}
	c.start(c.members()...)
	c.awaitOnline(c.members()...)
	c.awaitVotes(3, c.members()...)

	first, second := c.members()[0], c.members()[1]
	if err := errors.Join(first.Block(t.Context(), second), second.Block(t.Context(), first)); err != nil {
		t.Fatal(err)
	}
	var left *lab.Node
	lab.Until(t, settleTimeout, "one half has no quorum", func() error {
		q1, text1 := c.quorumOf(first)
		q2, text2 := c.quorumOf(second)
		left = first
		if q2 {
			left = second
		}
		if q1 == q2 || !strings.Contains(text1, "Nodes:            1\n") || !strings.Contains(text2, "Nodes:            1\n") {
			return errors.New(text1 + text2)
		}
		return nil
	})
	lab.For(t, 5*time.Second, "exactly one node is quorate, and the same", func() error {
		q1, text := c.quorumOf(first)
		if q2, _ := c.quorumOf(second); q1 == q2 || q1 != (left == first) {
			return fmt.Errorf("first %v, second %v: %s", q1, q2, text)
		}
		return nil
	})
	if err := errors.Join(first.Unblock(t.Context()), second.Unblock(t.Context())); err != nil {
		t.Fatal(err)
	}
	c.awaitOnline(c.members()...)
	c.awaitVotes(3, c.members()...)

	left.Kill()
	other := first
	if left == first {
		other = second
	}
	c.awaitVotes(2, other)
	if q, text := c.quorumOf(other); !q {
		t.Errorf("%s has no quorum with the disk alone:\n%s", other.Name, text)
	}
}

// Two nodes with a quorum disk on a file that both have: the one that is left
// keeps quorum.
func TestTwoNodesWithAQuorumDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("no cluster in a short run")
	}
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c, err := bare.New(2, bin, tree)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := lab.Guard(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &bareCluster{c, t}
	t.Cleanup(func() {
		b.finish()
		guard.Close()
	})
	shared := filepath.Join(c.Dir, "qdisk")
	if err := os.WriteFile(shared, make([]byte, 2<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes() {
		if err := n.Configure(func(conf string) string {
			return strings.Replace(conf, "provider: corosync_votequorum", "provider: corosync_votequorum\n  device {\n    model: disk\n    votes: 1\n    disk {\n      path: /qdisk\n    }\n  }", 1)
		}); err != nil {
			t.Fatal(err)
		}
		if err := n.Link(shared, "/qdisk"); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	b.awaitOnline(c.Nodes()...)
	votes := func(n *bare.Node, want string) {
		t.Helper()
		lab.Until(t, formTimeout, want, func() error {
			if out, _, _ := n.Tool(t.Context(), "corosync-quorumtool", "-s"); !strings.Contains(out, want) {
				return errors.New(out)
			}
			return nil
		})
	}
	for _, n := range c.Nodes() {
		votes(n, "Total votes:      3\n")
	}
	leader := 0
	if out := b.run(c.Nodes()[0], "corosync-qdevice-tool", "-s"); strings.Contains(out, "Leader:                 2\n") {
		leader = 1
	}
	c.Nodes()[leader].Kill()
	left := c.Nodes()[1-leader]
	votes(left, "Total votes:      2\n")
	if out := b.run(left, "corosync-quorumtool", "-s"); !strings.Contains(out, "Quorate:          Yes") {
		t.Errorf("%s", out)
	}
}
