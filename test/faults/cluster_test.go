// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/test/e2e/lab"
	"github.com/quorate/quorate/test/faults/hub"
	"github.com/quorate/quorate/test/faults/judge"
)

const (
	// token is the timeout of three nodes by default; limits are made of it.
	token = 1125 * time.Millisecond
	// formLimit is for a ring of nodes that hear each other, on a machine that has
	// other things to do.
	formLimit = 10 * time.Second
	// healLimit is for one ring after a cut has healed.
	healLimit = time.Second + slack
	// pace is how often each node sends.
	pace = 20 * time.Millisecond
)

// Options say what a cluster is.
type options struct {
	nodes int
	links int      // 1 where not given
	totem []string // lines of the totem section
	quota []string // lines of the quorum section
	all   bool     // all daemons, not just messagingd
	quiet bool     // nobody sends
}

// A cluster is nodes on a hub, while a test uses them.
type cluster struct {
	options
	t     *testing.T
	dir   string
	bin   string
	hub   *hub.Hub
	nodes []*node
}

// newCluster makes the nodes and starts their daemons, and waits for the ring.
func newCluster(t *testing.T, o options) *cluster {
	t.Helper()
	c := makeCluster(t, o)
	for _, n := range c.nodes {
		n.start()
	}
	c.awaitRing(formLimit, c.nodes...)
	return c
}

// makeCluster makes the nodes; nothing runs.
func makeCluster(t *testing.T, o options) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("no nodes in a short run")
	}
	if why := missing(); why != "" {
		t.Skip(why)
	}
	bin, err := programs()
	must(t, err)
	dir, err := os.MkdirTemp("", "quorate-faults-")
	must(t, err)
	guard, err := lab.Guard(dir)
	must(t, err)
	o.links = max(o.links, 1)
	c := &cluster{options: o, t: t, dir: dir, bin: bin}
	t.Cleanup(func() {
		c.down()
		must(t, guard.Close())
	})
	c.hub, err = hub.New(seed(t))
	must(t, err)
	key := make([]byte, 128)
	_, _ = rand.Read(key) // never fails
	for i := 1; i <= o.nodes; i++ {
		n := c.add(i, "node"+strconv.Itoa(i))
		must(t, n.write(c.conf(), key))
	}
	return c
}

// add makes a node, with its recorder unless the cluster is quiet.
func (c *cluster) add(id int, name string) *node {
	c.t.Helper()
	n := &node{id: id, name: name, c: c, root: filepath.Join(c.dir, name)}
	var err error
	n.ns, err = lab.NewNamespace()
	must(c.t, err)
	must(c.t, n.plug(c.links, c.options.nodes))
	must(c.t, os.MkdirAll(n.root, 0o755))
	p := pace
	if c.quiet {
		p = 0
	}
	n.rec = judge.Record(messaging.NodeID(id), n.socket(), p)
	c.nodes = append(c.nodes, n)
	return n
}

func (c *cluster) conf() string {
	var b strings.Builder
	b.WriteString("totem {\n\tversion: 2\n\tcluster_name: faults\n\ttransport: " + map[bool]string{false: "udpu", true: "knet"}[c.links > 1] + "\n")
	for _, l := range c.totem {
		b.WriteString("\t" + l + "\n")
	}
	b.WriteString("}\nnodelist {\n")
	for i := 1; i <= c.options.nodes; i++ {
		fmt.Fprintf(&b, "\tnode {\n\t\tname: node%d\n\t\tnodeid: %d\n", i, i)
		for l := range c.links {
			fmt.Fprintf(&b, "\t\tring%d_addr: %s\n", l, address(i, l))
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\nquorum {\n\tprovider: corosync_votequorum\n")
	for _, l := range c.quota {
		b.WriteString("\t" + l + "\n")
	}
	b.WriteString("}\nlogging {\n\tto_syslog: no\n}\n")
	return b.String()
}

func (c *cluster) down() {
	for _, n := range c.nodes {
		n.rec.Stop()
		n.powerOff()
	}
	if c.t.Failed() {
		c.save()
	}
	if c.hub != nil {
		must(c.t, c.hub.Close())
	}
	for _, n := range c.nodes {
		_ = n.ns.Close()
		for _, kind := range []string{freezer, cpu, memory} {
			_ = os.Remove(n.group(kind))
			_ = os.Remove(filepath.Dir(n.group(kind)))
		}
	}
}

// save keeps the evidence of a failed test.
func (c *cluster) save() {
	dir := filepath.Join(logFolder(), strings.ReplaceAll(c.t.Name(), "/", "_"))
	_ = os.MkdirAll(dir, 0o755)
	for _, n := range c.nodes {
		if text, err := os.ReadFile(n.logName()); err == nil {
			_ = os.WriteFile(filepath.Join(dir, n.name+".log"), text, 0o644)
		}
		var b strings.Builder
		for _, v := range n.rec.Recording().Views {
			fmt.Fprintf(&b, "%s gone=%t ring=%v quorate=%t members=%v\n", v.At.Format("15:04:05.000000"), v.Gone, v.Ring, v.Quorate, judge.Members(v.QuorumView))
		}
		_ = os.WriteFile(filepath.Join(dir, n.name+".views"), []byte(b.String()), 0o644)
	}
	for name, write := range map[string]func(*os.File) error{
		"frames.log":  func(f *os.File) error { return c.hub.Log(f) },
		"frames.pcap": func(f *os.File) error { return c.hub.WritePcap(f) },
	} {
		if f, err := os.Create(filepath.Join(dir, name)); err == nil {
			_ = write(f)
			_ = f.Close()
		}
	}
	c.t.Logf("seed %d; frames: %v; logs: %s", seed(c.t), c.hub.Stats(), dir)
}

// node returns node i, counted from 1.
func (c *cluster) node(i int) *node { return c.nodes[i-1] }

// pick returns nodes by their numbers.
func (c *cluster) pick(numbers ...int) []*node {
	var out []*node
	for _, i := range numbers {
		out = append(out, c.node(i))
	}
	return out
}

// others returns all nodes but some.
func (c *cluster) others(not ...*node) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return slices.Contains(not, n) })
}

// change changes the faults of the direction from a to b, on all links.
func (c *cluster) change(a, b *node, change func(*hub.Faults)) {
	for l := range a.ports {
		c.hub.Change(hub.Pair{From: a.ports[l], To: b.ports[l]}, change)
	}
}

// everywhere gives all directions the same faults.
func (c *cluster) everywhere(f hub.Faults) {
	for _, a := range c.nodes {
		for _, b := range c.others(a) {
			c.change(a, b, func(old *hub.Faults) { *old = f })
		}
	}
}

func cut(f *hub.Faults)  { f.Cut = true }
func heal(f *hub.Faults) { f.Cut = false }

// split cuts the nodes into sides that do not hear each other.
func (c *cluster) split(sides ...[]*node) {
	for i, side := range sides {
		for _, other := range slices.Concat(sides[i+1:]...) {
			for _, n := range side {
				c.change(n, other, cut)
				c.change(other, n, cut)
			}
		}
	}
}

// heal ends all faults of the network.
func (c *cluster) heal() { c.everywhere(hub.Faults{}) }

// onRing tells that the nodes, and no others, are on one ring, and that they are
// quorate exactly if they are more than half.
func (c *cluster) onRing(nodes ...*node) error {
	want := ids(nodes)
	slices.Sort(want)
	quorate := 2*len(nodes) > c.options.nodes
	first := nodes[0].rec.View()
	for _, n := range nodes {
		v := n.rec.View()
		if got := judge.Members(v.QuorumView); v.Gone || !slices.Equal(got, want) {
			return fmt.Errorf("%s is with %v (gone: %t), want %v", n, got, v.Gone, want)
		}
		if v.Ring != first.Ring {
			return fmt.Errorf("%s is on ring %v, %s on %v", n, v.Ring, nodes[0], first.Ring)
		}
		if v.Quorate != quorate {
			return fmt.Errorf("%s of %v: quorate is %t", n, want, v.Quorate)
		}
	}
	return nil
}

// awaitRing waits for onRing and tells how long that took.
func (c *cluster) awaitRing(limit time.Duration, nodes ...*node) time.Duration {
	c.t.Helper()
	return lab.Until(c.t, limit, fmt.Sprintf("one ring of %v", ids(nodes)), func() error { return c.onRing(nodes...) })
}

// stays watches for a time that the nodes stay on the ring that they are on.
func (c *cluster) stays(period time.Duration, nodes ...*node) {
	c.t.Helper()
	began := time.Now()
	lab.For(c.t, period, "the ring stays", func() error { return c.onRing(nodes...) })
	c.unchanged(began, nodes...)
}

// unchanged tells that the nodes have been on one ring since a time.
func (c *cluster) unchanged(since time.Time, nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		if r := n.rec.Recording().Rings(since); len(r) != 1 {
			c.t.Errorf("%s was on the rings %v", n, r)
		}
	}
}

// nobodyLeft tells that since a time each node has seen all of them. Their ring may
// have changed: a token that was lost costs a new ring of the same nodes.
func (c *cluster) nobodyLeft(since time.Time, nodes ...*node) {
	c.t.Helper()
	want := ids(nodes)
	for _, n := range nodes {
		for _, v := range n.rec.Recording().Views {
			if got := judge.Members(v.QuorumView); v.At.After(since) && !slices.Equal(got, want) {
				c.t.Errorf("%s: members %v %v after the beginning (gone: %t)", n, got, v.At.Sub(since).Round(time.Millisecond), v.Gone)
			}
		}
		if r := len(n.rec.Recording().Rings(since)); r > 1 {
			c.t.Logf("%s: %d rings of the same members", n, r)
		}
	}
}

// progress tells that messages of each node reach all of them, from now on.
func (c *cluster) progress(limit time.Duration, nodes ...*node) {
	c.t.Helper()
	before := map[[2]int]int{}
	for _, to := range nodes {
		for _, from := range nodes {
			before[[2]int{to.id, from.id}] = to.rec.Delivered(messaging.NodeID(from.id))
		}
	}
	lab.Until(c.t, limit, "messages of all come to all", func() error {
		for _, to := range nodes {
			for _, from := range nodes {
				if to.rec.Delivered(messaging.NodeID(from.id)) <= before[[2]int{to.id, from.id}] {
					return fmt.Errorf("%s has nothing new from %s", to, from)
				}
			}
		}
		return nil
	})
}

// verdict waits until all that was sent has come, ends the recording and reports
// what it shows. The nodes given are on one ring; their tools say so too.
func (c *cluster) verdict(nodes ...*node) {
	c.t.Helper()
	for _, n := range c.nodes {
		n.rec.Pace(0)
	}
	if !c.quiet {
		lab.Until(c.t, formLimit, "all that was accepted is delivered", func() error {
			for _, n := range nodes {
				s := n.rec.Recording().Memberships
				if len(s) == 0 {
					return fmt.Errorf("%s never joined", n)
				}
				last := s[len(s)-1]
				own := uint64(0)
				for _, e := range last.Events {
					if e.Change == nil && e.Message.From == last.Self {
						own = e.Message.Seq
					}
				}
				if own < last.Accepted {
					return fmt.Errorf("%s: %d of %d", n, own, last.Accepted)
				}
			}
			return nil
		})
	}
	for _, n := range nodes {
		must(c.t, c.toolsAgree(n, nodes))
	}
	var recs []judge.Recording
	for _, n := range c.nodes {
		recs = append(recs, n.rec.Recording())
	}
	for _, f := range judge.Check(recs) {
		c.t.Error(f)
	}
}

// toolsAgree asks the tools of a node who is on the ring.
func (c *cluster) toolsAgree(n *node, nodes []*node) error {
	out, code := n.tool("corosync-quorumtool", "-s")
	quorate := 2*len(nodes) > c.options.nodes
	wantCode := map[bool]int{true: 0, false: 2}[quorate]
	if !strings.Contains(out, fmt.Sprintf("Nodes:            %d\n", len(nodes))) || code != wantCode {
		return fmt.Errorf("%s: corosync-quorumtool -s: exit code %d, want %d nodes:\n%s", n, code, len(nodes), out)
	}
	if out, code := n.tool("corosync-cfgtool", "-s"); code != 0 || !strings.Contains(out, fmt.Sprintf("nodeid:          %d:", n.id)) && !strings.Contains(out, "Local node ID "+strconv.Itoa(n.id)) {
		return fmt.Errorf("%s: corosync-cfgtool -s: exit code %d\n%s", n, code, out)
	}
	for _, other := range nodes {
		if got := n.key(fmt.Sprintf("runtime.members.%d.status", other.id)); got != "joined" {
			return fmt.Errorf("%s: runtime.members.%d.status is %q", n, other.id, got)
		}
	}
	return nil
}
