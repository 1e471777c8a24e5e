// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

// entry is one operation of a resource's history while it is judged.
type entry struct {
	c          *Cluster
	r          *Resource
	n          *Node
	xml        *etree.Element
	id, key    string
	task       string
	intervalMS uint
	callID     int
	target     ExitCode
	exit       ExitCode
	status     ExecStatus
}

// TargetRC is the exit code that was expected of a history entry, −1 where that
// is not known.
func TargetRC(op *etree.Element) int {
	k, err := graph.ParseKey(document.Get(op, "transition-key"))
	if err != nil {
		return -1
	}
	return k.TargetRC
}

// unpackHistory reads all of a node's resource histories.
func (c *Cluster) unpackHistory(n *Node, state *etree.Element) {
	list := document.At(state, "lrm", "lrm_resources")
	removedLaunched := false
	for e := range document.Children(list, "lrm_resource") {
		if r := c.unpackResourceHistory(n, e); r != nil && r.Is(RemovedLaunched) {
			removedLaunched = true
		}
	}
	if !removedLaunched {
		return
	}
	for e := range document.Children(list, "lrm_resource") {
		id, has := document.Lookup(e, "container")
		l := c.FindResource(id, MatchHistory)
		r := c.FindResource(document.ID(e), MatchHistory)
		if has && l != nil && r != nil && r.Launcher == nil && r.Is(RemovedLaunched) {
			r.Launcher = l
			l.Launched = append(l.Launched, r)
		}
	}
}

// unpackResourceHistory reads one resource's history on one node.
func (c *Cluster) unpackResourceHistory(n *Node, e *etree.Element) *Resource {
	id, ok := document.Lookup(e, "id")
	if !ok {
		c.errorf("ignoring invalid lrm_resource entry: no id")
		return nil
	}
	ops := entries(e)
	if len(ops) == 0 && !c.Options.ShutdownLock {
		return nil
	}
	r := c.resourceOfHistory(n, id)
	if r == nil {
		if len(ops) == 0 {
			return nil
		}
		if r = c.removedResource(e, n); r == nil {
			return nil
		}
	}
	if c.Options.ShutdownLock {
		c.shutdownLock(e, r, n)
	}
	saved := r.Role
	r.Role = RoleUnknown
	SortOps(ops)
	var lastFailure *etree.Element
	onFail := OnFailIgnore
	for _, op := range ops {
		c.unpackOp(r, n, op, &lastFailure, &onFail)
	}
	start, stop := activeOps(ops)
	c.recurringOps(n, r, start, stop, ops)
	c.applyState(r, n, onFail)
	if role, ok := r.TargetRole(); ok && (r.NextRole == RoleUnknown || role < r.NextRole) {
		r.SetNextRole(role, "target-role")
	}
	r.Role = max(r.Role, saved)
	return r
}

// SortOps sorts history entries by age, the oldest first.
func SortOps(ops []*etree.Element) {
	MergeSort(ops, NewerOp)
}

// NewerOp orders two history entries by age: above 0 where a is newer.
func NewerOp(a, b *etree.Element) int {
	sameNode := strings.EqualFold(document.Get(a, "on_node"), document.Get(b, "on_node"))
	if sameNode && document.ID(a) == document.ID(b) {
		return 0
	}
	ca, cb := intAttr(a, "call-id", -1), intAttr(b, "call-id", -1)
	switch {
	case ca == -1 && cb == -1:
		return 0
	case sameNode && ca >= 0 && ca < cb:
		return -1
	case sameNode && cb >= 0 && ca > cb:
		return 1
	case ca >= 0 && cb >= 0 && (!sameNode || ca == cb):
		ta, tb := int64(intAttr(a, "last-rc-change", -1)), int64(intAttr(b, "last-rc-change", -1))
		if ta >= 0 && ta < tb {
			return -1
		} else if tb >= 0 && ta > tb {
			return 1
		}
		return 0
	}
	ma, err1 := graph.ParseMagic(document.Get(a, "transition-magic"))
	mb, err2 := graph.ParseMagic(document.Get(b, "transition-magic"))
	if err1 != nil || err2 != nil {
		return 0
	}
	ia, ib := ma.Key.TransitionID, mb.Key.TransitionID
	switch {
	case !strings.EqualFold(ma.Key.UUID, mb.Key.UUID) || ia == ib:
		if cb == -1 {
			return -1
		}
		return 1
	case ia >= 0 && ia < ib || ib == -1:
		return -1
	}
	return 1
}

// activeOps finds, in sorted entries, where the present activity began and the
// last stop.
func activeOps(ops []*etree.Element) (start, stop int) {
	start, stop = -1, -1
	monitor, role := -1, -1
	for i, op := range ops {
		task := document.Get(op, "operation")
		switch {
		case task == "stop" && document.Get(op, "op-status") == "0":
			stop = i
		case task == "start" || task == "migrate_from":
			start = i
		case monitor <= stop && task == "monitor":
			if rc := document.Get(op, "rc-code"); rc == "0" || rc == "8" {
				monitor = i
			}
		case task == "promote" || task == "demote":
			role = i
		}
	}
	if start == -1 {
		if start = role; start == -1 {
			start = monitor
		}
	}
	return start, stop
}

// recurringOps tells the scheduler which recurring operations run.
func (c *Cluster) recurringOps(n *Node, r *Resource, start, stop int, ops []*etree.Element) {
	if !n.Online {
		return
	}
	for i, op := range ops {
		if start < stop && i <= stop || i < start {
			continue
		}
		ms := uintAttr(op, "interval")
		if ms == 0 || document.Get(op, "op-status") == "-1" {
			continue
		}
		c.intend(Intent{Kind: IntentAction, Rsc: r, Node: n, Task: document.Get(op, "operation"), IntervalMS: ms})
	}
}

func (c *Cluster) shutdownLock(e *etree.Element, r *Resource, n *Node) {
	at, ok := unixAttr(e, "shutdown-lock")
	if !ok || at.Unix() == 0 {
		return
	}
	limit := c.Options.ShutdownLockLimitMS
	if limit > 0 && c.Now.Unix() > at.Unix()+int64(seconds(limit)) {
		c.intend(Intent{Kind: IntentDeleteHistory, Rsc: r, Node: n})
		return
	}
	r.LockNode, r.LockTime = n, at
}

// resourceOfHistory finds the resource that a history is of; for an anonymous
// clone, the instance that takes it.
func (c *Cluster) resourceOfHistory(n *Node, id string) *Resource {
	var parent *Resource
	r := c.FindResource(id, MatchHistory)
	switch {
	case r == nil:
		if zero := c.FindResource(StripInstance(id)+":0", MatchHistory); zero != nil && !zero.Is(Unique) {
			r, parent = zero, zero.Top(false)
		}
	case r.Variant != Primitive:
		return nil
	default:
		parent = r.Top(false)
	}
	if parent != nil && parent.IsAnonymousClone() {
		if parent.InBundle() {
			r = parent.Parent.Bundle.instanceOn(n)
		} else {
			r = c.anonymousInstance(n, parent, StripInstance(id))
		}
	}
	if r != nil && id != r.ID && id != r.HistoryID {
		r.setHistoryID(id)
	}
	return r
}

// anonymousInstance gives the instance of an anonymous clone that a history on
// the node belongs to: one that is there already, else one that is nowhere, else
// a new one that counts as removed.
func (c *Cluster) anonymousInstance(n *Node, clone *Resource, id string) *Resource {
	var found, idle *Resource
	skipIdle := false
	for _, k := range clone.Children {
		nodes := k.Nodes(true)
		if len(nodes) > 0 {
			if nodes[0] != n {
				continue
			}
			if found = k.Find(id, MatchClone); found != nil {
				if len(found.ActiveOn) == 0 {
					break
				}
				found, skipIdle = nil, true
			}
			continue
		}
		if skipIdle || idle != nil || k.Is(Blocked) {
			continue
		}
		if idle = k.Find(id, MatchClone); idle != nil && idle.PendingNode != nil && idle.PendingNode != n {
			idle = nil
		}
	}
	if found == nil && !skipIdle {
		found = idle
	}
	if found != nil && !found.Is(NeedsFencing) && (!n.Online || n.Unclean) && !n.IsGuest() && clone.CloneMax != len(c.Nodes) {
		found = nil
	}
	if found == nil {
		if k := c.addInstance(clone); k != nil {
			found = k.Find(id, MatchClone)
		}
	}
	return found
}

// removedResource makes a stand-in for a resource that only the history knows.
func (c *Cluster) removedResource(e *etree.Element, n *Node) *Resource {
	x := etree.NewElement("primitive")
	for _, a := range e.Attr {
		document.Set(x, a.Key, a.Value)
	}
	id := document.ID(e)
	r, err := c.unpackResource(x, nil, "")
	if err != nil {
		return nil
	}
	if isConnection(x) {
		node := c.FindNode(id)
		if node == nil {
			node = c.createNode(id, id, "remote", 0)
		}
		c.linkConnection(r)
		node.Shutdown = true
	}
	if _, has := document.Lookup(e, "container"); has {
		r.Set(RemovedLaunched)
	}
	r.Set(Removed)
	c.addTop(r)
	if !c.Options.StopRemovedResources {
		r.Clear(Managed)
	} else {
		r.Ban(nil, -Infinity, "removed from the configuration")
	}
	return r
}

// applyState draws the conclusions of a history that was read.
func (c *Cluster) applyState(r *Resource, n *Node, onFail OnFail) {
	active := r.Role > RoleStopped
	if r.Role != RoleUnknown {
		for i := r; i != nil; i = i.Parent {
			i.Probed.add(n)
			if i.Is(Unique) {
				break
			}
		}
	}
	if active && !n.Online && !n.Maintenance && r.Is(Managed) {
		c.fenceForActive(r, n)
	}
	seen := onFail
	if n.Unclean {
		onFail = OnFailIgnore
	}
	c.react(r, n, onFail, active)
	if r.Is(Failed | IsConnection) {
		if own := c.FindNode(r.ID); own != nil && own.Unclean {
			own.Seen = true
		}
	}
	switch {
	case active:
		c.addRunning(r, n, seen != OnFailIgnore)
		switch onFail {
		case OnFailIgnore:
		case OnFailDemote, OnFailBlock:
			r.Set(Failed)
		default:
			r.Set(Failed | StopIfFailed)
		}
	case strings.Contains(r.HistoryID, ":"):
		r.setHistoryID("")
	default:
		c.intend(Intent{Kind: IntentStopOptional, Rsc: r, Node: n})
	}
	if r.Role == RoleStopped && len(r.ActiveOn) > 0 && r.MigrationTarget != nil && r.MigrationSource == n {
		r.Role = RoleStarted
	}
}

// fenceForActive fences a lost node on which the resource was active.
func (c *Cluster) fenceForActive(r *Resource, n *Node) {
	reason := r.ID + " is thought to be active there"
	switch {
	case n.IsGuest():
		r.Set(Failed | StopIfFailed)
	case !c.Options.FencingEnabled:
		return
	case n.IsRemote() && n.Connection != nil && !n.Connection.Is(Failed):
		n.Seen = false
		reason = r.ID + " is active there (fencing will be revoked if remote connection can be re-established elsewhere)"
	}
	c.FenceNode(n, reason, false)
}

// react does what on-fail says.
func (c *Cluster) react(r *Resource, n *Node, onFail OnFail, active bool) {
	switch onFail {
	case OnFailDemote:
		r.Set(Failed)
		c.intend(Intent{Kind: IntentDemote, Rsc: r, Node: n})
	case OnFailFence:
		c.FenceNode(n, r.ID+" failed there", false)
	case OnFailStandby:
		n.Standby, n.StandbyOnFail = true, true
	case OnFailBlock:
		r.Clear(Managed)
		r.Set(Blocked)
	case OnFailBan:
		r.Ban(n, -Infinity, "failure with on-fail=migrate")
	case OnFailStop:
		r.SetNextRole(RoleStopped, "on-fail=stop")
	case OnFailRestart:
		if active {
			r.Set(Failed | StopIfFailed)
			c.intendStop(r, n)
		}
	case OnFailRestartContainer:
		r.Set(Failed | StopIfFailed)
		switch {
		case r.Launcher != nil && r.InBundle():
			c.stopNeeded = append([]*Resource{r.Launcher}, c.stopNeeded...)
		case r.Launcher != nil:
			c.intendStop(r.Launcher, n)
		case active:
			c.intendStop(r, n)
		}
	case OnFailResetRemote:
		c.resetRemote(r, n, active)
	}
}

func (c *Cluster) resetRemote(r *Resource, n *Node, active bool) {
	r.Set(Failed | StopIfFailed)
	if c.Options.FencingEnabled && r.Is(IsConnection) {
		if own := c.FindNode(r.ID); own.IsRemote() && !own.RemoteFenced {
			c.FenceNode(own, "remote connection is unrecoverable", false)
		}
	}
	if active {
		c.intendStop(r, n)
	}
	if r.ReconnectMS > 0 {
		r.SetNextRole(RoleStopped, "remote reset")
	}
}

// intendStop demands a stop. A node where it cannot run is as good as lost.
func (c *Cluster) intendStop(r *Resource, n *Node) {
	c.intend(Intent{Kind: IntentStop, Rsc: r, Node: n})
	if !n.Online && (!n.IsGuest() || n.RemoteReset) && r.Is(Managed) && !n.Unclean {
		c.FenceNode(n, "stop is unrunnable", false)
	}
}

// addRunning records that a resource is active on a node.
func (c *Cluster) addRunning(r *Resource, n *Node, failed bool) {
	if slices.Contains(r.ActiveOn, n) {
		return
	}
	r.ActiveOn = append(r.ActiveOn, n)
	if r.Variant == Primitive {
		n.Running = append(n.Running, r)
		addPriority(r, n, failed)
		if n.Maintenance {
			r.Clear(Managed)
			r.Set(InMaintenance)
		}
	}
	if !r.Is(Managed) {
		r.Ban(n, Infinity, "unmanaged resources stay where they are")
		for p := r.Parent; p != nil; p = p.Parent {
			p.ActiveOn = append(p.ActiveOn, n)
		}
		return
	}
	if r.Variant == Primitive {
		if _, count := r.ActiveRequires(); count > 1 {
			multiplyActive(r)
		}
	}
	if r.Parent != nil {
		c.addRunning(r.Parent, n, false)
	}
}

func multiplyActive(r *Resource) {
	switch r.MultipleActive {
	case MultipleStop:
		r.banEverywhere("active on more than one node with multiple-active=stop_only")
	case MultipleBlock:
		r.Clear(Managed)
		r.Set(Blocked)
		p := r.Parent
		if p != nil && (p.Variant == Group || p.Variant == BundleVariant) && p.MultipleActive == MultipleBlock {
			for _, k := range p.Children {
				k.Clear(Managed)
				k.Set(Blocked)
			}
		}
	}
}

func addPriority(r *Resource, n *Node, failed bool) {
	if r.Priority == 0 || failed {
		return
	}
	p := int(r.Priority)
	if r.Role == RolePromoted {
		p++
	}
	n.Priority += p
	if n.IsGuest() {
		for _, h := range n.Connection.Launcher.ActiveOn {
			h.Priority += p
		}
	}
}

// expiry is a failure's lifetime; 0 is for ever.
func (h *entry) expiry() time.Duration {
	return time.Duration(seconds(h.r.FailureTimeoutMS)) * time.Second
}

// SortedHistory gives the operations of an lrm_resource, the oldest first, and
// where among them the present activity began and the last stop is.
func SortedHistory(e *etree.Element) (ops []*etree.Element, start, stop int) {
	ops = entries(e)
	SortOps(ops)
	start, stop = activeOps(ops)
	return ops, start, stop
}

// entries lists the operations of an lrm_resource, the last first.
func entries(e *etree.Element) []*etree.Element {
	if e == nil || len(e.Child) == 0 {
		return nil
	}
	ops := make([]*etree.Element, 0, len(e.Child))
	for op := range document.Children(e, "lrm_rsc_op") {
		ops = append(ops, op)
	}
	slices.Reverse(ops)
	return ops
}

// HistoryInterval is the interval of a history entry in milliseconds.
func HistoryInterval(op *etree.Element) uint { return uintAttr(op, "interval") }
