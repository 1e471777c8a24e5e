// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/election"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition"
)

func voteOf(v *wire.Vote) election.Vote {
	return election.Vote{Name: v.Name, FeatureSet: v.FeatureSet, Uptime: v.Uptime, DC: v.DC}
}

// takeOver begins the office of the DC.
func (c *Core) takeOver() {
	c.input(fsa.InElectionDC, "won the election")
	c.logf(Info, "this node is the dc now", "node", c.cfg.Name)
	c.writeIdentity()
	c.syncQuorum()
	c.syncNodeStates()
	for _, n := range c.peers.All() {
		if _, known := c.lostAt[n.ID]; n.Ring && !n.Online() && !known {
			c.lostAt[n.ID] = c.now.Mono // its controller may have been lost before this one began
		}
	}
	c.te.want("DC takeover")
	c.offerNewcomers()
	c.calls.dcChanged(c)
}

// release lays the office down: nothing new is fired, the successor computes
// from the CIB.
func (c *Core) release(cause string) {
	c.input(fsa.InReleaseDC, cause)
	if c.te.run != nil {
		c.emit(Abort{transition.Abort{Priority: transition.Infinity, Follow: transition.FollowWait, Why: cause}})
	}
	c.fence.Drop()
	c.dcState = newDCState()
	c.input(fsa.InReleaseSuccess, cause)
}

// writeIdentity puts the cluster's own properties into the CIB where they
// differ.
func (c *Core) writeIdentity() {
	if document.Get(c.root, "dc-uuid") != c.uuid() {
		c.write("dc-uuid", cib.Request{Op: cib.OpModify, Data: []byte(fmt.Sprintf(`<cib dc-uuid="%s"/>`, c.uuid()))})
	}
	props := [][2]string{
		{"have-watchdog", "false"}, {"dc-version", c.cfg.Version}, {"cluster-infrastructure", "corosync"},
	}
	if c.cfg.Cluster != "" {
		props = append(props, [2]string{"cluster-name", c.cfg.Cluster})
	}
	set := document.New("cluster_property_set", "id", "cib-bootstrap-options")
	for _, p := range props {
		if was := c.option(p[0], ""); was == p[1] || (was != "" && p[0] == "cluster-name") {
			continue
		}
		document.Add(set, "nvpair", "id", "cib-bootstrap-options-"+p[0], "name", p[0], "value", p[1])
	}
	if len(set.ChildElements()) == 0 {
		return
	}
	e := document.New("crm_config")
	e.AddChild(set)
	c.write("cluster properties", cib.Request{Op: cib.OpModify, Section: "crm_config", CanCreate: true, Data: document.Compact(e)})
}

// write changes the CIB as the DC. No computation happens before the document
// shows it.
func (c *Core) write(what string, req cib.Request) { c.writeThen(what, req, nil) }

func (c *Core) writeThen(what string, req cib.Request, then func(v cib.Version, err error)) {
	req.Client = "crmd"
	t := c.nextToken()
	c.writes[t] = func(v cib.Version, err error) {
		if err != nil {
			c.logf(Error, "cib write refused", "what", what, "error", err.Error())
		}
		if then != nil {
			then(v, err)
		}
	}
	c.emit(Write{Token: t, Req: req})
}

// whenSeen runs f once the document has reached a version.
func (c *Core) whenSeen(v cib.Version, f func()) {
	if !less(c.version, v) {
		f()
		return
	}
	c.awaited = append(c.awaited, awaited{v, f})
}

// awaited is something to do when the document has reached a version.
type awaited struct {
	v cib.Version
	f func()
}

// saw runs what the document's present version was awaited for; a replaced
// document ends all waiting.
func (c *Core) saw(replaced bool) {
	list := c.awaited
	c.awaited = nil
	for _, a := range list {
		if replaced || !less(c.version, a.v) {
			a.f()
			continue
		}
		c.awaited = append(c.awaited, a)
	}
}

// WriteDone answers a Write or Attr.
func (c *Core) WriteDone(now Time, t Token, v cib.Version, err error) {
	c.step(now, func() {
		if err == nil && less(c.need, v) {
			c.need = v
		}
		if f := c.writes[t]; f != nil {
			delete(c.writes, t)
			if isNoSuch(err) {
				err = nil // what was to be deleted is not there
			}
			f(v, err)
			return
		}
		c.lrm.writeDone(c, t, v, err)
	})
}

func less(a, b cib.Version) bool {
	if a.AdminEpoch != b.AdminEpoch {
		return a.AdminEpoch < b.AdminEpoch
	}
	if a.Epoch != b.Epoch {
		return a.Epoch < b.Epoch
	}
	return a.NumUpdates < b.NumUpdates
}

// syncQuorum writes the ring's word on quorum where the CIB differs.
func (c *Core) syncQuorum() {
	if !c.am || c.root == nil || !c.haveView {
		return
	}
	have := "0"
	if c.view.Quorate {
		have = "1"
	}
	was := c.lastQuorum
	if was == "" {
		was = document.Get(c.root, "have-quorum")
	}
	c.lastQuorum = have
	if was == have {
		return
	}
	c.logf(Info, "quorum changed", "have_quorum", have)
	c.write("have-quorum", cib.Request{Op: cib.OpModify, Data: []byte(`<cib have-quorum="` + have + `"/>`)})
	c.abort(transition.Infinity, "quorum changed")
}

// stateAttrs is what the node_state of a node is to say.
func (c *Core) stateAttrs(n *peer.Node) [][2]string {
	attrs := [][2]string{{"in_ccm", "false"}, {"crmd", "offline"}, {"join", "down"}}
	if n.Ring {
		attrs[0][1] = "true"
	}
	if n.Online() {
		attrs[1][1] = "online"
		switch c.book.Phase(n.Member) {
		case join.Confirmed:
			attrs[2][1] = "member"
			return append(attrs, [2]string{"expected", "member"})
		case join.Nacked:
			attrs[2][1] = "banned"
		case join.Welcomed, join.Integrated, join.Finalized:
			attrs[2][1] = "pending"
		}
	} else if c.expectDown[n.ID] {
		attrs = append(attrs, [2]string{"expected", "down"})
	}
	return attrs
}

// syncNodeStates writes node_state attributes that are not true any more.
func (c *Core) syncNodeStates() {
	if !c.am || c.root == nil || !c.haveView {
		return
	}
	for _, n := range c.peers.All() {
		state := c.nodeState(n)
		if n.Name == "" || (state == nil && !n.Ring && c.written[n.ID] == "") {
			continue
		}
		attrs := c.stateAttrs(n)
		words := fmt.Sprint(attrs)
		if c.written[n.ID] == words || (c.written[n.ID] == "" && saysAlready(state, attrs)) {
			continue
		}
		c.written[n.ID] = words
		e := document.New("node_state", "id", n.UUID(), "uname", n.Name)
		for i, a := range attrs {
			if i == 2 {
				document.Set(e, "crm-debug-origin", "do_state_transition")
			}
			document.Set(e, a[0], a[1])
		}
		c.writeStatus("node state of "+n.Name, e)
	}
}

func saysAlready(state *etree.Element, attrs [][2]string) bool {
	if state == nil {
		return false
	}
	for _, a := range attrs {
		if document.Get(state, a[0]) != a[1] {
			return false
		}
	}
	return true
}

func (c *Core) writeStatus(what string, nodeState *etree.Element) {
	st := document.New("status")
	st.AddChild(nodeState)
	c.writeThen(what, cib.Request{Op: cib.OpModify, Section: "status", CanCreate: true, Data: document.Compact(st)}, nil)
}

// nodeState finds a node's entry in the status section.
func (c *Core) nodeState(n *peer.Node) *etree.Element {
	if c.root == nil {
		return nil
	}
	status := document.Section(c.root, "status")
	if status == nil {
		return nil
	}
	return document.ChildWith(status, "node_state", "id", n.UUID())
}

// nodeGone handles, on the DC, a node whose controller or ring membership was
// lost.
func (c *Core) nodeGone(n *peer.Node, why messaging.Reason) {
	c.te.failNode(c, n)
	for _, e := range c.fenceOut(c.fence.Lost(c.now.Mono, c.now.Wall, n.Name, c.runners())) {
		c.emit(e)
	}
	if why != messaging.ReasonProcDown {
		c.eraseState(n, "transient_attributes")
	}
	c.abort(transition.Infinity, "node "+n.Name+" left")
}

// eraseState deletes a part of a node's status.
func (c *Core) eraseState(n *peer.Node, part string) {
	state := c.nodeState(n)
	if state == nil || document.Child(state, part) == nil {
		return
	}
	c.deleteOwn(n.UUID(), fmt.Sprintf("//node_state[@id='%s']/%s", n.UUID(), part), nil)
}

// deleteOwn deletes a part of the status of a node. The change that the
// document then shows is expected.
func (c *Core) deleteOwn(uuid, xpath string, then func(error)) {
	c.expectGone[uuid]++
	c.writeThen("delete "+xpath, cib.Request{Op: cib.OpDelete, XPath: xpath}, func(v cib.Version, err error) {
		c.whenSeen(v, func() { c.expectGone[uuid]-- })
		if then != nil {
			then(err)
		}
	})
}

// offerNewcomers invites the members that have not joined.
func (c *Core) offerNewcomers() {
	if !c.election.Decided() {
		return // who yields would not hear it; the winner offers when it is decided
	}
	var to []messaging.MemberID
	for _, m := range c.members {
		if c.book.Phase(m) == join.None {
			to = append(to, m)
		}
	}
	if len(to) == 0 {
		return
	}
	c.input(fsa.InNodeJoin, "members are to be integrated")
	if c.te.computing != 0 { // for a cluster without them
		c.te.computing = 0
		c.te.want("members are to be integrated")
	}
	id := c.book.Offer(to)
	c.logf(Info, "join offered", "join_id", id, "members", len(to))
	c.send(&wire.Message{Offer: &wire.Offer{JoinID: id, To: to, Settled: c.settled}})
	if h := c.fence.History(""); len(h) > 0 {
		c.send(&wire.Message{FenceHistory: &wire.FenceHistory{Events: wireEvents(h)}})
	}
	c.told = nil
	c.emit(SetTimer{Name: timerJoin, At: c.now.Mono + c.cfg.Patience})
	c.emit(SetTimer{Name: timerOffer, At: c.now.Mono + offerEvery})
	c.syncNodeStates()
}

func (c *Core) onJoinRequest(from messaging.MemberID, n *peer.Node, r *wire.JoinRequest) {
	if !c.am || !c.book.Request(from, r.JoinID) {
		return
	}
	ack := &wire.JoinAck{JoinID: r.JoinID, To: from, OK: true}
	if why := incompatible(r.FeatureSet); why != "" {
		ack.OK, ack.Why = false, why
		c.book.Refuse(from)
		c.logf(Error, "join refused", "node", n.Name, "why", why)
		c.syncNodeStates()
	} else {
		c.book.Finalize(from)
		c.features[from] = r.FeatureSet
	}
	c.send(&wire.Message{JoinAck: ack})
	c.checkJoin()
}

// incompatible tells why a member of a feature set cannot join, "" where it
// can: the first number must be the same.
func incompatible(featureSet string) string {
	if major, _, _ := strings.Cut(featureSet, "."); major != "3" {
		return "feature set " + featureSet + " does not go together with 3"
	}
	return ""
}

func (c *Core) onJoinConfirm(from messaging.MemberID, n *peer.Node, j *wire.JoinConfirm) {
	if !c.am || c.book.Phase(from) != join.Finalized || c.book.JoinID(from) != j.JoinID {
		return
	}
	if !j.Written && !c.hasHistory(n, j.LRM) {
		c.logf(Info, "member is to write its history", "node", n.Name, "join_id", j.JoinID)
		c.send(&wire.Message{JoinAck: &wire.JoinAck{JoinID: j.JoinID, To: from, OK: true, Write: true}})
		return
	}
	if v, ok := parseVersion(j.Version); ok && less(c.need, v) {
		c.need = v
	}
	c.book.Confirm(from, j.JoinID)
	delete(c.waived, from)
	delete(c.expectDown, n.ID)
	c.logf(Info, "node joined", "node", n.Name, "join_id", j.JoinID)
	c.addNode(n)
	switch asked := c.seen.attr(n.UUID(), "shutdown") != ""; {
	case j.Shutdown && !asked:
		c.setAttr(cib.AttrUpdate{Node: n.Name, Name: "shutdown", Value: strconv.FormatInt(c.now.Wall.Unix(), 10)}, nil)
	case asked && !j.Shutdown:
		// It asked to be shut down in an earlier life.
		c.setAttr(cib.AttrUpdate{Node: n.Name, Name: "shutdown", Delete: true}, nil)
	}
	if was := c.seen.attr(n.UUID(), "#feature-set"); was != c.features[from] {
		c.setAttr(cib.AttrUpdate{Node: n.Name, Name: "#feature-set", Value: c.features[from]}, nil)
	}
	c.syncNodeStates()
	c.abort(transition.Infinity, "node "+n.Name+" joined")
	c.checkJoin()
}

// hasHistory tells whether the CIB has of a node's operations what the node
// itself says. If not, the node has to write it, not the DC: what the DC would
// write may be older than a result that the node has written since.
func (c *Core) hasHistory(n *peer.Node, said []byte) bool {
	lrm, err := document.Parse(said)
	if err != nil {
		return false
	}
	state := c.nodeState(n)
	if state == nil {
		return false
	}
	was := document.Child(state, "lrm")
	return was != nil && sameHistory(was, lrm)
}

// sameHistory compares two <lrm> elements by runs: what was asked for, and what
// came of it.
func sameHistory(a, b *etree.Element) bool { return slices.Equal(runs(a), runs(b)) }

func runs(lrm *etree.Element) []string {
	var list []string
	for r := range document.All(lrm, "lrm_resource") {
		for o := range document.Children(r, "lrm_rsc_op") {
			list = append(list, strings.Join([]string{
				document.ID(r), document.ID(o), document.Get(o, "transition-magic"), document.Get(o, "call-id"),
				document.Get(o, "last-rc-change"), document.Get(o, "op-digest"),
			}, " "))
		}
	}
	slices.Sort(list)
	return list
}

// addNode makes sure that the nodes section knows the node.
func (c *Core) addNode(n *peer.Node) {
	nodes := document.Section(c.root, "nodes")
	if nodes != nil {
		if e := document.ChildWith(nodes, "node", "id", n.UUID()); e != nil && document.Get(e, "uname") == n.Name {
			return
		}
	}
	e := document.New("nodes")
	document.Add(e, "node", "id", n.UUID(), "uname", n.Name)
	c.write("node "+n.Name, cib.Request{Op: cib.OpModify, Section: "nodes", CanCreate: true, Data: document.Compact(e)})
}

// checkJoin steps the state machine as phases of the join are passed.
func (c *Core) checkJoin() {
	if !c.am {
		return
	}
	if c.state == fsa.Integration && len(c.pendingJoins(join.Welcomed)) == 0 {
		c.input(fsa.InIntegrated, "all members have answered the offer")
	}
	if c.state == fsa.FinalizeJoin && c.joinsSettled() {
		c.input(fsa.InFinalized, "all members have confirmed")
		c.te.want("join completed")
	}
}

func (c *Core) pendingJoins(phases ...join.Phase) []messaging.MemberID {
	var list []messaging.MemberID
	for _, p := range phases {
		for _, m := range c.book.In(p) {
			if !c.waived[m] {
				list = append(list, m)
			}
		}
	}
	return list
}

func (c *Core) joinsSettled() bool {
	return len(c.pendingJoins(join.Welcomed, join.Integrated, join.Finalized)) == 0
}

// joinTimedOut goes on without the members that do not answer.
func (c *Core) joinTimedOut() {
	for _, m := range c.pendingJoins(join.Welcomed, join.Integrated, join.Finalized) {
		name := ""
		if n := c.peers.ByMember(m); n != nil {
			name = n.Name
		}
		c.logf(Warn, "going on without a member that does not join", "node", name, "phase", c.book.Phase(m).String())
		c.waived[m] = true
	}
	c.checkJoin()
}

// isolationLeft is how long the DC still waits for nodes that may be cut off, and
// stop their resources by themselves. A DC without quorum does not wait: it is
// the one that has to stop. Where there is fencing, that is what is waited for.
func (c *Core) isolationLeft() time.Duration {
	if c.boolOption("stonith-enabled", true) || (!c.view.Quorate && c.option("no-quorum-policy", "stop") != "ignore") {
		return 0
	}
	var left time.Duration
	for _, at := range c.ringLostAt {
		left = max(left, at+c.cfg.Isolation-c.now.Mono)
	}
	return left
}

// graceLeft is how long the DC still waits for controllers to come back whose
// nodes are in the ring. Their resources run on, and nothing of them may start
// elsewhere: a controller (or the messaging daemon under it) that died is back
// in a moment where a supervisor restarts it. Only after that it is a failure of
// the node.
func (c *Core) graceLeft() time.Duration {
	var left time.Duration
	for id, at := range c.lostAt {
		if n := c.peers.Get(id); n.Ring && !n.Online() {
			left = max(left, at+c.cfg.Grace-c.now.Mono)
		}
	}
	return left
}
