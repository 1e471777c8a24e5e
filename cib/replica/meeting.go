// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/messaging"
)

// meeting is the state of a meeting.
type meeting struct {
	states map[messaging.MemberID]state
	out    map[messaging.MemberID]bool // members that hang
	ticks  int                         // since something happened
	chosen *choice
	config collector
	status collector
	held   []heldMessage
}

type heldMessage struct {
	from messaging.MemberID
	m    message
}

// collector puts the pieces of one part together.
type collector struct {
	next, total int
	data        bytes.Buffer
	done        bool
}

// choice is what all members compute from the same statements.
type choice struct {
	config, status messaging.MemberID
	merged         bool // configuration and status come from different documents
}

func (c *Core) beginMeeting(tag string) {
	// Held writes of an unfinished meeting are unknown to newcomers: all drop
	// them, and their origins send them again.
	again := []*op{}
	for _, h := range c.meet.held {
		if h.from == c.self {
			if o := c.ops[h.m.Seq]; o != nil {
				again = append(again, o)
			}
		}
	}
	st := state{
		Version: operation.VersionOf(c.root), Digest: c.digest(), Min: Protocol, Max: Protocol,
		Lineage: c.lineage, Running: c.lineage != "",
	}
	st.Quorate = st.Running && !c.cut && c.root.SelectAttrValue("have-quorum", "0") == "1"
	c.mode, c.tag = ModeMeeting, tag
	c.meet = meeting{states: map[messaging.MemberID]state{}, out: map[messaging.MemberID]bool{}}
	c.send(message{Kind: kindState, Tag: tag, St: &st})
	for _, o := range again {
		c.sendOp(o)
	}
}

func (c *Core) hold(from messaging.MemberID, m message) {
	if len(c.meet.held) >= maxHeld {
		c.notice(2, "held write dropped", "node", from.Node, "held", len(c.meet.held))
		return
	}
	c.meet.held = append(c.meet.held, heldMessage{from, m})
}

func (c *Core) stated(from messaging.MemberID, m message) {
	if c.mode != ModeMeeting || m.Tag != c.tag || c.meet.chosen != nil {
		return
	}
	c.meet.states[from] = *m.St
	c.tryChoose()
}

// tryChoose ends the first half of a meeting, when all members have stated
// what they have, or are known to hang.
func (c *Core) tryChoose() {
	var voters []messaging.MemberID
	for _, member := range c.members {
		if _, ok := c.meet.states[member]; ok {
			voters = append(voters, member)
		} else if !c.meet.out[member] {
			return
		}
	}
	if len(voters) == 0 {
		return
	}
	ch := choose(voters, c.meet.states)
	c.meet.chosen, c.meet.ticks = &ch, 0
	if len(voters) == len(c.members) && c.agreed() {
		c.ready()
		return
	}
	c.sendParts(ch)
}

// hurry helps a meeting along in which a member hangs: it goes on without
// that member, from a place in the order that is the same for all, so that the
// member comes to the same when it goes on.
//
// Only who stood in a group with all that hang may say so. It has delivered
// whatever they may have acknowledged (virtual synchrony). Otherwise:
//
//  1. nodes 1 and 2 run and change the configuration, node 3 is down;
//  2. both hang, node 3 starts with its old disk and meets them;
//  3. going on alone would take their acknowledged writes back.
func (c *Core) hurry() {
	c.meet.ticks++
	if c.meet.chosen != nil {
		if c.meet.ticks%anewAfter == 0 {
			c.notice(1, "meeting begins anew", "config_from", c.meet.chosen.config.Node, "status_from", c.meet.chosen.status.Node)
			c.send(message{Kind: kindResync, Tag: c.tag})
		}
		return
	}
	if c.meet.ticks < goOnAfter {
		return
	}
	var out []messaging.MemberID
	for _, m := range c.members {
		if _, stated := c.meet.states[m]; !stated {
			if c.lineage == "" || !slices.Contains(c.along, m) {
				return
			}
			out = append(out, m)
		}
	}
	if len(out) > 0 {
		c.notice(1, "meeting goes on without members that hang", "members", fmt.Sprint(out))
		c.send(message{Kind: kindGoOn, Tag: c.tag, Out: out})
	}
}

func (c *Core) goOn(m message) {
	if c.mode != ModeMeeting || m.Tag != c.tag || c.meet.chosen != nil {
		return
	}
	for _, out := range m.Out {
		if _, stated := c.meet.states[out]; !stated {
			c.meet.out[out] = true
		}
	}
	c.tryChoose()
}

// agreed tells whether all members have the same already.
func (c *Core) agreed() bool {
	first := c.meet.states[c.members[0]]
	for _, st := range c.meet.states {
		if st.Digest != first.Digest {
			return false
		}
	}
	return true
}

// choose decides whose configuration and whose status the group goes on with.
// After the administrator's word (admin_epoch) the side that had quorum wins,
// whatever its version: what it acknowledged must survive, and a node that was
// cut off may have counted further on its own (it became its own DC).
func choose(members []messaging.MemberID, states map[messaging.MemberID]state) choice {
	// size counts the members that stood together and have the same.
	size := func(st state) int {
		n := 0
		for _, m := range members {
			if o := states[m]; o.Digest == st.Digest && o.Lineage == st.Lineage && o.Running == st.Running {
				n++
			}
		}
		return n
	}
	ints := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	byConfig := func(a, b messaging.MemberID) int {
		x, y := states[a], states[b]
		return cmp.Or(cmp.Compare(x.Version.AdminEpoch, y.Version.AdminEpoch),
			cmp.Compare(ints(x.Quorate), ints(y.Quorate)),
			x.Version.Compare(y.Version), cmp.Compare(ints(x.Running), ints(y.Running)),
			cmp.Compare(size(x), size(y)), cmp.Compare(x.Digest, y.Digest),
			-cmp.Compare(a.Node, b.Node), -cmp.Compare(a.Client, b.Client))
	}
	byStatus := func(a, b messaging.MemberID) int {
		x, y := states[a], states[b]
		return cmp.Or(cmp.Compare(ints(x.Running), ints(y.Running)), cmp.Compare(ints(x.Quorate), ints(y.Quorate)),
			cmp.Compare(size(x), size(y)), byConfig(a, b))
	}
	ch := choice{config: slices.MaxFunc(members, byConfig), status: slices.MaxFunc(members, byStatus)}
	if !states[ch.status].Running {
		ch.status = ch.config
	}
	if states[ch.config].Digest == states[ch.status].Digest {
		ch.status = ch.config
	}
	ch.merged = ch.config != ch.status
	return ch
}

// sendParts sends what this member was chosen for.
func (c *Core) sendParts(ch choice) {
	if ch.config == c.self {
		bare := withoutStatus(c.root)
		c.sendPart(false, document.Compact(bare))
	}
	if ch.status == c.self {
		sp := statusPart{Entries: c.table.Entries(), Dampen: c.table.Dampening()}
		if st := document.Child(c.root, "status"); st != nil {
			sp.XML = document.Compact(st)
		}
		c.sendPart(true, encode(&sp))
	}
}

func withoutStatus(root *etree.Element) *etree.Element {
	bare := document.Clone(root)
	if st := document.Child(bare, "status"); st != nil {
		bare.RemoveChildAt(st.Index())
	}
	return bare
}

func (c *Core) sendPart(status bool, data []byte) {
	total := max(1, (len(data)+PartSize-1)/PartSize)
	for i := range total {
		piece := data[i*PartSize : min(len(data), (i+1)*PartSize)]
		c.send(message{Kind: kindPart, Tag: c.tag, Part: &part{Status: status, Index: i, Total: total, Data: piece}})
	}
}

func (c *Core) received(from messaging.MemberID, m message) {
	ch := c.meet.chosen
	if c.mode != ModeMeeting || m.Tag != c.tag || ch == nil {
		return
	}
	into, sender := &c.meet.config, ch.config
	if m.Part.Status {
		into, sender = &c.meet.status, ch.status
	}
	if from != sender || into.done || m.Part.Index != into.next || (into.total != 0 && m.Part.Total != into.total) {
		return
	}
	c.meet.ticks = 0
	into.next, into.total = into.next+1, m.Part.Total
	into.data.Write(m.Part.Data)
	into.done = into.next == into.total
	if c.meet.config.done && c.meet.status.done {
		c.install(*ch)
	}
}

// install takes the document over that the chosen members sent.
func (c *Core) install(ch choice) {
	root, table, err := assemble(c.meet.config.data.Bytes(), c.meet.status.data.Bytes(), ch.merged)
	if err != nil {
		// All members have the same pieces and come to the same end: each stays with
		// its own document, and the next check or meeting will tell.
		c.notice(2, "document of the meeting is unusable", "from", ch.config.Node, "err", err)
		c.ready()
		return
	}
	// A version stands for one document: where a higher one is given up, the
	// chosen document gets one above it.
	highest := operation.VersionOf(root)
	for _, st := range c.meet.states {
		if st.Version.Compare(highest) > 0 {
			highest = st.Version
		}
	}
	if highest != operation.VersionOf(root) {
		document.SetVersions(root, highest.AdminEpoch, highest.Epoch+1, 0)
	}
	old := c.root
	c.table = table
	if !document.Equal(old, root) {
		c.report(old, root, ch)
		c.root = root
		c.act(&Publish{Old: old, New: root, Client: "cib_sync", Whole: true, Op: "cib_sync"})
		if !document.Equal(document.Child(old, "configuration"), document.Child(root, "configuration")) ||
			operation.VersionOf(old) != operation.VersionOf(root) {
			c.persist()
		}
	} else {
		c.root = root
	}
	c.ready()
}

func assemble(config, status []byte, merged bool) (*etree.Element, attrs.Table, error) {
	root, err := document.Parse(config)
	if err != nil {
		return nil, attrs.Table{}, fmt.Errorf("configuration: %w", err)
	}
	var sp statusPart
	if err := decode(status, &sp); err != nil {
		return nil, attrs.Table{}, fmt.Errorf("status: %w", err)
	}
	if len(sp.XML) > 0 {
		st, err := document.Parse(sp.XML)
		if err != nil {
			return nil, attrs.Table{}, fmt.Errorf("status: %w", err)
		}
		root.AddChild(st)
	}
	if merged {
		a, e, n := document.Versions(root)
		document.SetVersions(root, a, e, n+1)
	}
	return root, attrs.Load(sp.Entries, sp.Dampen), nil
}

// report tells what becomes of this member's document.
func (c *Core) report(old, root *etree.Element, ch choice) {
	from, to := operation.VersionOf(old), operation.VersionOf(root)
	same := document.Equal(document.Child(old, "configuration"), document.Child(root, "configuration"))
	if same {
		c.notice(0, "document replaced by a newer one", "from", from.String(), "to", to.String(), "node", ch.config.Node)
		return
	}
	level, name := 0, "configuration replaced by that of another node"
	since := c.splitAt
	since.NumUpdates = from.NumUpdates
	switch {
	case c.lineage != "" && from.Compare(since) > 0:
		level, name = 1, "configuration changes of this partition are lost"
	case c.lineage != "" && !c.meet.states[ch.config].Running:
		level, name = 1, "running configuration replaced by the newer one of a node that just started"
	}
	diff := patch.Make(document.Child(root, "configuration"), document.Child(old, "configuration"))
	text := ""
	if diff != nil {
		patch.WithoutVersions(diff)
		text = string(document.Compact(diff))
	}
	if len(text) > maxPatch {
		text = text[:maxPatch] + "…"
	}
	c.notice(level, name, "from", from.String(), "to", to.String(), "node", ch.config.Node, "lost", text)
}

// ready ends a meeting: the held writes are applied in their order.
func (c *Core) ready() {
	held := c.meet.held
	states := c.meet.states
	c.meet = meeting{}
	c.mode = ModeReady
	c.newGroup(c.tag)
	c.splitAt, c.cut = operation.VersionOf(c.root), false
	c.notice(0, "replicas agree", "members", len(c.members), "version", c.splitAt.String(), "statements", len(states))
	for _, h := range held {
		c.apply(h.from, h.m)
	}
	c.settle()
}
