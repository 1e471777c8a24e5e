// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// ErrFenced ends a controller that was told of its own node's fencing.
var ErrFenced = errors.New("crmd: this node was fenced; it stays out of the cluster until it is started anew")

const usualFenceTimeout = time.Minute

func (c *Core) fenceTimeout() time.Duration {
	return c.durationOption("stonith-timeout", usualFenceTimeout)
}

// runners lists the nodes that may run fence devices, this one first.
func (c *Core) runners() []fencing.Runner {
	var list []fencing.Runner
	for _, n := range c.peers.All() {
		if !n.Online() || c.book.Phase(n.Member) != join.Confirmed {
			continue
		}
		if n.ID == c.cfg.Self {
			list = slices.Insert(list, 0, fencing.Runner{Name: n.Name})
			continue
		}
		list = append(list, fencing.Runner{Name: n.Name})
	}
	return list
}

// fireFencing carries out a graph's fencing action.
func (c *Core) fireFencing(a *graph.Action) {
	target := a.OnNode
	if wait, failed := c.fence.Pause(c.now.Mono, target); wait > 0 {
		c.logf(Warn, "fencing is held back after failures", "target", target, "failed", failed, "wait", wait)
		c.refence(wait)
		c.confirm(a.ID, true, false, true)
		return
	}
	action := a.Attr("CRM_meta_stonith_action")
	if action == "" {
		action = c.option("stonith-action", "reboot")
	}
	c.logf(Warn, "Requesting fencing ("+action+") targeting node "+target, "action", a.ID)
	c.startFencing(fencing.Request{
		ID: c.cfg.NewID(), Target: target, Action: action, Client: "pacemaker-controld." + c.uuid(), Origin: c.cfg.Name,
		Timeout: c.fenceTimeout(), Delay: delayOf(a),
	})
}

func delayOf(a *graph.Action) time.Duration {
	d, _ := fencing.Duration(a.Attr("CRM_meta_priority_fencing_delay"))
	if d == 0 {
		d, _ = fencing.Duration(a.Attr("priority-fencing-delay"))
	}
	return d
}

func (c *Core) refence(wait time.Duration) {
	c.emit(SetTimer{Name: timerRefence, At: c.now.Mono + wait})
}

func (c *Core) startFencing(req fencing.Request) {
	levels := fencing.Levels(c.root, fencing.Devices(c.root), req.Target)
	for _, e := range c.fenceOut(c.fence.Start(c.now.Mono, c.now.Wall, req, levels, c.runners())) {
		c.emit(e)
	}
}

// fenceOut turns the coordinator's outputs into messages.
func (c *Core) fenceOut(out fencing.Output) []Effect {
	var list []Effect
	for _, r := range out.Runs {
		n := c.peers.ByName(r.Node)
		if n == nil {
			continue
		}
		delay := r.DelayBase
		if spread := int64((r.DelayLimit - r.DelayBase) / time.Second); spread > 0 {
			delay += time.Duration(c.draw(r.ID, spread+1)) * time.Second
		}
		list = append(list, Send{Msg: &wire.Message{FenceRun: &wire.FenceRun{
			To: n.ID, ID: r.ID, Op: r.Op, Device: r.Device.ID, Target: r.Target, Action: r.Action, Timeout: r.Timeout, Delay: delay,
		}}})
	}
	for _, e := range out.Events {
		we := wireEvent(e)
		list = append(list, Send{Msg: &wire.Message{FenceEvent: &we}})
	}
	return list
}

// draw picks a number below n that differs between nodes and runs.
func (c *Core) draw(id string, n int64) int64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(c.boot + id) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int64(h % uint64(n)) //nolint:gosec // n is positive and small
}

func wireEvent(e fencing.Event) wire.FenceEvent { return wire.FenceEvent(e) }

func wireEvents(list []fencing.Event) []wire.FenceEvent {
	out := make([]wire.FenceEvent, 0, len(list))
	for _, e := range slices.Backward(list) {
		out = append(out, wireEvent(e))
	}
	return out
}

// onFenceRequest has the DC fence for somebody else.
func (c *Core) onFenceRequest(f *wire.FenceRequest) {
	if !c.am || c.root == nil {
		return
	}
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = c.fenceTimeout()
	}
	c.startFencing(fencing.Request{
		ID: f.ID, Target: f.Target, Action: f.Action, Client: f.Client, Origin: f.Origin, Timeout: timeout,
		Delay: max(f.Delay, 0), NoDelay: f.Delay < 0,
	})
}

// onFenceRun runs a device here, for the DC.
func (c *Core) onFenceRun(from messaging.MemberID, f *wire.FenceRun) {
	if f.To != c.cfg.Self || from != c.dc || c.root == nil {
		return
	}
	devices := fencing.Devices(c.root)
	at := slices.IndexFunc(devices, func(d fencing.Device) bool { return d.ID == f.Device })
	if at < 0 {
		c.send(&wire.Message{FenceRan: &wire.FenceRan{ID: f.ID, Op: f.Op, Why: "no fence device " + f.Device}})
		return
	}
	c.logf(Warn, "fencing", "target", f.Target, "device", f.Device, "action", f.Action, "delay", f.Delay)
	c.emit(RunFence{Run: *f, Device: devices[at]})
}

// FenceRan answers a RunFence.
func (c *Core) FenceRan(now Time, id, op string, err error) {
	c.step(now, func() {
		ran := &wire.FenceRan{ID: id, Op: op, OK: err == nil}
		if err != nil {
			ran.Why = err.Error()
		}
		c.send(&wire.Message{FenceRan: ran})
	})
}

func (c *Core) onFenceRan(f *wire.FenceRan) {
	if !c.am {
		return
	}
	for _, e := range c.fenceOut(c.fence.Ran(c.now.Mono, c.now.Wall, f.ID, f.OK, f.Why, c.runners())) {
		c.emit(e)
	}
}

// onFenceEvent records what became of a fencing operation, on every node.
func (c *Core) onFenceEvent(f *wire.FenceEvent) {
	e := fencing.Event(*f)
	if !c.fence.Record(e) || e.State == fencing.StatePending {
		return
	}
	c.emit(Note{What: "fence", Label: e.State})
	level := Warn
	if e.State == fencing.StateFailed {
		level = Error
	}
	c.logf(level, "Operation '"+e.Action+"' targeting "+e.Target+" by "+e.Delegate+" for "+e.Client+": "+e.State, "why", e.Why)
	c.calls.fenced(c, e)
	if c.am {
		c.fenceOutcome(e)
	}
	if e.State == fencing.StateSuccess && e.Action != "on" && strings.EqualFold(e.Target, c.cfg.Name) && !manual(e) {
		c.logf(Error, "this node was allegedly just fenced", "by", e.Delegate, "for", e.Client)
		c.emit(Exit{Err: ErrFenced})
		c.input(fsa.InHalt, "this node was fenced")
	}
}

func manual(e fencing.Event) bool { return e.Device == "manual_ack" }

// fenceOutcome is what the DC does about a finished operation.
func (c *Core) fenceOutcome(e fencing.Event) {
	if e.State == fencing.StateFailed {
		c.lastFailure = fmt.Sprintf("fencing of %s failed: %s", e.Target, e.Why)
		c.confirmFencing(e, true)
		wait, failed := c.fence.Pause(c.now.Mono, e.Target)
		c.logf(Error, "nothing of the node starts elsewhere until it is fenced", "target", e.Target, "failed", failed, "retry_in", wait)
		c.refence(max(wait, recheckFloor))
		return
	}
	n := c.peers.ByName(e.Target)
	if e.Action == "on" || n == nil {
		c.confirmFencing(e, false)
		return
	}
	c.markDown(n, func(err error) { c.confirmFencing(e, err != nil) })
	if !c.firedFencing(e.Target) {
		c.abort(transition.Infinity, "external fencing of "+e.Target)
	}
}

func (c *Core) firedFencing(target string) bool {
	if c.te.run == nil {
		return false
	}
	for _, f := range c.te.run.flights {
		if f.action.Operation == "stonith" && strings.EqualFold(f.action.OnNode, target) {
			return true
		}
	}
	return false
}

// confirmFencing tells the graph how its fencing of the target ended.
func (c *Core) confirmFencing(e fencing.Event, failed bool) {
	flights := map[int]*flight{}
	if c.te.run != nil {
		maps.Copy(flights, c.te.run.flights)
	}
	maps.Copy(flights, c.te.orphans)
	var ids []int
	for id, f := range flights {
		a := f.action
		if a.Operation == "stonith" && strings.EqualFold(a.OnNode, e.Target) {
			if want := a.Attr("CRM_meta_stonith_action"); want == e.Action || (want == "reboot" && e.Action == "off") || want == "" {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		c.confirm(id, failed, false, failed)
	}
}

// markDown writes that a node is safely down: nothing of it is active any more.
func (c *Core) markDown(n *peer.Node, then func(error)) {
	c.expectDown[n.ID] = true
	delete(c.lostAt, n.ID)
	e := document.New("node_state", "id", n.UUID(), "uname", n.Name, "in_ccm", "false", "crmd", "offline",
		"crm-debug-origin", "send_stonith_update", "join", "down", "expected", "down")
	c.written[n.ID] = fmt.Sprint([][2]string{{"in_ccm", "false"}, {"crmd", "offline"}, {"join", "down"}, {"expected", "down"}})
	c.writeStatus("fencing of "+n.Name, e)
	c.deleteOwn(n.UUID(), fmt.Sprintf("//node_state[@id='%s']/transient_attributes", n.UUID()), nil)
	c.deleteOwn(n.UUID(), fmt.Sprintf("//node_state[@id='%s']/lrm", n.UUID()), then)
}

// onFenceManual takes an operator's word that a node is down.
func (c *Core) onFenceManual(f *wire.FenceManual) {
	c.logf(Warn, "an operator says that a node is down", "target", f.Target, "client", f.Client)
	if !c.am {
		return
	}
	c.fence.Forgive(f.Target)
	e := wire.FenceEvent{
		ID: c.cfg.NewID(), Target: f.Target, Action: "off", Device: "manual_ack", Client: f.Client, Origin: f.Origin,
		Delegate: "a human", State: fencing.StateSuccess, Completed: c.now.Wall,
	}
	if n := c.peers.ByName(f.Target); n != nil && n.Online() {
		e.State, e.Why = fencing.StateFailed, "the node is a member of the cluster: it is not down"
	}
	c.send(&wire.Message{FenceEvent: &e})
}

// onFenceHistory takes in what older members know.
func (c *Core) onFenceHistory(h *wire.FenceHistory) {
	for _, e := range h.Events {
		c.fence.Record(fencing.Event(e))
	}
}
