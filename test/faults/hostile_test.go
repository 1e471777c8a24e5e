// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/test/faults/hub"
)

// ringPort is where daemons listen.
const ringPort = 5405

// intruder makes a machine on the same net that is none of the cluster's nodes.
func (c *cluster) intruder(name string) *node {
	c.t.Helper()
	n := c.add(200, name)
	c.nodes = c.nodes[:len(c.nodes)-1]
	c.t.Cleanup(func() {
		n.rec.Stop()
		n.powerOff()
		_ = n.ns.Close()
		for _, kind := range []string{freezer, cpu, memory} {
			_ = os.Remove(n.group(kind))
		}
	})
	return n
}

// frameTo makes a frame with a payload for the daemon of a node.
func frameTo(to *node, from int, payload []byte) []byte {
	return hub.UDP(hardware(from, 0), hardware(to.id, 0),
		netip.AddrPortFrom(address(from, 0), ringPort), netip.AddrPortFrom(address(to.id, 0), ringPort), payload)
}

// resident is the memory of the node's daemon, descriptors and goroutines not
// counted.
func (n *node) resident() int {
	n.c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	must(n.c.t, err)
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			must(n.c.t, err)
			return kb << 10
		}
	}
	n.c.t.Fatal("no VmRSS")
	return 0
}

// unmoved does something to a cluster at rest and tells that nobody noticed.
func (c *cluster) unmoved(do func()) {
	c.t.Helper()
	c.progress(formLimit, c.nodes...)
	began := time.Now()
	do()
	must(c.t, c.onRing(c.nodes...))
	c.unchanged(began, c.nodes...)
	c.progress(formLimit, c.nodes...)
}

// N12: another machine with a node's id, one with its address, and a copy of its
// disk. The node itself goes on.
func TestN12Impostors(t *testing.T) {
	onRequest(t)
	t.Run("same id, another address", func(t *testing.T) {
		c := newCluster(t, options{nodes: 3})
		x := c.intruder("clone")
		key, err := os.ReadFile(filepath.Join(c.node(2).root, "etc/corosync/authkey"))
		must(t, err)
		conf := strings.Replace(c.conf(), "ring0_addr: "+address(2, 0).String(), "ring0_addr: "+address(200, 0).String(), 1)
		must(t, x.write(strings.Replace(conf, "name: node2", "name: clone", 1), key))
		c.unmoved(func() {
			x.start()
			<-time.After(5 * time.Second)
		})
		c.verdict(c.nodes...)
	})
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("copy of the disk, frames to both %t", shared), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			n := c.node(2)
			x := c.intruder("clone")
			must(t, os.CopyFS(filepath.Join(x.root, "etc"), os.DirFS(filepath.Join(n.root, "etc"))))
			must(t, os.CopyFS(filepath.Join(x.root, "var"), os.DirFS(filepath.Join(n.root, "var"))))
			must(t, x.become(n))
			if shared {
				c.hub.Alias(x.ports[0], hardware(n.id, 0))
			}
			began := time.Now()
			x.start()
			<-time.After(5 * time.Second)
			// Both say the same with the same key: nobody can tell them apart. It is to
			// cost no more than the one node, and to end when the copy ends.
			c.quorateThroughout(began, c.others(n)...)
			x.powerOff()
			t.Log("one ring after ", c.awaitRing(20*time.Second, c.nodes...))
			c.progress(formLimit, c.nodes...)
			t.Log(len(c.node(1).rec.Recording().Rings(began)), " rings")
			c.verdict(c.nodes...)
		})
	}
}

// N14: another key, another cluster's name.
func TestN14OtherClusterOnTheSameNet(t *testing.T) {
	onRequest(t)
	for _, what := range []string{"key", "name"} {
		t.Run(what, func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			x := c.intruder("stranger")
			key, err := os.ReadFile(filepath.Join(c.node(2).root, "etc/corosync/authkey"))
			must(t, err)
			conf := strings.Replace(c.conf(), "ring0_addr: "+address(2, 0).String(), "ring0_addr: "+address(200, 0).String(), 1)
			if what == "key" {
				_, _ = rand.Read(key)
			} else {
				conf = strings.Replace(conf, "cluster_name: faults", "cluster_name: others", 1)
			}
			must(t, x.write(conf, key))
			c.unmoved(func() {
				x.start()
				<-time.After(5 * time.Second)
			})
			c.verdict(c.nodes...)
		})
	}
}

// N15: everything that was captured comes again: what was sent in the last seconds,
// what an earlier life of a node sent, and all of it back to its sender.
func TestN15Replay(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.progress(formLimit, c.nodes...)
	c.node(2).killDaemon(syscall.SIGKILL)
	c.node(2).start()
	c.awaitRing(healLimit, c.nodes...)
	c.progress(formLimit, c.nodes...)
	c.unmoved(func() {
		frames := c.hub.Captured()
		r := mrand.New(mrand.NewPCG(seed(t), 15))
		for range 2 {
			for _, f := range frames {
				c.hub.Inject(f.Pair.From, f.Data)
				if hub.Payload(f.Data) == nil {
					continue
				}
				back := reflected(f.Data)
				c.hub.Inject(f.Pair.To, back)
				if r.IntN(50) == 0 {
					<-time.After(time.Millisecond)
				}
			}
		}
		t.Log(len(frames), " frames, four times each")
	})
	c.verdict(c.nodes...)
}

// reflected is a frame with source and destination exchanged: what was sent comes
// back as if its receiver had sent it.
func reflected(f []byte) []byte {
	src, _ := netip.AddrFromSlice(f[26:30])
	dst, _ := netip.AddrFromSlice(f[30:34])
	return hub.UDP(net.HardwareAddr(f[:6]), net.HardwareAddr(f[6:12]), netip.AddrPortFrom(dst, ringPort), netip.AddrPortFrom(src, ringPort), hub.Payload(f))
}

// N16: datagrams of every odd size, from members' addresses and others.
func TestN16OddDatagrams(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	x := c.intruder("stranger")
	c.unmoved(func() {
		r := mrand.New(mrand.NewPCG(seed(t), 16))
		for k := range 3000 {
			size := []int{0, 1, 2, 3, 27, 28, 29, 40, 64, 100, 1400, 1472}[k%12]
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			from := []int{1, 2, 3, 200, 77}[k%5]
			to := c.node(k%3 + 1)
			must(t, c.hub.Deliver(to.ports[0], frameTo(to, from, b)))
		}
		// The largest there is, in fragments of the stranger's kernel; to the port and
		// beside it.
		must(t, x.inside(func() error {
			for _, port := range []uint16{ringPort, ringPort - 1, ringPort + 1} {
				conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address(1, 0), port)))
				if err != nil {
					return err
				}
				for range 50 {
					_, _ = conn.Write(make([]byte, 65000)) // refusals of the wrong ports are expected
				}
				_ = conn.Close()
			}
			return nil
		}))
	})
	c.verdict(c.nodes...)
}

// N17: a flood of garbage at the ring's port.
func TestN17Flood(t *testing.T) {
	onRequest(t)
	for _, size := range []int{20, 1400} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			c.unmoved(func() {
				n := c.node(2)
				before := n.resident()
				garbage := make([]byte, size)
				_, _ = rand.Read(garbage)
				f := frameTo(n, 1, garbage) // as from a member
				began, sent := time.Now(), 0
				for time.Since(began) < 10*time.Second {
					if c.hub.Deliver(n.ports[0], f) == nil {
						sent++
					}
				}
				t.Logf("%d packets a second", sent/10)
				if grown := n.resident() - before; grown > 64<<20 {
					t.Errorf("the daemon grew by %d MiB", grown>>20)
				}
			})
			c.verdict(c.nodes...)
		})
	}
}

// N20: a firewall that lets in what belongs to a connection that it has seen.
// Both directions use one port on both sides, so the first packets of both make
// the connection.
func TestN20EstablishedOnly(t *testing.T) {
	onRequest(t)
	c := makeCluster(t, options{nodes: 3})
	for _, n := range c.nodes {
		rules := `table inet lab { chain in { type filter hook input priority 0; policy drop; iif lo accept; ct state established,related accept; }; chain out { type filter hook output priority 0; }; }`
		if out, err := n.command("nft", rules); err != nil {
			t.Skipf("nft: %v: %s", err, out)
		}
		n.start()
	}
	c.awaitRing(formLimit, c.nodes...)
	c.stays(5*time.Second, c.nodes...)
	n := c.node(3)
	n.killDaemon(syscall.SIGKILL)
	n.start()
	c.awaitRing(formLimit, c.nodes...)
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}
