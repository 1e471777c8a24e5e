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

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
)

// maxHeld bounds the results that wait for an agent's metadata.
const maxHeld = 1024

// local is the node's own half: what runs here.
type local struct {
	node  *history.Node
	ready bool   // the executor has told what it knows
	boot  string // of the executor
	calls int    // greatest call id seen
	// accepted are the operations that the executor took and that have no result;
	// handed those that it has not answered for, with whether the result is there.
	accepted map[string]lrmd.Op // by transition key
	handed   map[string]bool
	tokens   map[Token]func(c *Core, err error, callID int, known bool)
	writes   map[Token]func(c *Core, v cib.Version, err error)
	meta     map[lrmd.Agent]*history.Metadata // nil while it is asked for or not to be had
	asked    map[lrmd.Agent]bool
	held     map[lrmd.Agent][]lrmd.Result
}

func newLocal(n *history.Node) local {
	return local{
		node: n, accepted: map[string]lrmd.Op{}, handed: map[string]bool{}, tokens: map[Token]func(*Core, error, int, bool){},
		writes: map[Token]func(*Core, cib.Version, error){}, meta: map[lrmd.Agent]*history.Metadata{},
		asked: map[lrmd.Agent]bool{}, held: map[lrmd.Agent][]lrmd.Result{},
	}
}

// LRMSnapshot takes in what the executor knows: at the start, and whenever the
// watch of it began anew.
func (c *Core) LRMSnapshot(now Time, snap lrmd.Snapshot) {
	c.step(now, func() {
		l := &c.lrm
		switch {
		case !l.ready && l.boot == "":
			l.node.Restore(snap, c.ownState())
		case l.boot == snap.Boot:
			c.catchUp(snap)
		default:
			c.logf(Warn, "the executor restarted", "resources", len(snap.Results))
			c.executorRestarted(snap)
		}
		l.ready, l.boot = true, snap.Boot
		for _, r := range snap.Results {
			l.calls = max(l.calls, r.CallID)
		}
	})
}

// LRMLost tells that the executor does not answer; a snapshot follows when it
// does again.
func (c *Core) LRMLost(now Time) {
	c.step(now, func() { c.logf(Warn, "the executor is gone") })
}

func (c *Core) ownState() *etree.Element {
	if c.root == nil {
		return nil
	}
	status := document.Section(c.root, "status")
	if status == nil {
		return nil
	}
	return document.ChildWith(status, "node_state", "id", c.uuid())
}

// catchUp records the results that came while the executor was not watched.
func (c *Core) catchUp(snap lrmd.Snapshot) {
	for _, res := range sortedResults(snap) {
		r := c.lrm.node.Resource(res.Op.Resource)
		_, waited := c.lrm.accepted[res.Op.UserData]
		if !waited && r != nil && knows(r, res) {
			continue
		}
		c.lrmResult(res)
	}
}

func sortedResults(snap lrmd.Snapshot) []lrmd.Result {
	list := slices.Clone(snap.Results)
	slices.SortStableFunc(list, func(a, b lrmd.Result) int { return a.CallID - b.CallID })
	return list
}

func knows(r *history.Resource, res lrmd.Result) bool {
	magic := history.Magic(res)
	for _, e := range r.Records {
		if document.Get(e, "transition-magic") == magic {
			return true
		}
	}
	return false
}

// executorRestarted replaces the history by what the new executor knows. What
// was in flight and is not known any more has failed: whether it took effect, a
// recovery will find out.
func (c *Core) executorRestarted(snap lrmd.Snapshot) {
	var lost []lrmd.Result
	known := map[string]bool{}
	for _, op := range snap.InFlight {
		known[op.UserData] = true
	}
	kept := snap
	kept.Results = nil
	for _, r := range sortedResults(snap) {
		known[r.Op.UserData] = true
		if _, waited := c.lrm.accepted[r.Op.UserData]; waited && r.Lost {
			lost = append(lost, r)
			continue
		}
		kept.Results = append(kept.Results, r)
	}
	for _, key := range slices.Sorted(maps.Keys(c.lrm.accepted)) {
		if !known[key] {
			lost = append(lost, lostResult(c.lrm.accepted[key], c.now.Wall, "the executor restarted while it ran"))
		}
	}
	c.lrm.node.Restore(kept, c.ownState())
	c.pushHistory()
	for _, r := range kept.Results {
		delete(c.lrm.accepted, r.Op.UserData)
	}
	for _, r := range lost {
		c.lrmResult(r)
	}
}

// pushHistory replaces this node's history in the CIB where it differs.
func (c *Core) pushHistory() {
	if c.joined == 0 {
		return // the confirmation of the join brings it
	}
	lrm := c.lrm.node.LRM()
	if state := c.ownState(); state != nil {
		if was := document.Child(state, "lrm"); was != nil && sameHistory(was, lrm) {
			return
		}
	}
	c.writeHistory(nil)
}

// writeHistory replaces this node's history in the CIB. Only the node itself
// does that: what it writes of later results comes after.
func (c *Core) writeHistory(then func(*Core, cib.Version, error)) {
	c.ownWrite(cib.Request{Op: cib.OpDelete, XPath: fmt.Sprintf("//node_state[@id='%s']/lrm", c.uuid())}, nil)
	state := document.New("node_state", "id", c.uuid(), "uname", c.cfg.Name)
	state.AddChild(c.lrm.node.LRM())
	c.ownUpdate(state, then)
}

func lostResult(op lrmd.Op, now time.Time, why string) lrmd.Result {
	return lrmd.Result{
		Op: op, CallID: -1, ExitCode: 1, Status: lrmd.StatusError, ExitReason: why, Started: now, Ended: now, Lost: true,
	}
}

// onInvoke carries out what the DC asks of this node.
func (c *Core) onInvoke(from messaging.MemberID, m *wire.Invoke) {
	if m.To != c.cfg.Self {
		return
	}
	if from != c.dc || c.joined == 0 || c.leaving || c.alone {
		c.logf(Warn, "refused an action that is not of this node's dc", "key", m.Action.OperationKey, "from", from.Node)
		// Who asked must not wait for the action's timeout to learn it.
		c.ack(m.Key, "refused: this node is not joined to who asks", cib.Version{})
		return
	}
	a := &m.Action
	switch a.Operation {
	case cancelledName:
		c.invokeCancel(m)
	case "lrm_delete", "delete":
		c.invokeDelete(m)
	default:
		if a.Primitive == nil {
			c.ack(m.Key, "the action names no resource", cib.Version{})
			return
		}
		c.invokeOp(opOf(a, m.Key))
	}
}

func (c *Core) ack(key, why string, v cib.Version) {
	c.send(&wire.Message{Ack: &wire.Ack{Key: key, OK: why == "", Why: why, Version: v.String()}})
}

// invokeCancel ends a recurring operation and removes its record.
func (c *Core) invokeCancel(m *wire.Invoke) {
	a := &m.Action
	if a.Primitive == nil {
		c.ack(m.Key, "the action names no resource", cib.Version{})
		return
	}
	rsc, op, every := a.Primitive.ID, a.Attr("CRM_meta_operation"), millis(a.Attr("CRM_meta_interval"))
	id := history.OpKey(rsc, op, every)
	c.cancelOp(rsc, op, every, func(c *Core, err error, _ int, _ bool) {
		if err != nil {
			c.ack(m.Key, err.Error(), cib.Version{})
			return
		}
		c.lrm.node.ForgetRecord(rsc, id)
		if r := c.lrm.node.Resource(rsc); r != nil {
			delete(r.Recurring, id)
		}
		c.ownWrite(cib.Request{Op: cib.OpDelete, XPath: fmt.Sprintf(
			"//node_state[@id='%s']//lrm_resource[@id='%s']/lrm_rsc_op[@id='%s']", c.uuid(), rsc, id)}, ackAfter(m.Key))
	})
}

// ackAfter tells the DC once a write has been applied.
func ackAfter(key string) func(*Core, cib.Version, error) {
	return func(c *Core, v cib.Version, err error) {
		why := ""
		if err != nil && !isNoSuch(err) {
			why = err.Error()
		}
		c.ack(key, why, v)
	}
}

func isNoSuch(err error) bool {
	var e *cib.Error
	return errors.As(err, &e) && e.Code == cib.CodeNoSuch
}

// invokeDelete forgets a resource's history, so that it is probed anew.
func (c *Core) invokeDelete(m *wire.Invoke) {
	a := &m.Action
	if a.Primitive == nil {
		c.ack(m.Key, "the action names no resource", cib.Version{})
		return
	}
	c.forgetResource(a.Primitive.ID, ackAfter(m.Key))
}

func (c *Core) forgetResource(rsc string, then func(*Core, cib.Version, error)) {
	t := c.nextToken()
	c.lrm.tokens[t] = func(c *Core, err error, _ int, _ bool) {
		if err != nil {
			then(c, cib.Version{}, err)
			return
		}
		c.lrm.node.Forget(rsc)
		c.ownWrite(cib.Request{Op: cib.OpDelete, XPath: fmt.Sprintf(
			"//node_state[@id='%s']//lrm_resource[@id='%s']", c.uuid(), rsc)}, then)
	}
	c.emit(ForgetRsc{Token: t, Resource: rsc})
}

func (c *Core) cancelOp(rsc, op string, every time.Duration, then func(*Core, error, int, bool)) {
	t := c.nextToken()
	c.lrm.tokens[t] = then
	c.emit(CancelOp{Token: t, Resource: rsc, Action: op, Interval: every})
}

// invokeOp runs an operation of an agent.
func (c *Core) invokeOp(op lrmd.Op) {
	l := &c.lrm
	r := l.node.Know(op.Resource, op.Agent)
	if changesState(op.Action) {
		for _, key := range slices.Sorted(maps.Keys(r.Recurring)) {
			o := r.Recurring[key]
			c.cancelOp(o.Resource, o.Action, o.Interval, func(*Core, error, int, bool) {})
			delete(r.Recurring, key)
		}
	}
	if op.Action == "stop" && r.Started != nil {
		op.Params = stopParams(op.Params, r.Started)
	}
	if op.Interval > 0 {
		// From now on a stop has to end it, even before its first result.
		r.Recurring[history.OpKey(op.Resource, op.Action, op.Interval)] = op
	}
	c.askMetadata(op)
	l.handed[op.UserData] = false
	if !falsy(op.Params["CRM_meta_record_pending"]) && op.Action != "notify" {
		records := l.node.Add(history.Pending(op, c.now.Wall), history.OriginUpdate, nil)
		c.ownUpdate(l.node.Update(op.Resource, records, history.OriginUpdate), nil)
	}
	t := c.nextToken()
	l.tokens[t] = func(c *Core, err error, call int, _ bool) {
		finished := c.lrm.handed[op.UserData]
		delete(c.lrm.handed, op.UserData)
		c.lrm.calls = max(c.lrm.calls, call)
		switch {
		case err != nil:
			c.lrmResult(refused(op, err, c.now.Wall))
		case !finished:
			c.lrm.accepted[op.UserData] = op
		}
	}
	c.logf(Info, "executing - rsc:"+op.Resource+" action:"+op.Action, "interval", op.Interval, "key", op.UserData)
	c.emit(Execute{Token: t, Op: op})
}

func refused(op lrmd.Op, err error, now time.Time) lrmd.Result {
	res := lostResult(op, now, err.Error())
	if errors.Is(err, lrmd.ErrNoAgent) {
		res.ExitCode, res.Status = 5, lrmd.StatusNotInstalled
	}
	return res
}

// stopParams stops a resource with what it was started with, not with what is
// configured by now.
func stopParams(given, started map[string]string) map[string]string {
	out := maps.Clone(started)
	for k, v := range given {
		if strings.HasPrefix(k, "CRM_meta_") || k == "crm_feature_set" {
			out[k] = v
		}
	}
	return out
}

func changesState(action string) bool {
	switch action {
	case "stop", "demote", "promote", "migrate_to", "migrate_from", "reload", "reload-agent":
		return true
	}
	return false
}

func falsy(v string) bool { return v == "false" || v == "0" || v == "no" || v == "off" || v == "n" }

// askMetadata asks for the agent's metadata before the first result that needs
// it.
func (c *Core) askMetadata(op lrmd.Op) {
	if op.Agent.Class != "ocf" || c.lrm.asked[op.Agent] {
		return
	}
	c.lrm.asked[op.Agent] = true
	c.emit(Metadata{Agent: op.Agent})
}

// GotMetadata takes in an agent's metadata, XML text.
func (c *Core) GotMetadata(now Time, a lrmd.Agent, text string, err error) {
	c.step(now, func() {
		l := &c.lrm
		var meta history.Metadata
		if err == nil {
			meta, err = history.ParseMetadata(text)
		}
		if err != nil {
			c.logf(Info, "agent metadata not to be had", "agent", a.Type, "error", err.Error())
			meta = history.Metadata{}
			delete(l.asked, a) // asked again before its next operation
		}
		l.meta[a] = &meta
		held := l.held[a]
		delete(l.held, a)
		for _, res := range held {
			c.record(res)
		}
	})
}

// Accepted answers an Execute.
func (c *Core) Accepted(now Time, t Token, callID int, err error) {
	c.step(now, func() { c.answer(t, err, callID, false) })
}

// Cancelled answers a CancelOp or a ForgetRsc.
func (c *Core) Cancelled(now Time, t Token, known bool, err error) {
	c.step(now, func() { c.answer(t, err, 0, known) })
}

func (c *Core) answer(t Token, err error, callID int, known bool) {
	if f := c.lrm.tokens[t]; f != nil {
		delete(c.lrm.tokens, t)
		f(c, err, callID, known)
	}
}

// LRMResult takes in a result of the executor.
func (c *Core) LRMResult(now Time, res lrmd.Result) {
	c.step(now, func() { c.lrmResult(res) })
}

func (c *Core) lrmResult(res lrmd.Result) {
	l := &c.lrm
	delete(l.accepted, res.Op.UserData)
	if _, handed := l.handed[res.Op.UserData]; handed {
		l.handed[res.Op.UserData] = true
	}
	l.calls = max(l.calls, res.CallID)
	if res.Status == lrmd.StatusCancelled {
		return
	}
	a := res.Op.Agent
	if l.asked[a] && l.meta[a] == nil && len(l.held[a]) < maxHeld {
		l.held[a] = append(l.held[a], res)
		return
	}
	c.record(res)
}

// record writes a result into the CIB, where the DC sees it.
func (c *Core) record(res lrmd.Result) {
	if res.CallID <= 0 && res.Status != lrmd.StatusPending {
		c.lrm.calls++
		res.CallID = c.lrm.calls
	}
	c.logf(Info, fmt.Sprintf("Result of %s operation for %s on %s: %d", res.Op.Action, res.Op.Resource, c.cfg.Name, res.ExitCode),
		"call_id", res.CallID, "op_status", int(res.Status), "exit_reason", res.ExitReason, "ran", res.Ran)
	records := c.lrm.node.Add(res, history.OriginUpdate, c.lrm.meta[res.Op.Agent])
	c.ownUpdate(c.lrm.node.Update(res.Op.Resource, records, history.OriginUpdate), nil)
	c.stoppedAlone(res)
}

// ownUpdate writes a fragment of this node's state.
func (c *Core) ownUpdate(state *etree.Element, then func(*Core, cib.Version, error)) {
	st := document.New("status")
	st.AddChild(state)
	c.ownWrite(cib.Request{Op: cib.OpModify, Section: "status", CanCreate: true, Data: document.Compact(st)}, then)
}

func (c *Core) ownWrite(req cib.Request, then func(*Core, cib.Version, error)) {
	req.Client = "crmd"
	t := c.nextToken()
	c.lrm.writes[t] = then
	c.emit(Write{Token: t, Req: req})
}

func (l *local) writeDone(c *Core, t Token, v cib.Version, err error) {
	then, ours := l.writes[t]
	delete(l.writes, t)
	if ours && err != nil && !isNoSuch(err) {
		c.logf(Error, "cib refused this node's own state", "error", err.Error())
	}
	if then != nil {
		then(c, v, err)
	}
}
