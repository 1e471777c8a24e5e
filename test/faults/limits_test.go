// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
	"github.com/quorate/quorate/test/e2e/lab"
)

// join makes a client of a node's daemon a member of a group.
func (c *cluster) join(n *node, group string) messaging.Group {
	c.t.Helper()
	b, err := client.Dial(n.socket())
	must(c.t, err)
	c.t.Cleanup(func() { _ = b.Close() })
	g, err := b.Join(c.t.Context(), group)
	must(c.t, err)
	return g
}

// limit writes a value of a control group, or skips the test where it cannot.
func (n *node) limit(kind, file, value string) {
	n.c.t.Helper()
	if err := os.WriteFile(filepath.Join(n.group(kind), file), []byte(value), 0o644); err != nil {
		n.c.t.Skipf("this machine has no such limit: %v", err)
	}
}

// T4: nodes whose monotonic and boot clocks differ by years.
func TestT4ClocksOfOtherBoots(t *testing.T) {
	onRequest(t)
	c := makeCluster(t, options{nodes: 3})
	for i, n := range c.nodes {
		off := strconv.Itoa(i * 100_000_000)
		n.wrap = []string{"unshare", "--time", "--monotonic", off, "--boottime", off, "--fork", "--kill-child", "--"}
		if out, err := n.command(append(n.wrap, "true")...); err != nil {
			t.Skipf("no time namespaces: %v: %s", err, out)
		}
		n.start()
	}
	c.awaitRing(formLimit, c.nodes...)
	c.progress(formLimit, c.nodes...)
	n := c.node(3)
	n.powerOff()
	t.Log("the others after ", c.awaitRing(deathLimit+slack, c.others(n)...))
	n.wrap = nil // a boot with a clock three years behind
	n.start()
	t.Log("one ring after ", c.awaitRing(healLimit, c.nodes...))
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// T5: a daemon that gets a twentieth of a processor for half a minute. The others
// go on with or without it; it does not disturb them.
func TestT5StarvedDaemon(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	n := c.node(2)
	began := time.Now()
	n.limit(cpu, "cpu.cfs_period_us", "100000")
	n.limit(cpu, "cpu.cfs_quota_us", "5000")
	lab.For(t, 30*time.Second, "the others are quorate", func() error {
		for _, o := range c.others(n) {
			if v := o.rec.View(); v.Gone || !v.Quorate {
				return fmt.Errorf("%s: gone %t, quorate %t", o, v.Gone, v.Quorate)
			}
		}
		return nil
	})
	n.limit(cpu, "cpu.cfs_quota_us", "-1")
	t.Log(len(c.node(1).rec.Recording().Rings(began)), " rings")
	t.Log("one ring after ", c.awaitRing(20*time.Second, c.nodes...))
	c.quorateThroughout(began, c.others(n)...)
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// T6: a daemon that runs out of memory is killed and comes back.
func TestT6OutOfMemory(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	n := c.node(2)
	began := time.Now()
	n.limit(memory, "memory.limit_in_bytes", strconv.Itoa(n.resident()/2&^4095))
	slow := c.join(c.node(1), "oom") // and makes the others' messages large meanwhile
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n.running() && ctx.Err() == nil {
		if err := slow.Multicast(ctx, make([]byte, 1<<20)); err != nil {
			break
		}
	}
	lab.Until(t, formLimit, "the daemon is killed", func() error {
		if n.running() {
			return fmt.Errorf("it runs with %d bytes", n.resident())
		}
		return nil
	})
	n.limit(memory, "memory.limit_in_bytes", "-1")
	n.start()
	t.Log("one ring after ", c.awaitRing(2*healLimit, c.nodes...))
	c.quorateThroughout(began, c.node(3))
	c.verdict(c.nodes...)
}

// T8: no descriptors are left. The ring stays, clients that are there are served,
// and new ones come again once there are some.
func TestT8NoDescriptors(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	n := c.node(1)
	c.unmoved(func() {
		pid := n.cmd.Process.Pid
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		must(t, err)
		var old unix.Rlimit
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old))
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(len(open)), Max: old.Max}, nil))
		var waiting []net.Conn
		for range 200 {
			if conn, err := net.DialTimeout("unix", n.socket(), time.Second); err == nil {
				waiting = append(waiting, conn)
			}
		}
		c.progress(formLimit, c.nodes...)
		before := cpuTime(t, pid)
		<-time.After(2 * time.Second)
		if used := cpuTime(t, pid) - before; used > time.Second {
			t.Errorf("the daemon used %v of processor in 2 s without descriptors", used)
		}
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil))
		for _, w := range waiting {
			_ = w.Close()
		}
		c.join(n, "after")
	})
	c.verdict(c.nodes...)
}

// cpuTime is what a process has used.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	var clock unix.Timespec
	// The kernel's number for the processor clock of another process.
	must(t, unix.ClockGettime(int32(^pid<<3|2), &clock))
	return time.Duration(clock.Nano())
}

// T10: a thousand clients that come at once, stay, and read nothing; among them
// members of a group that others fill. Nobody waits for them.
func TestT10ManyClientsAndSlowReaders(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	c.unmoved(func() {
		b, err := client.Dial(c.node(1).socket())
		must(t, err)
		defer b.Close()
		for k := range 1000 {
			_, err := b.Join(t.Context(), fmt.Sprintf("group%d", k%100))
			must(t, err)
		}
		sender := c.join(c.node(2), "group7")
		for range 2000 { // ten members on node1 do not read
			must(t, sender.Multicast(t.Context(), make([]byte, 8<<10)))
		}
		c.progress(formLimit, c.nodes...)
		if rss := c.node(1).resident(); rss > 1<<30 {
			t.Errorf("the daemon has %d MiB", rss>>20)
		} else {
			t.Logf("%d MiB", rss>>20)
		}
	})
	c.verdict(c.nodes...)
}

// P2: a stopped daemon is not waited for by those who ask it.
func TestP2ToolsOfAStoppedDaemon(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	n := c.node(1)
	must(t, n.cmd.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	if out, code := n.tool("corosync-quorumtool", "-s"); code == 0 {
		t.Errorf("it answers:\n%s", out)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the tool waited for %v", took)
	}
	must(t, n.cmd.Process.Signal(syscall.SIGCONT))
	c.awaitRing(2*healLimit, c.nodes...)
	c.verdict(c.nodes...)
}
