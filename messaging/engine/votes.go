// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/reload"
	"github.com/quorate/quorate/messaging/totem"
)

// extra is the part of a sync message that is not the groups': votes, and what
// the nodes compare.
type extra struct {
	Info        quorum.Info
	ConfVersion uint64
	// Name is what the node calls itself, for clusters without names in a
	// nodelist.
	Name string
	// Stamp tells which configuration the node runs.
	Stamp reload.Stamp
}

// maxName bounds the name that a node gives itself.
const maxName = 255

// An operation is an ordered message of the engine itself.
type operation struct {
	Op    uint8
	Node  messaging.NodeID
	Value uint32
	Ask   uint64 // the origin's, to answer its caller
	// Ring is the number of the ring for which opWindow was meant.
	Ring uint64
	// Info is what opInfo tells.
	Info *quorum.Info
	// Reload is the message of opReload.
	Reload *reload.Message
}

// The operations.
const (
	opExpected  = 1
	opVotes     = 2
	opCancelWFA = 3
	opReload    = 4
	opKill      = 5
	opInfo      = 6
	opWindow    = 7
)

var handle codec.MsgpackHandle

func encodeMsgpack(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := codec.NewEncoder(&b, &handle).Encode(v); err != nil {
		return nil, fmt.Errorf("engine: encode %T: %w", v, err)
	}
	return b.Bytes(), nil
}

func encodeExtra(x extra) ([]byte, error) { return encodeMsgpack(&x) }

// decodeMsgpack decodes into fixed structs of numbers: nothing in b can make it
// allocate more than b's own size. A panic of the decoder is an error of b.
func decodeMsgpack(b []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("engine: decode %T: %v", v, r)
		}
	}()
	if len(b) > cpg.MaxExtra {
		return fmt.Errorf("engine: decode %T: %d bytes", v, len(b))
	}
	return codec.NewDecoderBytes(b, &handle).Decode(v)
}

// synced takes what all members told about themselves.
func (e *Engine) synced(s *cpg.Synced) {
	infos, stamps := map[messaging.NodeID]quorum.Info{}, map[messaging.NodeID]reload.Stamp{}
	for id, b := range s.Extras {
		var x extra
		if err := decodeMsgpack(b, &x); err != nil {
			e.stats.protests++
			e.cfg.Log.Error("votes not understood", "node", uint32(id), "error", err)
			continue
		}
		infos[id], stamps[id] = x.Info, x.Stamp
		if len(x.Name) <= maxName {
			e.names[id] = x.Name
		}
		e.setCmapUint(fmt.Sprintf("runtime.members.%d.config_version", id), 64, x.ConfVersion)
		if id != e.cfg.Self && x.ConfVersion != e.cfg.ConfVersion {
			e.announce("error", "CMAP", "Received config version (%d) is different than my config version (%d)!", x.ConfVersion, e.cfg.ConfVersion)
		}
	}
	e.arbitration.denied = false
	e.arbitration.lease.View()
	e.counted, e.countedSet = s.Ring, slices.Clone(s.Members)
	e.actQuorum(e.votes.Synced(s.Ring.Seq, s.Members, infos))
	e.announce("notice", "QUORUM", "Members[%d]:%s", len(s.Members), idList(s.Members))
	e.actReload(e.reload.core.Synced(s.Ring, s.Members, stamps))
}

func (e *Engine) actQuorum(as []quorum.Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *quorum.StartWindow:
			if e.window != nil {
				e.window.Stop()
			}
			e.window = e.cfg.Clock.AfterFunc(a.After, func() {
				e.post(func() { e.orderOwn(operation{Op: opWindow, Ring: e.ring.Seq}) })
			})
		case *quorum.StopWindow:
			if e.window != nil {
				e.window.Stop()
			}
		case *quorum.Tell:
			e.tell()
		case *quorum.Track:
			e.track(a.Votes)
		case *quorum.Waiting:
			e.announce("notice", "VOTEQ", "Waiting for all cluster members. Current votes: %d expected_votes: %d", a.Total, a.Expected)
		}
	}
	e.publish()
}

// service carries out an ordered operation.
func (e *Engine) service(s *cpg.Service) {
	var op operation
	if err := decodeMsgpack(s.Body, &op); err != nil {
		e.stats.protests++
		e.cfg.Log.Error("operation not understood", "node", uint32(s.From), "error", err)
		return
	}
	if kind, ok := opKinds[op.Op]; ok {
		e.ordered(s.From, kind)
	}
	var err error
	switch op.Op {
	case opExpected:
		if err = e.votes.CheckExpected(op.Value); err == nil {
			e.actQuorum(e.votes.SetExpected(op.Value))
			e.cfg.Log.Info("expected votes changed", "to", op.Value, "node", uint32(s.From))
		}
	case opVotes:
		if err = e.votes.CheckVotes(op.Node, op.Value); err == nil {
			e.actQuorum(e.votes.SetVotes(op.Node, op.Value))
			e.cfg.Log.Info("votes changed", "node", uint32(op.Node), "to", op.Value)
		}
	case opInfo:
		if op.Info != nil {
			e.actQuorum(e.votes.Update(s.From, *op.Info))
		}
	case opWindow:
		if op.Ring == e.ring.Seq {
			e.actQuorum(e.votes.WindowExpired())
		}
	case opCancelWFA:
		e.actQuorum(e.votes.CancelWaitForAll())
		e.cfg.Log.Info("wait_for_all cancelled", "node", uint32(s.From))
	case opKill:
		e.killed(s, &op)
	case opReload:
		if op.Reload != nil {
			e.actReload(e.reload.core.Deliver(s.From, *op.Reload))
		}
	}
	if s.From == e.cfg.Self {
		if ask := e.asked[op.Ask]; ask != nil {
			ask <- err
			delete(e.asked, op.Ask)
		}
	}
}

// publish makes the present view known to watchers and to cmap. It is that of the
// ring whose votes were counted last: of one that formed since, and of one that was
// left before its members had told each other their votes, it says nothing.
func (e *Engine) publish() {
	r := e.votes.Result()
	r.Quorate = e.valid() && r.Quorate && !e.arbitration.denied
	if !r.Quorate {
		r.Flags = slices.DeleteFunc(r.Flags, func(f string) bool { return f == "Quorate" })
	}
	v := messaging.QuorumView{
		Ring: e.counted, Quorate: r.Quorate, ExpectedVotes: r.ExpectedVotes, TotalVotes: r.TotalVotes, Quorum: r.Quorum,
		Self: e.cfg.Self, WaitForAll: r.WaitForAll, Flags: r.Flags,
	}
	for _, n := range e.cfg.Nodes {
		votes, member := r.Nodes[n.ID]
		if !member {
			votes = n.Votes
		}
		v.Nodes = append(v.Nodes, messaging.Node{ID: n.ID, Name: cmp.Or(n.Name, e.names[n.ID]), Addr: e.addrOf(n.ID), Votes: votes, Member: member && slices.Contains(e.countedSet, n.ID)})
	}
	for id, votes := range r.Nodes {
		if !slices.ContainsFunc(v.Nodes, func(n messaging.Node) bool { return n.ID == id }) {
			v.Nodes = append(v.Nodes, messaging.Node{ID: id, Name: e.names[id], Addr: e.addrOf(id), Votes: votes, Member: slices.Contains(e.countedSet, id)})
		}
	}
	slices.SortFunc(v.Nodes, func(a, b messaging.Node) int { return cmp.Compare(a.ID, b.ID) })
	was := e.views.set(v)
	if was.Quorate != v.Quorate {
		e.announceQuorum(v)
	}
	e.publishVotes(r)
	e.publishDevice(r)
	e.observe()
	if len(e.countedSet) > 0 {
		e.setCmapUint("runtime.votequorum.lowest_node_id", 32, uint64(slices.Min(e.countedSet)))
		e.setCmapUint("runtime.votequorum.highest_node_id", 32, uint64(slices.Max(e.countedSet)))
	}
}

// publishVotes keeps runtime.votequorum of cmap. The status of wait_for_all is
// there only where that is asked for: clients take its presence for the option.
func (e *Engine) publishVotes(r quorum.Result) {
	const prefix = "runtime.votequorum."
	bit := func(on bool) uint64 {
		if on {
			return 1
		}
		return 0
	}
	if slices.Contains(r.Flags, "WaitForAll") {
		e.setCmapUint(prefix+"wait_for_all_status", 8, bit(r.WaitForAll))
	}
	e.setCmapUint(prefix+"two_node", 8, bit(slices.Contains(r.Flags, "2Node")))
	e.setCmapUint(prefix+"atb_type", 32, bit(slices.Contains(r.Flags, "AutoTieBreaker")))
	e.setCmapUint(prefix+"ev_barrier", 32, uint64(r.ExpectedVotes))
	e.setCmapUint(prefix+"this_node_id", 32, uint64(e.cfg.Self))
}

func (e *Engine) announceQuorum(v messaging.QuorumView) {
	e.cfg.Log.Info("quorum changed", "to", v.Quorate, "votes", v.TotalVotes, "expected", v.ExpectedVotes, "quorum", v.Quorum)
	if v.Quorate {
		e.announce("notice", "QUORUM", "This node is within the primary component and will provide service.")
	} else {
		e.announce("notice", "QUORUM", "This node is within the non-primary component and will NOT provide any services.")
	}
}

// publishMembers keeps runtime.members of cmap.
func (e *Engine) publishMembers(c *totem.ConfChange) {
	for _, id := range c.Members {
		key := fmt.Sprintf("runtime.members.%d.", id)
		old, _ := e.cfg.Cmap.Get(key + "status")
		joins := uint64(0)
		if j, ok := e.cfg.Cmap.Get(key + "join_count"); ok {
			_, _ = fmt.Sscan(j.Value, &joins)
		}
		if old.Value != "joined" {
			joins++
		}
		e.setCmapStr(key+"ip", e.ringAddrs(id))
		e.setCmapUint(key+"join_count", 32, joins)
		e.setCmapStr(key+"status", "joined")
		// corosync 2's key, which crmsh 4 still asks for.
		e.setCmapStr(fmt.Sprintf("runtime.totem.pg.mrp.srp.members.%d.ip", id), e.ringAddrs(id))
	}
	for _, entry := range e.cfg.Cmap.Prefix("runtime.members.") {
		var id messaging.NodeID
		if n, _ := fmt.Sscanf(entry.Key, "runtime.members.%d.status", &id); n == 1 && !slices.Contains(c.Members, id) && entry.Type == "str" && entry.Value == "joined" {
			e.setCmapStr(entry.Key, "left")
		}
	}
}

// A viewBox holds the newest view and wakes those who wait for another one.
type viewBox struct {
	mu      sync.Mutex
	view    messaging.QuorumView // guarded by mu
	version uint64               // guarded by mu
	changed chan struct{}        // guarded by mu; closed at the next change
}

func (b *viewBox) init() { b.changed = make(chan struct{}) }

// set stores a view and tells the one before. An equal view changes nothing.
func (b *viewBox) set(v messaging.QuorumView) (was messaging.QuorumView) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was = b.view
	if b.version > 0 && equalViews(was, v) {
		return was
	}
	b.view = v
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
	return was
}

func equalViews(a, b messaging.QuorumView) bool {
	return a.Ring == b.Ring && a.Quorate == b.Quorate && a.ExpectedVotes == b.ExpectedVotes && a.TotalVotes == b.TotalVotes &&
		a.Quorum == b.Quorum && a.WaitForAll == b.WaitForAll && slices.Equal(a.Flags, b.Flags) && slices.Equal(a.Nodes, b.Nodes)
}

func (b *viewBox) get() (v messaging.QuorumView, version uint64, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v = b.view
	v.Nodes, v.Flags = slices.Clone(v.Nodes), slices.Clone(v.Flags)
	return v, b.version, b.changed
}
