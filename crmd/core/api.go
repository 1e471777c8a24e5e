// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
)

// maxCalls bounds the calls of the API that wait for an answer.
const maxCalls = 1024

// callbook holds the calls of the API that wait.
type callbook struct {
	fences   map[string]fenceCall // by request id
	manuals  map[string][]Token   // by target
	forgets  map[string]*forgetCall
	byID     map[string]string // Forget id → call
	asks     map[string]askCall
	shutdown []Token
	// asked is when the shutdown was, told when was last told what it waits for.
	asked, told time.Duration
}

type fenceCall struct {
	token Token
	req   wire.FenceRequest
}

type askCall struct {
	token Token
	node  messaging.NodeID
}

type forgetCall struct {
	token   Token
	waiting map[string]messaging.NodeID // message ids without an answer
	failed  error
}

func newCallbook() callbook {
	return callbook{
		fences: map[string]fenceCall{}, manuals: map[string][]Token{},
		forgets: map[string]*forgetCall{}, byID: map[string]string{}, asks: map[string]askCall{},
	}
}

func (c *Core) reply(t Token, err error) { c.emit(Reply{Token: t, Err: err}) }

// Call runs f, one call of the API, as an event. t names it in its Reply.
func (c *Core) call(now Time, t Token, f func() error) {
	over := c.state == fsa.Terminate || c.state == fsa.Halt
	c.step(now, func() {
		if len(c.calls.fences)+len(c.calls.forgets)+len(c.calls.manuals)+len(c.calls.asks) >= maxCalls {
			c.reply(t, crmd.ErrBusy)
			return
		}
		if err := f(); err != nil {
			c.reply(t, err)
		}
	})
	if over {
		c.reply(t, crmd.ErrClosed)
	}
}

// Fence asks for a node to be fenced.
func (c *Core) Fence(now Time, t Token, node, action string, timeout, delay time.Duration) {
	c.call(now, t, func() error {
		if !slices.Contains([]string{"off", "reboot", "on"}, action) {
			return fmt.Errorf("%w: fencing action %q, it is off, reboot or on", crmd.ErrInvalid, action)
		}
		req := wire.FenceRequest{
			ID: c.cfg.NewID(), Target: node, Action: action, Client: "stonith_admin", Origin: c.cfg.Name,
			Timeout: timeout, Delay: delay,
		}
		c.calls.fences[req.ID] = fenceCall{t, req}
		if c.dc != (messaging.MemberID{}) {
			c.send(&wire.Message{FenceRequest: &req})
		}
		return nil
	})
}

// ConfirmFenced takes an operator's word that a node is down.
func (c *Core) ConfirmFenced(now Time, t Token, node string) {
	c.call(now, t, func() error {
		if c.dc == (messaging.MemberID{}) {
			return crmd.ErrNoDC
		}
		key := strings.ToLower(node)
		c.calls.manuals[key] = append(c.calls.manuals[key], t)
		c.send(&wire.Message{FenceManual: &wire.FenceManual{Target: node, Client: "stonith_admin", Origin: c.cfg.Name}})
		return nil
	})
}

// dcChanged sends what waits for a DC to the new one.
func (b *callbook) dcChanged(c *Core) {
	for _, id := range slices.Sorted(maps.Keys(b.fences)) {
		req := b.fences[id].req
		c.send(&wire.Message{FenceRequest: &req})
	}
}

func (b *callbook) fenced(c *Core, e fencing.Event) {
	var err error
	if e.State == fencing.StateFailed {
		err = fmt.Errorf("%w: %s of %s: %s", crmd.ErrFencing, e.Action, e.Target, e.Why)
	}
	if f, ok := b.fences[e.ID]; ok {
		delete(b.fences, e.ID)
		c.reply(f.token, err)
	}
	if manual(e) {
		for _, t := range b.manuals[strings.ToLower(e.Target)] {
			c.reply(t, err)
		}
		delete(b.manuals, strings.ToLower(e.Target))
	}
}

// RequestShutdown drains this node; the answer comes when it has left.
func (c *Core) RequestShutdown(now Time, t Token) {
	c.call(now, t, func() error {
		c.calls.shutdown = append(c.calls.shutdown, t)
		if !c.lrm.ready {
			c.leave("shutdown before anything was known here")
			return nil
		}
		c.emit(SetTimer{Name: timerAlone, At: now.Mono + alonePatience})
		if len(c.calls.shutdown) == 1 {
			c.watchDrain()
		}
		if c.member == (messaging.MemberID{}) || c.coldStart() {
			c.shutDownAlone()
			return nil
		}
		if len(c.calls.shutdown) == 1 {
			c.askDrain()
		}
		return nil
	})
}

func (b *callbook) left(c *Core) {
	for _, t := range b.shutdown {
		c.reply(t, nil)
	}
	b.shutdown = nil
}

// Cleanup forgets failures or history on one node or all.
func (c *Core) Cleanup(now Time, t Token, req crmd.CleanupRequest) {
	c.call(now, t, func() error {
		if c.root == nil {
			return crmd.ErrNoDC
		}
		var nodes []*peer.Node
		for _, n := range c.peers.All() {
			if n.Online() && (req.Node == "" || strings.EqualFold(n.Name, req.Node)) {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == 0 {
			return fmt.Errorf("%w: node %s is not online", crmd.ErrNoNode, req.Node)
		}
		names, err := c.primitives(req.Resource)
		if err != nil {
			return err
		}
		id := c.cfg.NewID()
		call := &forgetCall{token: t, waiting: map[string]messaging.NodeID{}}
		c.calls.forgets[id] = call
		for i, n := range nodes {
			for _, up := range c.failureUpdates(n.Name, names, req) {
				tok := c.nextToken()
				c.lrm.writes[tok] = func(*Core, cib.Version, error) {}
				c.emit(Attr{Token: tok, Up: up})
			}
			for j, rsc := range names {
				mid := fmt.Sprintf("%s/%d/%d", id, i, j)
				call.waiting[mid] = n.ID
				c.calls.byID[mid] = id
				c.send(&wire.Message{Forget: &wire.Forget{
					ID: mid, To: n.ID, Resource: rsc, Operation: req.Operation, Interval: req.Interval, FailuresOnly: req.FailuresOnly,
				}})
			}
		}
		return nil
	})
}

// failureUpdates gives the attribute updates that forget failures.
func (c *Core) failureUpdates(node string, names []string, req crmd.CleanupRequest) []cib.AttrUpdate {
	ms := strconv.FormatInt(req.Interval.Milliseconds(), 10)
	var list []cib.AttrUpdate
	for _, rsc := range names {
		if rsc == "" {
			for _, what := range []string{"fail-count-", "last-failure-"} {
				list = append(list, cib.AttrUpdate{Node: node, Name: "^" + what + ".*", Pattern: true, Delete: true})
			}
			continue
		}
		list = append(list, clearFailures(node, rsc, req.Operation, ms)...)
	}
	return list
}

// primitives gives the primitives that a resource's name stands for: itself, or
// what a group, clone or bundle holds; "" is all.
func (c *Core) primitives(name string) ([]string, error) {
	if name == "" {
		return []string{""}, nil
	}
	base, _, _ := strings.Cut(name, ":")
	resources := document.Section(c.root, "resources")
	var found *etree.Element
	if resources != nil {
		for _, tag := range []string{"primitive", "group", "clone", "master", "bundle"} {
			if e := document.ByID(resources, tag, base); e != nil {
				found = e
			}
		}
	}
	if found == nil {
		return []string{name}, nil // of a resource that is configured no more
	}
	if found.Tag == "primitive" {
		return []string{base}, nil
	}
	var list []string
	for p := range document.All(found, "primitive") {
		list = append(list, document.ID(p))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %s holds no primitive", crmd.ErrInvalid, name)
	}
	return list, nil
}

// onForget forgets history of this node.
func (c *Core) onForget(_ *peer.Node, f *wire.Forget) {
	if f.To != c.cfg.Self {
		return
	}
	var list []string
	for _, r := range c.lrm.node.Resources() {
		base, _, _ := strings.Cut(r.ID, ":")
		if f.Resource != "" && f.Resource != r.ID && f.Resource != base {
			continue
		}
		if f.FailuresOnly && r.Records[r.ID+"_last_failure_0"] == nil {
			continue
		}
		list = append(list, r.ID)
	}
	left := len(list)
	if left == 0 {
		c.send(&wire.Message{Forgotten: &wire.Forgotten{ID: f.ID}})
		return
	}
	why := ""
	for _, rsc := range list {
		c.forgetResource(rsc, func(c *Core, v cib.Version, err error) {
			if err != nil && !isNoSuch(err) {
				why = err.Error()
			}
			if left--; left == 0 {
				c.send(&wire.Message{Forgotten: &wire.Forgotten{ID: f.ID, Why: why, Version: v.String()}})
			}
		})
	}
}

func (c *Core) onForgotten(_ *peer.Node, f *wire.Forgotten) {
	c.calls.forgotten(c, f.ID, f.Why)
}

func (b *callbook) forgotten(c *Core, mid, why string) {
	id := b.byID[mid]
	delete(b.byID, mid)
	call := b.forgets[id]
	if call == nil {
		return
	}
	delete(call.waiting, mid)
	if why != "" {
		call.failed = errors.New("crmd: cleanup: " + why)
	}
	if len(call.waiting) == 0 {
		delete(b.forgets, id)
		c.reply(call.token, call.failed)
	}
}

// nodeGone answers for a node that cannot any more.
func (b *callbook) nodeGone(c *Core, n *peer.Node) {
	for _, id := range slices.Sorted(maps.Keys(b.asks)) {
		if call := b.asks[id]; call.node == n.ID {
			delete(b.asks, id)
			c.reply(call.token, fmt.Errorf("%w: %s left the cluster", crmd.ErrNoNode, n.Name))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.forgets)) {
		for _, mid := range slices.Sorted(maps.Keys(b.forgets[id].waiting)) {
			if b.forgets[id] != nil && b.forgets[id].waiting[mid] == n.ID {
				b.forgotten(c, mid, n.Name+" left the cluster")
			}
		}
	}
}

// Fail reports a made-up failure of a resource.
func (c *Core) Fail(now Time, t Token, resource, node string) {
	c.call(now, t, func() error {
		n := c.peers.ByName(node)
		if n == nil || !n.Online() {
			return fmt.Errorf("%w: node %s is not online", crmd.ErrNoNode, node)
		}
		mid := c.cfg.NewID()
		c.calls.forgets[mid] = &forgetCall{token: t, waiting: map[string]messaging.NodeID{mid: n.ID}}
		c.calls.byID[mid] = mid
		c.send(&wire.Message{Fail: &wire.Fail{ID: mid, To: n.ID, Resource: resource}})
		return nil
	})
}

func (c *Core) onFail(f *wire.Fail) {
	if f.To != c.cfg.Self {
		return
	}
	r := c.lrm.node.Resource(f.Resource)
	if r == nil {
		c.send(&wire.Message{Forgotten: &wire.Forgotten{ID: f.ID, Why: "resource " + f.Resource + " is not known on " + c.cfg.Name}})
		return
	}
	c.lrm.calls++
	c.record(history.MadeUpFailure(r.ID, r.Agent, r.Started, c.lrm.calls, c.now.Wall, c.cfg.NewID()))
	c.send(&wire.Message{Forgotten: &wire.Forgotten{ID: f.ID}})
}

// RemoveNode has all controllers forget a node that left for good.
func (c *Core) RemoveNode(now Time, t Token, node string) {
	c.call(now, t, func() error {
		n := c.peers.ByName(node)
		if n != nil && n.Ring {
			return fmt.Errorf("%w: node %s is a member of the ring", crmd.ErrInvalid, node)
		}
		c.send(&wire.Message{RemoveNode: &wire.RemoveNode{Name: node}})
		c.reply(t, nil)
		return nil
	})
}

func (c *Core) onRemoveNode(r *wire.RemoveNode) {
	n := c.peers.ByName(r.Name)
	if n != nil && n.Ring {
		return
	}
	c.logf(Warn, "node removed by an operator", "node", r.Name)
	if n != nil {
		c.peers.Remove(n.ID)
	}
	if !c.am {
		return
	}
	for _, x := range []string{"//nodes/node[@uname='%s']", "//status/node_state[@uname='%s']"} {
		c.write("removal of "+r.Name, cib.Request{Op: cib.OpDelete, XPath: fmt.Sprintf(x, xpathSafe(r.Name))})
	}
	c.abort(1000000, "node "+r.Name+" removed")
}

// xpathSafe drops what would end a quoted string of an XPath; node names have no
// such characters.
func xpathSafe(s string) string { return strings.NewReplacer("'", "", `"`, "").Replace(s) }

// Abandon forgets a call whose caller does not wait any more.
func (c *Core) Abandon(t Token) {
	for id, f := range c.calls.fences {
		if f.token == t {
			delete(c.calls.fences, id)
		}
	}
	for id, f := range c.calls.forgets {
		if f.token == t {
			delete(c.calls.forgets, id)
		}
	}
	for id, a := range c.calls.asks {
		if a.token == t {
			delete(c.calls.asks, id)
		}
	}
	for target, list := range c.calls.manuals {
		c.calls.manuals[target] = slices.DeleteFunc(list, func(o Token) bool { return o == t })
	}
}

// Peers lists the nodes.
func (c *Core) Peers() []crmd.Peer {
	var list []crmd.Peer
	for _, n := range c.peers.All() {
		p := crmd.Peer{ID: uint32(n.ID), Name: n.Name, State: "lost", Controller: n.Online()}
		if n.Ring {
			p.State = "member"
		}
		list = append(list, p)
	}
	return list
}

// FenceHistory lists fencing operations of a target, newest first.
func (c *Core) FenceHistory(node string) []crmd.FenceEvent {
	var list []crmd.FenceEvent
	for _, e := range c.fence.History(node) {
		list = append(list, crmd.FenceEvent{
			ID: e.ID, Target: e.Target, Action: e.Action, Device: e.Device, Client: e.Client, Origin: e.Origin, Dlg: e.Delegate,
			State: e.State, Reason: e.Why, Completed: e.Completed,
		})
	}
	return list
}

// FenceDevices lists the fence devices, those that can fence node if it is not
// "".
func (c *Core) FenceDevices(node string) []string {
	if c.root == nil {
		return nil
	}
	var list []string
	for _, d := range fencing.Devices(c.root) {
		if can, _ := d.Targets(node); node == "" || can {
			list = append(list, d.ID)
		}
	}
	return list
}

// Document is the CIB as the core last saw it, nil before the first snapshot.
// The shell applies patchsets to it, right before CIBChanged, and nobody else
// changes it.
func (c *Core) Document() *etree.Element { return c.root }

// View is the ring's last word on membership and votes.
func (c *Core) View() messaging.QuorumView { return c.view }
