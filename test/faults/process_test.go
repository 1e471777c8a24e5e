// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

const (
	// respawn is what a unit waits before it starts a daemon again.
	respawn = 100 * time.Millisecond
	// deathLimit is within which a silent death has to be out of the ring.
	deathLimit = 1600 * time.Millisecond
	// slack is what a busy machine may add to such a limit: on one with other things
	// to do a process is not run for a second now and then.
	slack = 3 * time.Second
)

// killDaemon ends the node's process by a signal and waits until it is gone.
func (n *node) killDaemon(s syscall.Signal) {
	n.c.t.Helper()
	must(n.c.t, n.cmd.Process.Signal(s))
	lab.Until(n.c.t, formLimit, n.name+": the daemon ends", func() error {
		if n.running() {
			return fmt.Errorf("signal %v does not end it", s)
		}
		return nil
	})
}

// quorateThroughout tells that nodes were quorate in every view since a time.
func (c *cluster) quorateThroughout(since time.Time, nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		for _, v := range n.rec.Recording().Views {
			if v.At.After(since) && (v.Gone || !v.Quorate) {
				c.t.Errorf("%s: gone %t, quorate %t %v after the beginning", n, v.Gone, v.Quorate, v.At.Sub(since).Round(time.Millisecond))
			}
		}
	}
}

// P1: the daemon is killed and started again, as its unit does it.
func TestP1KilledDaemonComesBack(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.progress(formLimit, c.nodes...)
	began := time.Now()
	for _, i := range []int{2, 1} { // the second is the representative
		n := c.node(i)
		n.killDaemon(syscall.SIGKILL)
		<-time.After(respawn)
		n.start()
		t.Log(n, " is back after ", c.awaitRing(healLimit, c.nodes...))
		c.progress(formLimit, c.nodes...)
	}
	c.quorateThroughout(began, c.node(3))
	c.verdict(c.nodes...)
}

// goesOn judges a node that stood still since an instant for a share of the token
// timeout: less than one costs nobody anything, more costs that node its place.
func (c *cluster) goesOn(n *node, began time.Time, share float64) {
	c.t.Helper()
	c.t.Log("one ring after ", c.awaitRing(healLimit, c.nodes...))
	<-time.After(token)
	c.awaitRing(healLimit, c.nodes...)
	if share < 1 {
		c.nobodyLeft(began, c.nodes...)
	}
	c.quorateThroughout(began, c.others(n)...)
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// P2: the daemon is stopped and goes on. Half a token timeout costs nothing; twice
// of it costs its membership, and what it does then is of the present.
func TestP2StoppedDaemon(t *testing.T) {
	onRequest(t)
	for _, i := range []int{1, 2} {
		for _, share := range []float64{0.5, 0.8, 2, 5} {
			t.Run(fmt.Sprintf("node%d for %v of the token", i, share), func(t *testing.T) {
				c := newCluster(t, options{nodes: 3})
				n := c.node(i)
				began := time.Now()
				must(t, n.cmd.Process.Signal(syscall.SIGSTOP))
				if share >= 2 {
					t.Log("the others after ", c.awaitRing(deathLimit+slack, c.others(n)...))
				}
				<-time.After(time.Until(began.Add(time.Duration(share * float64(token)))))
				must(t, n.cmd.Process.Signal(syscall.SIGCONT))
				c.goesOn(n, began, share)
			})
		}
	}
	t.Run("for ever", func(t *testing.T) {
		c := newCluster(t, options{nodes: 3})
		n := c.node(1)
		must(t, n.cmd.Process.Signal(syscall.SIGSTOP))
		c.awaitRing(deathLimit+slack, c.others(n)...)
		c.stays(10*time.Second, c.others(n)...)
		must(t, n.cmd.Process.Kill())
		<-n.dead
		n.start()
		c.awaitRing(formLimit, c.nodes...)
		c.verdict(c.nodes...)
	})
}

// P3, P11: a daemon that dies again and again. The others keep their quorum and
// their order, and take it in when it lives.
func TestP3CrashLoop(t *testing.T) {
	onRequest(t)
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV} {
		t.Run(s.String(), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			r := rand.New(rand.NewPCG(seed(t), 3))
			began := time.Now()
			const times = 25
			n := c.node(2)
			for range times {
				n.killDaemon(s)
				<-time.After(respawn)
				n.start()
				<-time.After(time.Duration(r.Int64N(int64(700 * time.Millisecond))))
			}
			t.Log("one ring after ", c.awaitRing(2*healLimit, c.nodes...))
			if rings := len(c.node(1).rec.Recording().Rings(began)); rings > 2*times+2 {
				t.Errorf("%d rings for %d deaths", rings, times)
			}
			c.quorateThroughout(began, c.others(n)...)
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// P5: power off. The others are one ring within the limit, whoever goes.
func TestP5PowerOff(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.progress(formLimit, c.nodes...)
	n := c.node(1)
	c.split([]*node{n}, c.others(n)) // its machine answers nobody any more
	n.powerOff()
	took := c.awaitRing(deathLimit+slack, c.others(n)...)
	t.Log("the others after ", took)
	c.progress(formLimit, c.others(n)...)
	c.heal()
	n.start()
	t.Log("one ring after ", c.awaitRing(healLimit, c.nodes...))
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// P5: power off at any moment of what the ring is doing, among it the change that
// the loss of another node causes.
func TestP5PowerOffDuringChanges(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 5})
	r := rand.New(rand.NewPCG(seed(t), 5))
	for range 6 {
		p := r.Perm(5)
		a, b := c.node(p[0]+1), c.node(p[1]+1)
		c.split([]*node{a}, c.others(a))
		a.powerOff()
		<-time.After(time.Duration(r.Int64N(int64(1500 * time.Millisecond))))
		c.split([]*node{b}, c.others(b))
		b.powerOff()
		c.awaitRing(2*deathLimit+slack, c.others(a, b)...)
		c.heal()
		a.start()
		<-time.After(time.Duration(r.Int64N(int64(300 * time.Millisecond))))
		b.start()
		c.awaitRing(2*healLimit, c.nodes...)
	}
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// P6: all are off, then started in every order, one staying away.
func TestP6AllOff(t *testing.T) {
	onRequest(t)
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait_for_all %t", wait), func(t *testing.T) {
			o := options{nodes: 3}
			if wait {
				o.quota = []string{"wait_for_all: 1"}
			}
			c := newCluster(t, o)
			for _, order := range [][]int{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
				for _, n := range c.nodes {
					n.powerOff()
				}
				p := c.pick(order...)
				p[0].start()
				lab.Until(t, formLimit, "the first is alone, without quorum", func() error { return c.onRing(p[0]) })
				p[1].start()
				if wait {
					lab.Until(t, formLimit, "two wait for the third", func() error {
						v := p[1].rec.View()
						if len(v.Nodes) != 3 || v.Quorate || v.TotalVotes != 2 {
							return fmt.Errorf("%+v", v)
						}
						return nil
					})
					lab.For(t, 2*token, "they go on waiting", func() error {
						if p[0].rec.View().Quorate || p[1].rec.View().Quorate {
							return fmt.Errorf("quorate")
						}
						return nil
					})
				} else {
					c.awaitRing(formLimit, p[:2]...)
				}
				p[2].start()
				c.awaitRing(formLimit, c.nodes...)
			}
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// P7: a node is back before anybody could miss it.
func TestP7RebootFasterThanTheToken(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	began := time.Now()
	for k := range 8 {
		n := c.node(k%3 + 1)
		before := len(n.rec.Recording().Memberships)
		n.powerOff()
		n.start()
		t.Log(n, " is back after ", c.awaitRing(healLimit, c.nodes...))
		lab.Until(t, formLimit, "the new life joins the group", func() error {
			if now := len(n.rec.Recording().Memberships); now <= before {
				return fmt.Errorf("%d memberships", now)
			}
			return nil
		})
		c.progress(formLimit, c.nodes...)
	}
	t.Log(len(c.node(1).rec.Recording().Rings(began)), " rings")
	c.verdict(c.nodes...)
}

// P8: a whole node is frozen and thawed.
func TestP8FrozenNode(t *testing.T) {
	onRequest(t)
	for _, share := range []float64{0.5, 0.8, 1, 5} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			n := c.node(1)
			began := time.Now()
			n.freeze(true)
			<-time.After(time.Duration(share * float64(token)))
			n.freeze(false)
			c.goesOn(n, began, share)
		})
	}
	t.Run("all of them, one after the other", func(t *testing.T) {
		c := newCluster(t, options{nodes: 3})
		for _, n := range c.nodes {
			n.freeze(true)
			<-time.After(token / 4)
		}
		<-time.After(3 * token)
		for _, n := range c.nodes {
			n.freeze(false)
		}
		c.awaitRing(2*healLimit, c.nodes...)
		c.progress(formLimit, c.nodes...)
		c.verdict(c.nodes...)
	})
}

// P9: a stop at any phase of the start ends cleanly, and leaves the others as they
// were.
func TestP9StopDuringStart(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3})
	r := rand.New(rand.NewPCG(seed(t), 9))
	n := c.node(3)
	n.killDaemon(syscall.SIGTERM)
	began := time.Now()
	for k := range 20 {
		n.start()
		<-time.After(time.Duration(20+r.IntN(50*(k+1))) * time.Millisecond)
		n.killDaemon(syscall.SIGTERM)
		if code := n.cmd.ProcessState.ExitCode(); code != 0 {
			// Before the program installs its handler a SIGTERM ends it as any other.
			if ws, ok := n.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
				t.Errorf("stop %d: exit code %d", k, code)
			}
		}
	}
	c.awaitRing(healLimit, c.others(n)...)
	c.quorateThroughout(began, c.others(n)...)
	n.start()
	c.awaitRing(healLimit, c.nodes...)
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}
