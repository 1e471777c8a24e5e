// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// onlyOp finds the one operation of a task in the history of a resource on a
// node, for a migration with its other node; done asks for success. Where there
// are several, as with recurring monitors, there is none that could be trusted.
func (c *Cluster) onlyOp(rsc, task, node, other string, done ExitCode) *etree.Element {
	var only *etree.Element
	for op := range document.Children(c.History(node, rsc), "lrm_rsc_op") {
		if document.Get(op, "operation") != task {
			continue
		}
		if other != "" && (task == "migrate_to" && document.Get(op, "migrate_target") != other ||
			task == "migrate_from" && document.Get(op, "migrate_source") != other) {
			continue
		}
		if only != nil {
			return nil
		}
		only = op
	}
	if only != nil && done >= 0 && (ExitCode(intAttr(only, "rc-code", 1)) != done || ExecStatus(intAttr(only, "op-status", 4)) != ExecDone) {
		return nil
	}
	return only
}

// unknownOn tells whether the node's history of the resource says nothing.
func (h *entry) unknownOn(node string) bool {
	for op := range document.Children(h.c.History(node, h.r.ID), "lrm_rsc_op") {
		if rc, has := document.Lookup(op, "rc-code"); has && rc != "193" {
			return false
		}
	}
	return true
}

func (h *entry) stoppedAfter(node string, op *etree.Element) bool {
	m := h.c.onlyOp(h.r.ID, "monitor", node, "", ExitNotRunning)
	return m != nil && NewerOp(m, op) > 0
}

// changedAfter tells whether anything but a monitor ran on the node after op.
func (h *entry) changedAfter(node string, op *etree.Element) bool {
	for o := range document.Children(h.c.History(node, h.r.ID), "lrm_rsc_op") {
		if o == op {
			continue
		}
		switch document.Get(o, "operation") {
		case "start", "stop", "migrate_to", "migrate_from":
			if NewerOp(o, op) > 0 {
				return true
			}
		}
	}
	return false
}

func (h *entry) newerStateAfterMigrate(node string, to, from *etree.Element) bool {
	op := from
	if op == nil {
		op = to
	}
	if op != to && to != nil && strings.EqualFold(node, document.Get(op, "migrate_source")) {
		op = to
	}
	return op != nil && (h.changedAfter(node, op) || h.stoppedAfter(node, op))
}

// migrationNodes gives both nodes of a migration; mine is the attribute that has
// to name the entry's node.
func (h *entry) migrationNodes(mine string) (source, target string, ok bool) {
	source, ok1 := document.Lookup(h.xml, "migrate_source")
	target, ok2 := document.Lookup(h.xml, "migrate_target")
	if !ok1 || !ok2 {
		h.c.errorf("ignoring resource history entry %s without migrate_source and migrate_target", h.id)
		return "", "", false
	}
	if !strings.EqualFold(document.Get(h.xml, mine), h.n.Name) {
		h.c.errorf("ignoring resource history entry %s because its %s is not %s", h.id, mine, h.n.Name)
		return "", "", false
	}
	return source, target, true
}

// migrateToSuccess judges a migration whose first half went well.
func (h *entry) migrateToSuccess() {
	source, target, ok := h.migrationNodes("migrate_source")
	if !ok {
		return
	}
	c, r := h.c, h.r
	sourceNewer := h.changedAfter(source, h.xml)
	rc, status := ExitOK, ExecPending
	from := c.onlyOp(r.ID, "migrate_from", target, source, -1)
	if from != nil {
		if sourceNewer {
			return
		}
		rc, status = ExitCode(intAttr(from, "rc-code", 0)), ExecStatus(intAttr(from, "op-status", -1))
	}
	targetNewer := h.newerStateAfterMigrate(target, h.xml, from)
	if sourceNewer && targetNewer {
		return
	}
	if rc == ExitOK && status == ExecDone {
		r.Role = RoleStopped
		r.DanglingMigrations = append([]*Node{h.n}, r.DanglingMigrations...)
		return
	}
	r.Role = RoleStarted
	t := c.FindNode(target)
	activeOnTarget := !targetNewer && t != nil && t.Online
	if status != ExecPending {
		if activeOnTarget {
			c.addRunning(r, t, true)
		} else {
			r.Set(Failed | StopIfFailed)
			r.Clear(Migratable)
		}
		return
	}
	if t != nil && t.Online && h.unknownOn(target) {
		return
	}
	if activeOnTarget {
		c.addRunning(r, t, false)
		if s := c.FindNode(source); s != nil && s.Online {
			r.MigrationTarget, r.MigrationSource = t, s
		}
	} else if !sourceNewer {
		r.Set(Failed | StopIfFailed)
		r.Clear(Migratable)
	}
}

func (h *entry) migrateToFailure() {
	source, target, ok := h.migrationNodes("migrate_source")
	if !ok {
		return
	}
	r := h.r
	r.Role = RoleStarted
	from := h.c.onlyOp(r.ID, "migrate_from", target, source, ExitOK)
	if !h.unknownOn(target) && !h.newerStateAfterMigrate(target, h.xml, from) {
		if t := h.c.FindNode(target); t != nil && t.Online {
			h.c.addRunning(r, t, false)
		}
	} else if !h.changedAfter(source, h.xml) {
		r.DanglingMigrations = append([]*Node{h.n}, r.DanglingMigrations...)
	}
}

func (h *entry) migrateFromFailure() {
	source, target, ok := h.migrationNodes("migrate_target")
	if !ok {
		return
	}
	r := h.r
	r.Role = RoleStarted
	to := h.c.onlyOp(r.ID, "migrate_to", source, target, ExitOK)
	if !h.unknownOn(source) && !h.newerStateAfterMigrate(source, to, h.xml) {
		if s := h.c.FindNode(source); s != nil && s.Online {
			h.c.addRunning(r, s, true)
		}
	}
}
