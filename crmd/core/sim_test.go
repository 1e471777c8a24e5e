// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/machine"
)

// A cluster is N whole controllers with simulated rings, CIBs, executors, policy
// engines and real transition machines, driven from one seed.
type cluster struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	now    time.Duration
	queue  eventQueue
	seq    int
	nodes  []*simNode
	part   map[int]int // node index → partition
	ring   uint64
	client uint64
	config string
	log    []string
	check  checker
	// fenceOK tells whether a fence device works.
	fenceOK  func(target string) bool
	fenced   map[string]int
	schedule func(root *etree.Element, now time.Time) (*graph.Graph, pengine.Reply)
	failures map[string]int           // "RSC ACTION NODE" → exit code
	slow     map[string]time.Duration // "RSC ACTION" → how long it takes
	// writeTakes is how long changes of the CIB take that a node asks for, where
	// it is more than usual.
	writeTakes map[string]time.Duration
	// lose tells whether a message does not reach a node.
	lose    func(from, to *simNode, m *wire.Message) bool
	graphs  int
	verbose bool
}

type simEvent struct {
	at  time.Duration
	seq int
	f   func()
}

type eventQueue []simEvent

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || (q[i].at == q[j].at && q[i].seq < q[j].seq)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

type simNode struct {
	c       *cluster
	i       int
	id      messaging.NodeID
	name    string
	up      bool // the machine runs
	crm     bool // its controller runs
	gen     int  // of the machine
	crmGen  int  // of the controller
	core    *Core
	member  messaging.MemberID
	inGroup bool
	root    *etree.Element
	table   attrs.Table
	lrm     *simLRM
	m       *machine.Machine
	mGen    int
	timers  map[string]int
	last    map[string]time.Duration
	ids     int
	exited  error
	replies map[Token]error
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newCluster(t *testing.T, seed uint64, n int, config string) *cluster {
	c := &cluster{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), part: map[int]int{}, config: config,
		fenceOK: func(string) bool { return true }, fenced: map[string]int{}, failures: map[string]int{}, slow: map[string]time.Duration{}, writeTakes: map[string]time.Duration{},
		check: newChecker(),
	}
	c.schedule = decide
	for i := range n {
		c.nodes = append(c.nodes, &simNode{c: c, i: i, id: messaging.NodeID(i + 1), name: fmt.Sprintf("node%d", i+1)})
	}
	return c
}

func (c *cluster) after(d time.Duration, f func()) {
	c.seq++
	heap.Push(&c.queue, simEvent{c.now + d, c.seq, f})
}

func (c *cluster) tracef(format string, args ...any) {
	line := fmt.Sprintf("%10.3f ", c.now.Seconds()) + fmt.Sprintf(format, args...)
	c.log = append(c.log, line)
	if c.verbose {
		c.t.Log(line)
	}
}

// runFor lets virtual time pass.
func (c *cluster) runFor(d time.Duration) {
	until := c.now + d
	for len(c.queue) > 0 && c.queue[0].at <= until {
		e := heap.Pop(&c.queue).(simEvent)
		c.now = e.at
		e.f()
		if c.check.violation != "" {
			c.fatalf("%s", c.check.violation)
		}
	}
	c.now = until
}

func (c *cluster) fatalf(format string, args ...any) {
	c.t.Helper()
	tail := c.log
	if len(tail) > 250 {
		tail = tail[len(tail)-250:]
	}
	c.t.Fatalf("seed %d: %s\n%s", c.seed, fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// waitFor runs until the condition holds.
func (c *cluster) waitFor(what string, limit time.Duration, cond func() bool) time.Duration {
	c.t.Helper()
	from := c.now
	for c.now-from < limit {
		if cond() {
			return c.now - from
		}
		c.runFor(5 * time.Millisecond)
	}
	for _, n := range c.nodes {
		if n.up && n.crm {
			c.tracef("%s: %s dc=%v hold=%q dirty=%v need=%v have=%v writes=%d", n.name, n.core.state, n.core.am, n.core.holdBack(), n.core.te.dirty, n.core.need, n.core.version, len(n.core.writes))
		}
	}
	if d := c.dc(); d != nil && *simSeed != 0 {
		_ = os.WriteFile("/tmp/crmd-sim-cib.xml", document.Format(d.root), 0o600)
	}
	c.fatalf("%s: not within %v", what, limit)
	return 0
}

func (c *cluster) jitter(most time.Duration) time.Duration {
	return time.Duration(c.rng.Int64N(int64(most) + 1))
}

// --- machines

func (c *cluster) boot(i int) {
	n := c.nodes[i]
	n.up = true
	n.gen++
	n.root, n.table = nil, attrs.Table{}
	for _, o := range c.nodes {
		if o != n && o.up && o.root != nil && c.part[o.i] == c.part[i] {
			n.root, n.table = document.Clone(o.root), o.table
		}
	}
	if n.root == nil {
		n.root = document.Empty("pacemaker-3.9")
		conf, err := document.Parse([]byte(c.config))
		if err != nil {
			c.t.Fatal(err)
		}
		n.root.RemoveChild(document.Child(n.root, "configuration"))
		n.root.InsertChildAt(0, conf)
	}
	n.lrm = newSimLRM(n)
	c.tracef("%s boots", n.name)
	n.startCRM()
	c.membership()
}

func (n *simNode) startCRM() {
	n.crm = true
	n.crmGen++
	n.timers, n.last = map[string]int{}, map[string]time.Duration{}
	n.m, n.inGroup, n.exited = nil, false, nil
	n.replies = map[Token]error{}
	n.member = messaging.MemberID{}
	cfg := DefaultConfig(n.id, n.name, func() string {
		n.ids++
		return fmt.Sprintf("%08d-0000-4000-8000-%04d%08d", n.i+1, n.crmGen, n.ids)
	})
	cfg.Cluster = "sim"
	n.core = New(cfg)
	n.do(func(t Time) { n.core.Start(t) })
	n.do(func(t Time) { n.core.Quorum(t, n.c.view(n)) })
	n.do(func(t Time) { n.core.LRMSnapshot(t, n.lrm.snapshot()) })
	n.do(func(t Time) { n.core.CIBSnapshot(t, n.root, operation.VersionOf(n.root)) })
}

// do runs one event of the controller and its effects.
func (n *simNode) do(f func(Time)) {
	if !n.up || !n.crm {
		return
	}
	f(Time{n.c.now, epoch.Add(n.c.now)})
	for _, e := range n.core.Take() {
		n.effect(e)
	}
}

// later delivers to the controller after a while, in order for each channel.
func (n *simNode) later(channel string, d time.Duration, f func(Time)) {
	if !n.crm {
		return
	}
	gen, crm := n.gen, n.crmGen
	at := max(n.c.now+d, n.last[channel])
	n.last[channel] = at
	n.c.after(at-n.c.now, func() {
		if n.gen == gen && n.crmGen == crm {
			n.do(f)
		}
	})
}

// crash stops the machine at once.
func (c *cluster) crash(i int) {
	n := c.nodes[i]
	if !n.up {
		return
	}
	c.tracef("%s crashes", n.name)
	n.up, n.crm, n.inGroup = false, false, false
	n.gen++
	c.check.died(n.name)
	c.after(time.Second, c.membership)
}

// killCRM ends the controller alone; its supervisor starts it again after a
// while.
func (c *cluster) killCRM(i int, back time.Duration) {
	n := c.nodes[i]
	if !n.up || !n.crm {
		return
	}
	c.tracef("controller of %s killed", n.name)
	was := n.member
	n.crm, n.inGroup = false, false
	n.crmGen++
	c.groupChange(nil, []messaging.MemberChange{{Member: was, Reason: messaging.ReasonProcDown}}, c.part[i])
	gen := n.gen
	c.after(back, func() {
		if n.gen == gen && !n.crm {
			n.startCRM()
		}
	})
}

// --- ring, group, quorum

func (c *cluster) view(n *simNode) messaging.QuorumView {
	v := messaging.QuorumView{Ring: messaging.RingID{Rep: 1, Seq: c.ring}, Self: n.id}
	for _, o := range c.nodes {
		member := o.up && c.part[o.i] == c.part[n.i]
		if member {
			v.TotalVotes++
		}
		v.Nodes = append(v.Nodes, messaging.Node{ID: o.id, Name: o.name, Votes: 1, Member: member})
	}
	v.Quorum = uint32(len(c.nodes)/2 + 1)
	v.Quorate = v.TotalVotes >= v.Quorum
	return v
}

// membership tells everybody of a new ring: views and configuration changes.
func (c *cluster) membership() {
	c.ring++
	for _, n := range c.nodes {
		if !n.up {
			continue
		}
		v := c.view(n)
		n.later("quorum", c.jitter(3*time.Millisecond), func(t Time) { n.core.Quorum(t, v) })
	}
	for _, p := range c.partitions() {
		c.groupChange(nil, nil, p)
	}
}

func (c *cluster) partitions() []int {
	var list []int
	for i := range c.nodes {
		list = append(list, c.part[i])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// groupChange delivers a configuration change to the controllers of a
// partition. Each compares it with the members that it knew.
func (c *cluster) groupChange(joined, left []messaging.MemberChange, part int) {
	var members []messaging.MemberID
	for _, n := range c.nodes {
		if n.inGroup && c.part[n.i] == part {
			members = append(members, n.member)
		}
	}
	ring := messaging.RingID{Rep: 1, Seq: c.ring}
	for _, n := range c.nodes {
		if !n.inGroup || c.part[n.i] != part {
			continue
		}
		cc := &messaging.ConfigChange{Ring: ring, Members: members}
		for _, m := range members {
			if !slices.Contains(n.known(), m) {
				cc.Joined = append(cc.Joined, messaging.MemberChange{Member: m, Reason: messaging.ReasonJoin})
			}
		}
		for _, m := range n.known() {
			if !slices.Contains(members, m) {
				ch := messaging.MemberChange{Member: m, Reason: messaging.ReasonNodeDown}
				for _, l := range left {
					if l.Member == m {
						ch = l
					}
				}
				cc.Left = append(cc.Left, ch)
			}
		}
		n.setKnown(members)
		if len(cc.Joined)+len(cc.Left) > 0 {
			n.later("group", c.jitter(3*time.Millisecond), func(t Time) { n.core.ConfigChange(t, cc) })
		}
	}
	_ = joined
}

var knownMembers = map[*simNode][]messaging.MemberID{}

func (n *simNode) known() []messaging.MemberID     { return knownMembers[n] }
func (n *simNode) setKnown(m []messaging.MemberID) { knownMembers[n] = slices.Clone(m) }

func (c *cluster) send(n *simNode, m *wire.Message) {
	b, err := wire.Encode(m)
	if err != nil {
		c.t.Fatal(err)
	}
	from := n.member
	for _, o := range c.nodes {
		if o.inGroup && c.part[o.i] == c.part[n.i] {
			msg, err := wire.Decode(b)
			if err != nil {
				c.t.Fatal(err)
			}
			if c.lose != nil && c.lose(n, o, msg) {
				continue
			}
			o.later("group", c.jitter(2*time.Millisecond), func(t Time) { o.core.Message(t, from, msg) })
		}
	}
}

// split puts nodes into partitions; heal brings them together.
func (c *cluster) split(part map[int]int) {
	c.tracef("partition %v", part)
	c.part = part
	c.after(time.Second, c.membership)
}

func (c *cluster) heal() {
	c.tracef("heal")
	c.part = map[int]int{}
	// The CIBs meet, before the groups or after: the best version wins.
	var best *simNode
	for _, n := range c.nodes {
		if n.up && (best == nil || less(operation.VersionOf(best.root), operation.VersionOf(n.root))) {
			best = n
		}
	}
	for _, n := range c.nodes {
		if n.up && n != best {
			n.root, n.table = document.Clone(best.root), best.table
			root := n.root
			n.later("cib", c.jitter(12*time.Millisecond), func(t Time) { n.core.CIBSnapshot(t, root, operation.VersionOf(root)) })
		}
	}
	c.membership()
}

// --- what tests ask

func (c *cluster) dc() *simNode {
	for _, n := range c.nodes {
		if n.up && n.crm && n.core.am {
			return n
		}
	}
	return nil
}

// idle tells whether each partition with a DC has nothing left to do.
func (c *cluster) idle() bool {
	for _, n := range c.nodes {
		if !n.up || !n.crm {
			continue
		}
		if s := n.core.State(); s != fsa.Idle && s != fsa.NotDC {
			return false
		}
		if n.core.am && !n.core.Status().Idle {
			return false
		}
	}
	return c.dc() != nil
}

func (c *cluster) runningOn(rsc string) string {
	return strings.Join(c.check.where(rsc), ",")
}
