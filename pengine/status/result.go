// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

// historyKey is the operation key of a history entry.
func historyKey(op *etree.Element) string {
	if k, ok := document.Lookup(op, "operation_key"); ok {
		return k
	}
	return document.ID(op)
}

func isProbeEntry(op *etree.Element) bool {
	return IsProbe(document.Get(op, "operation"), uintAttr(op, "interval"))
}

// maskedFailure tells whether a failed probe only says that the resource cannot
// be there.
func maskedFailure(op *etree.Element) bool {
	if !isProbeEntry(op) {
		return false
	}
	rc := ExitCode(intAttr(op, "rc-code", 0))
	return rc == ExitNotInstalled || rc == ExitInvalidParam || ExecStatus(intAttr(op, "op-status", -2)) == ExecNotInstalled
}

func (h *entry) masked() bool { return !h.r.InBundle() && maskedFailure(h.xml) }

// newEntry reads what all judging needs; ok is false where the entry does not
// count.
func (c *Cluster) newEntry(r *Resource, n *Node, op *etree.Element) (h entry, ok bool) {
	h = entry{c: c, r: r, n: n, xml: op, id: document.ID(op), task: document.Get(op, "operation"), intervalMS: uintAttr(op, "interval")}
	if h.id == "" || h.task == "" {
		c.errorf("ignoring resource history entry '%s' for %s on %s without id or operation", h.id, r.ID, n.Name)
		return h, false
	}
	switch h.task {
	case "monitor", "start", "stop", "promote", "demote", "migrate_to", "migrate_from", "asyncmon":
	default:
		return h, false
	}
	h.status = ExecStatus(intAttr(op, "op-status", -99))
	h.exit = ExitCode(intAttr(op, "rc-code", -1))
	if h.status < ExecPending || h.status > ExecNoSecrets || h.status == ExecCancelled || h.exit < 0 || h.exit > 255 {
		c.errorf("ignoring resource history entry %s for %s on %s with invalid result", h.id, r.ID, n.Name)
		return h, false
	}
	h.target = ExitCode(TargetRC(op))
	h.key = historyKey(op)
	h.callID = intAttr(op, "call-id", 0)
	return h, true
}

// unpackOp judges one entry.
func (c *Cluster) unpackOp(r *Resource, n *Node, op *etree.Element, lastFailure **etree.Element, onFail *OnFail) {
	h, ok := c.newEntry(r, n, op)
	if !ok {
		return
	}
	expired := h.expired()
	old := h.exit
	h.remap(onFail, expired)
	if expired && h.expiredResult(old) {
		return
	}
	if h.masked() {
		h.maskProbe(*lastFailure, onFail)
		return
	}
	parent := r
	if !r.Is(Unique) {
		parent = r.Top(false)
	}
	switch h.status {
	case ExecPending:
		h.pending(*lastFailure)
		return
	case ExecDone:
		h.success(h.exit, *lastFailure, onFail)
		return
	case ExecNotInstalled:
		strategy, role := h.handling()
		if strategy == OnFailIgnore {
			*onFail = OnFailBan
		}
		parent.Ban(n, -Infinity, "agent is not installed")
		h.failure(strategy, role, lastFailure, onFail)
		return
	case ExecNotConnected:
		if n.Remote && n.Connection != nil && n.Connection.Is(Managed) {
			n.Connection.Set(Failed | StopIfFailed)
		}
	}
	strategy, role := h.handling()
	if strategy == OnFailIgnore || strategy == OnFailRestartContainer && h.task == "stop" {
		h.success(h.target, *lastFailure, onFail)
		r.Set(IgnoreFailure)
		h.recordFailure()
		if strategy == OnFailRestartContainer && *onFail <= OnFailRestart {
			*onFail = strategy
		}
		return
	}
	h.failure(strategy, role, lastFailure, onFail)
	switch h.status {
	case ExecErrorHard:
		parent.Ban(n, -Infinity, "hard failure of "+h.id+": "+h.exit.String())
	case ExecErrorFatal:
		parent.Ban(nil, -Infinity, "fatal failure of "+h.id+": "+h.exit.String())
	}
}

// handling is what the configuration says about a failure of the entry.
func (h *entry) handling() (OnFail, Role) {
	op := h.r.Operation(h.task, h.intervalMS, true)
	f := h.c.OnFailOf(h.r, h.task, h.intervalMS, h.c.OpMeta(h.r, h.n, h.task, h.intervalMS, op))
	return f, h.r.RoleAfterFailure(h.task, f)
}

// setActive gives the lowest active role.
func (r *Resource) setActive() {
	if r.Top(false).Is(Promotable) {
		r.Role = RoleUnpromoted
	} else {
		r.Role = RoleStarted
	}
}

// recordFailure lists the entry among the failures, once.
func (h *entry) recordFailure() {
	if !h.n.Online {
		return
	}
	for _, f := range h.c.Failed {
		if f.Key == h.key && f.Node == h.n {
			return
		}
	}
	h.c.Failed = append(h.c.Failed, &FailedOp{
		XML: h.xml, Node: h.n, Rsc: h.r, Key: h.key, Task: h.task, IntervalMS: h.intervalMS,
		CallID: h.callID, Exit: ExitCode(intAttr(h.xml, "rc-code", 0)), Status: ExecStatus(intAttr(h.xml, "op-status", 0)), Reason: document.Get(h.xml, "exit-reason"),
	})
}

// failure draws the conclusions of a failure that counts.
func (h *entry) failure(strategy OnFail, role Role, lastFailure **etree.Element, onFail *OnFail) {
	r := h.r
	*lastFailure = h.xml
	if h.c.Options.SymmetricCluster || h.exit != ExitNotInstalled {
		h.recordFailure()
	}
	*onFail = max(*onFail, strategy)
	switch h.task {
	case "stop":
		r.Ban(h.n, -Infinity, "stop failed there")
	case "migrate_to":
		h.migrateToFailure()
	case "migrate_from":
		h.migrateFromFailure()
	case "promote":
		r.Role = RolePromoted
	case "demote":
		switch {
		case strategy == OnFailBlock:
			r.Role = RolePromoted
			r.SetNextRole(RoleStopped, "demote with on-fail=block")
		case h.exit == ExitNotRunning:
			r.Role = RoleStopped
		default:
			r.Role = RoleUnpromoted
		}
	}
	if isProbeEntry(h.xml) && h.exit == ExitNotInstalled {
		r.Role = RoleStopped
	} else if r.Role < RoleStarted {
		r.setActive()
	}
	if role != RoleStarted && r.NextRole < role {
		r.SetNextRole(role, "failure")
	}
	if role == RoleStopped {
		b := r
		if top := r.Top(false); r.Parent != nil && top.IsAnonymousClone() {
			b = top
		}
		b.banEverywhere("failure of " + h.id + " with on-fail=stop")
	}
}

// blockIfStuck blocks a resource whose stop cannot succeed and whose node cannot
// be fenced.
func (h *entry) blockIfStuck() {
	if h.task == "stop" && !h.c.CanFence(h.n) {
		h.r.Clear(Managed)
		h.r.Set(Blocked)
	}
}

// remap translates the agent's result into what it means for the cluster.
func (h *entry) remap(onFail *OnFail, expired bool) {
	orig := h.exit
	switch h.exit {
	case ExitDegraded:
		h.exit = ExitOK
	case ExitDegradedPromoted:
		h.exit = ExitPromoted
	}
	if h.exit != orig && !expired && (!h.n.Shutdown || h.n.Online) {
		h.recordFailure()
	}
	if h.masked() && (h.status != ExecDone || h.exit != ExitNotRunning) {
		h.status, h.exit = ExecDone, ExitNotRunning
	}
	switch h.status {
	case ExecDone, ExecError:
	case ExecNoFenceDevice, ExecNoSecrets:
		h.status = ExecErrorHard
		return
	default:
		return
	}
	switch {
	case h.target < 0:
		h.status = ExecError
	case h.exit == h.target:
		h.status = ExecDone
	default:
		h.status = ExecError
	}
	h.remapExit(onFail, expired)
}

func (h *entry) remapExit(onFail *OnFail, expired bool) {
	probe := isProbeEntry(h.xml)
	switch h.exit {
	case ExitOK:
		if probe && h.target == ExitNotRunning {
			h.status = ExecDone
		}
	case ExitNotRunning:
		if probe || h.target == h.exit || !h.r.Is(Managed) {
			h.status = ExecDone
			h.r.Role = RoleStopped
			*onFail = OnFailIgnore
			h.r.SetNextRole(RoleUnknown, "not running")
		}
	case ExitPromoted:
		if probe && h.exit != h.target {
			h.status = ExecDone
		}
		if !expired || h.exit == h.target {
			h.r.Role = RolePromoted
		}
	case ExitFailedPromoted:
		if !expired {
			h.r.Role = RolePromoted
		}
		h.status = ExecError
	case ExitNotConfigured:
		h.status = ExecErrorFatal
	case ExitUnimplemented, ExitNotInstalled, ExitInvalidParam, ExitInsufficientPriv:
		if h.exit == ExitUnimplemented && h.intervalMS > 0 {
			h.status = ExecNotSupported
			return
		}
		if !expired {
			h.blockIfStuck()
		}
		h.status = ExecErrorHard
	default:
		if h.status == ExecDone {
			h.status = ExecError
		}
	}
}

// expired tells whether the entry is a failure that is too old to count. Fail
// counts that are due are cleared.
func (h *entry) expired() bool {
	c, r := h.c, h.r
	if h.status == ExecNotInstalled {
		return false
	}
	isLast := strings.HasSuffix(h.id, "_last_failure_0")
	expired, clear := false, ""
	var unexpired Score
	if limit := h.expiry(); limit > 0 {
		if ran, ok := unixAttr(h.xml, "last-rc-change"); ok {
			expired = !c.Now.Before(ran.Add(limit)) && !h.waitsForFencing()
			var last time.Time
			unexpired, last = c.FailCount(h.n, r, FailEffective, h.xml)
			due := last.Add(limit + time.Second)
			if last.IsZero() {
				due = time.Unix(0, 0).Add(limit + time.Second)
			}
			if unexpired != 0 && c.Now.Before(due) {
				c.recheck(due)
			}
		}
	}
	if expired {
		if n, _ := c.FailCount(h.n, r, FailAll, h.xml); n != 0 {
			if unexpired == 0 {
				clear = "it expired"
			} else {
				expired = false
			}
		} else if isLast && r.ReconnectMS > 0 {
			clear = "reconnect interval is set"
		}
	}
	if !expired && isLast && h.paramsChanged() {
		clear = "resource parameters have changed"
	}
	if clear != "" {
		c.intend(Intent{Kind: IntentClearFailCount, Rsc: r, Node: h.n, Reason: clear, AfterRemoteFencing: c.Options.FencingEnabled && r.ReconnectMS > 0})
	}
	if expired && IsProbe(h.task, h.intervalMS) {
		switch h.exit {
		case ExitOK, ExitNotRunning, ExitPromoted, ExitDegraded, ExitDegradedPromoted:
			return false
		}
	}
	return expired
}

// waitsForFencing tells whether a remote node has to be fenced before failures
// of its connection expire.
func (h *entry) waitsForFencing() bool {
	if h.r.ReconnectMS == 0 || !h.c.Options.FencingEnabled || h.intervalMS == 0 || h.task != "monitor" {
		return false
	}
	n := h.c.FindNode(h.r.ID)
	return n != nil && !n.RemoteFenced
}

// paramsChanged tells whether the resource's parameters changed since the entry.
func (h *entry) paramsChanged() bool {
	if h.task != "start" && h.task != "monitor" {
		return false
	}
	if h.c.NeedsRemoteName(h.r) {
		h.c.ParamChecks = append([]ParamCheck{{Op: h.xml, Rsc: h.r, Node: h.n, LastFailure: true}}, h.c.ParamChecks...)
		return false
	}
	switch h.c.CompareDigest(h.r, h.xml, h.n).Result {
	case DigestChanged, DigestRestart:
		return true
	}
	return false
}

// expiredResult handles an expired failure; false where it counts nonetheless.
func (h *entry) expiredResult(old ExitCode) bool {
	if h.masked() && old != h.target {
		if h.r.Role <= RoleStopped {
			h.r.Role = RoleUnknown
		}
		return true
	}
	if h.exit == h.target {
		return false
	}
	if h.intervalMS == 0 {
		return true
	}
	if h.n.Online && !h.n.Unclean {
		if h.c.restarts == nil {
			h.c.restarts = map[*etree.Element]bool{}
		}
		h.c.restarts[h.xml] = true
		return true
	}
	return false
}

// maskProbe bans the resource where its probe says that it cannot be.
func (h *entry) maskProbe(lastFailure *etree.Element, onFail *OnFail) {
	b := h.r
	if !b.Is(Unique) {
		b = b.Top(false)
	}
	h.success(h.target, lastFailure, onFail)
	h.recordFailure()
	b.Ban(h.n, -Infinity, "probe says that it cannot run there: "+ExitCode(intAttr(h.xml, "rc-code", 0)).String())
}

// success draws the conclusions of an operation that went well, or counts so.
func (h *entry) success(exit ExitCode, lastFailure *etree.Element, onFail *OnFail) {
	r, clear := h.r, false
	switch {
	case exit == ExitNotInstalled || h.masked():
		r.Role = RoleStopped
	case exit == ExitNotRunning:
		clear = true
	case h.task == "monitor":
		clear = lastFailure != nil && h.key == historyKey(lastFailure)
		if r.Role < RoleStarted {
			r.setActive()
		}
	case h.task == "start" || h.task == "migrate_from":
		r.Role, clear = RoleStarted, true
	case h.task == "stop":
		r.Role, clear = RoleStopped, true
	case h.task == "promote":
		r.Role, clear = RolePromoted, true
	case h.task == "demote":
		clear = *onFail == OnFailDemote
		r.Role = RoleUnpromoted
	case h.task == "migrate_to":
		h.migrateToSuccess()
	case r.Role < RoleStarted:
		r.setActive()
	}
	if !clear {
		return
	}
	switch *onFail {
	case OnFailStop, OnFailBan, OnFailStandby, OnFailFence:
	case OnFailResetRemote:
		if r.ReconnectMS == 0 {
			*onFail = OnFailIgnore
			r.SetNextRole(RoleUnknown, "clear past failures and reset remote")
		}
	default:
		*onFail = OnFailIgnore
		r.SetNextRole(RoleUnknown, "clear past failures")
	}
}

// pending handles an operation that is under way.
func (h *entry) pending(lastFailure *etree.Element) {
	if h.failedSince(lastFailure) {
		return
	}
	r := h.r
	switch h.task {
	case "start":
		r.Set(StartPending)
		r.setActive()
	case "promote":
		r.Role = RolePromoted
	case "migrate_to":
		if h.n.Unclean {
			if t := h.c.FindNode(document.Get(h.xml, "migrate_target")); t != nil {
				h.c.intendStop(r, t)
			}
		}
	}
	if r.PendingAction == "" && !IsProbe(h.task, h.intervalMS) {
		r.PendingAction, r.PendingNode = h.task, h.n
	}
}

// failedSince tells whether the same operation failed after the entry.
func (h *entry) failedSince(f *etree.Element) bool {
	if f == nil || document.Get(f, "operation") != h.task || uintAttr(f, "interval") != h.intervalMS {
		return false
	}
	mine, ok1 := changedAt(h.xml)
	theirs, ok2 := changedAt(f)
	return ok1 && ok2 && theirs >= mine
}

// changedAt is when the result of an entry last changed; one that does not say
// counts as the oldest.
func changedAt(op *etree.Element) (at int64, ok bool) {
	v, has := document.Lookup(op, "last-rc-change")
	if !has {
		return 0, true
	}
	return leadingInt(v)
}

// FailedProbe finds a probe that says that the resource cannot be on the node.
func (c *Cluster) FailedProbe(r *Resource, node string) *FailedOp {
	id := r.ID
	if top := r.Top(false); top.Variant == Clone {
		id = document.ID(top.ChildXML)
	}
	for _, f := range c.Failed {
		if !maskedFailure(f.XML) {
			continue
		}
		on, has := document.Lookup(f.XML, "on_node")
		if !has || node != "" && !strings.EqualFold(on, node) {
			continue
		}
		if rsc, _, _, err := graph.ParseOpKey(historyKey(f.XML)); err == nil && rsc == id {
			return f
		}
	}
	return nil
}
