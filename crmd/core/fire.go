// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/transition/graph"
)

// fire carries one action of the graph out.
func (c *Core) fire(r *run, a *graph.Action) {
	targetRC, _ := strconv.Atoi(a.Attr("CRM_meta_op_target_rc"))
	key := graph.Key{ActionID: a.ID, TransitionID: r.id, TargetRC: targetRC, UUID: c.te.uuid}.String()
	r.flights[a.ID] = &flight{action: a, key: key}
	c.emit(Note{What: "action", Label: a.Operation})
	if a.Kind == graph.RscOp {
		c.logf(Info, "Initiating "+a.Operation+" operation "+a.OperationKey+" on "+a.OnNode, "action", a.ID, "transition", r.id)
		c.invoke(a, key)
		return
	}
	switch a.Operation {
	case "stonith":
		c.fireFencing(a)
	case "do_shutdown":
		c.fireShutdown(a)
	case "clear_failcount":
		c.fireClearFailcount(a)
	case "lrm_delete":
		c.invoke(a, key)
	default:
		c.logf(Info, "nothing to do for an event", "operation", a.Operation, "node", a.OnNode)
		c.confirm(a.ID, false, false, false)
	}
}

// nodeOf is the cluster node that carries an action out.
func (c *Core) nodeOf(a *graph.Action) *peer.Node {
	if a.RouterNode != "" {
		return c.peers.ByName(a.RouterNode)
	}
	if n := c.peers.ByUUID(a.OnNodeUUID); n != nil {
		return n
	}
	return c.peers.ByName(a.OnNode)
}

func (c *Core) invoke(a *graph.Action, key string) {
	n := c.nodeOf(a)
	if n == nil || !n.Online() {
		c.logf(Warn, "action for a node that is not there", "key", a.OperationKey, "node", a.OnNode)
		c.confirm(a.ID, true, false, false)
		return
	}
	c.send(&wire.Message{Invoke: &wire.Invoke{To: n.ID, Key: key, Action: *a}})
}

// fireShutdown tells a node to leave, now that nothing runs there. It is
// confirmed when the node has left.
func (c *Core) fireShutdown(a *graph.Action) {
	n := c.nodeOf(a)
	if n == nil || !n.Online() {
		c.confirm(a.ID, false, false, false)
		return
	}
	c.expectDown[n.ID] = true
	if n.ID == c.cfg.Self {
		// The DC goes last: when the rest of the graph is done.
		c.te.run.leaveAfter = true
		c.confirm(a.ID, false, false, false)
		return
	}
	c.logf(Info, "node may shut down", "node", n.Name)
	c.send(&wire.Message{Shutdown: &wire.Shutdown{To: n.ID}})
}

// fireClearFailcount forgets the failures of a resource on a node: all, or those
// of one operation.
func (c *Core) fireClearFailcount(a *graph.Action) {
	if a.Primitive == nil {
		c.confirm(a.ID, false, false, false)
		return
	}
	op := a.Attr("CRM_meta_op")
	pending := 0
	done := func(error) {
		if pending--; pending == 0 {
			c.confirm(a.ID, false, false, false)
		}
	}
	for _, up := range clearFailures(a.OnNode, a.Primitive.ID, op, a.Attr("CRM_meta_interval")) {
		pending++
		c.setAttr(up, done)
	}
}

// clearFailures gives the updates that forget failures of a resource: of one
// operation, or of all where op is "".
func clearFailures(node, rsc, op, intervalMS string) []cib.AttrUpdate {
	suffix := "#.*"
	if op != "" {
		if intervalMS == "" {
			intervalMS = "0"
		}
		suffix = "#" + op + "_" + intervalMS
	}
	var list []cib.AttrUpdate
	for _, what := range []string{"fail-count-", "last-failure-"} {
		up := cib.AttrUpdate{Node: node, Name: what + rsc + suffix, Delete: true}
		if op == "" {
			up.Name, up.Pattern = "^"+what+quoteMeta(rsc)+suffix, true
		}
		list = append(list, up)
	}
	return list
}

func quoteMeta(s string) string {
	return strings.NewReplacer(".", `\.`, "+", `\+`, "*", `\*`, "(", `\(`, ")", `\)`, "[", `\[`, "]", `\]`).Replace(s)
}

// timedOut notes that an action has no result. The transition engine has marked
// it failed and aborted; the CIB is told too, so that the policy engine sees it.
func (c *Core) timedOut(r *run, a *graph.Action) {
	f := r.flights[a.ID]
	delete(r.flights, a.ID)
	r.done[a.ID] = true
	c.logf(Error, "no result of an action in time", "key", a.OperationKey, "node", a.OnNode)
	c.te.want("no result of " + a.OperationKey)
	n := c.nodeOf(a)
	if a.Kind != graph.RscOp || a.Operation == cancelledName || f == nil || n == nil || a.Primitive == nil {
		return
	}
	res := lrmd.Result{
		Op: opOf(a, f.key), CallID: -1, ExitCode: 1, Status: lrmd.StatusTimeout,
		ExitReason: "no result within the time allowed", Started: c.now.Wall, Ended: c.now.Wall,
	}
	node := history.NewNode(n.UUID(), n.Name)
	records := node.Add(res, history.OriginTimeout, nil)
	c.writeStatus("timeout of "+a.OperationKey, node.Update(a.Primitive.ID, records, history.OriginTimeout))
	c.countFailure(n.Name, a.Primitive.ID, a.Operation, res.Op.Interval, a.Attr("CRM_meta_on_fail") == "ignore")
}

// opOf builds the executor's operation for an action.
func opOf(a *graph.Action, key string) lrmd.Op {
	op := lrmd.Op{
		Action: a.Operation, UserData: key, Params: map[string]string{},
		Interval: millis(a.Attr("CRM_meta_interval")), Timeout: millis(a.Attr("CRM_meta_timeout")),
		StartDelay: millis(a.Attr("CRM_meta_start_delay")),
	}
	if a.Primitive != nil {
		op.Resource = a.Primitive.ID
		op.Agent = lrmd.Agent{Class: a.Primitive.Class, Provider: a.Primitive.Provider, Type: a.Primitive.Type}
	}
	for _, at := range slices.Concat(a.Attributes, a.Params) {
		op.Params[at.Name] = at.Value
	}
	return op
}

func millis(v string) time.Duration {
	n, err := strconv.ParseInt(v, 10, 40)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// failNode fails what is in flight or still to be done on a node that is gone,
// save its fencing. A shutdown that was asked for is hereby done.
func (t *engineState) failNode(c *Core, n *peer.Node) {
	for _, f := range t.orphans {
		if t.on(c, f.action, n) {
			c.confirm(f.action.ID, true, false, false)
		}
	}
	if t.run == nil {
		return
	}
	for _, id := range t.run.ids() {
		a := t.run.actions[id]
		if t.run.done[id] || a.Kind == graph.PseudoEvent || a.Operation == "stonith" || !t.on(c, a, n) {
			continue
		}
		if a.Operation == "do_shutdown" && t.run.flights[id] != nil {
			c.confirm(id, false, false, false)
			continue
		}
		if t.run.flights[id] != nil {
			c.logf(Warn, "action was in flight on a node that is gone", "key", a.OperationKey, "node", n.Name)
		}
		c.confirm(id, true, false, true)
	}
}

func (t *engineState) on(c *Core, a *graph.Action, n *peer.Node) bool { return c.nodeOf(a) == n }

// countFailure raises the fail count of a resource on a node, and notes when.
func (c *Core) countFailure(node, rsc, op string, interval time.Duration, ignore bool) {
	value := "value++"
	switch {
	case interval > 0 || op == "promote" || op == "demote" || op == "asyncmon":
	case op == "start":
		if c.boolOption("start-failure-is-fatal", true) {
			value = "INFINITY"
		}
	case op == "stop":
		value = "INFINITY"
	default:
		return
	}
	suffix := "-" + rsc + "#" + op + "_" + strconv.FormatInt(interval.Milliseconds(), 10)
	c.setAttr(cib.AttrUpdate{Node: node, Name: "last-failure" + suffix, Value: strconv.FormatInt(c.now.Wall.Unix(), 10)}, nil)
	if !ignore {
		c.logf(Info, "Updating failcount for "+rsc+" on "+node+" after failed "+op, "update", value)
		c.setAttr(cib.AttrUpdate{Node: node, Name: "fail-count" + suffix, Value: value}, nil)
	}
}

// onAck takes in the result of an action that leaves no record.
func (c *Core) onAck(_ *peer.Node, a *wire.Ack) {
	key, err := graph.ParseKey(a.Key)
	if !c.am || err != nil || key.UUID != c.te.uuid {
		return
	}
	if v, ok := parseVersion(a.Version); ok && less(c.need, v) {
		c.need = v
	}
	if _, orphan := c.te.orphans[key.ActionID]; orphan && key.TransitionID == c.te.last {
		c.confirm(key.ActionID, !a.OK, false, false)
		return
	}
	r := c.te.run
	if r == nil || r.id != key.TransitionID || r.flights[key.ActionID] == nil {
		return
	}
	if !a.OK {
		c.logf(Warn, "action failed", "key", r.actions[key.ActionID].OperationKey, "why", a.Why)
	}
	c.confirm(key.ActionID, !a.OK, false, false)
}

func parseVersion(s string) (cib.Version, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return cib.Version{}, false
	}
	var n [3]uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 64)
		if err != nil {
			return cib.Version{}, false
		}
		n[i] = v
	}
	return cib.Version{AdminEpoch: n[0], Epoch: n[1], NumUpdates: n[2]}, true
}

func (r *run) ids() []int {
	list := make([]int, 0, len(r.actions))
	for id := range r.actions {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}
