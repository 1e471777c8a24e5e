// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"sort"
	"strings"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// notification is what goes with one task of a clone that notifies.
type notification struct {
	task                         string
	pre, preDone, post, postDone *action
	active, inactive             []told
	start, stop, promote, demote []told
	promoted, unpromoted         []told
	allowed                      table
	keys                         [][2]string
}

// notifications are those of one clone.
type notifications struct{ start, stop, promote, demote *notification }

// told is one resource on one node in a notification.
type told struct {
	rsc  *rsc
	node *node
}

// tell makes the points in the order around a task. action or complete may be
// nil.
func (r *rsc) tell(task string, act, complete *action) *notification {
	if !r.Is(status.Notify) {
		return nil
	}
	n := &notification{task: task}
	if act != nil {
		n.pre = r.tellPoint(act, taskNotify, "pre", "pre", task)
		n.pre.set(runnable)
		n.preDone = r.tellPoint(act, taskNotified, "confirmed-pre", "pre", task)
		n.preDone.set(runnable)
		order(n.pre, n.preDone, relOrdered)
		order(n.preDone, act, relOrdered)
	}
	if complete != nil {
		n.post = r.tellPoint(complete, taskNotify, "post", "post", task)
		n.postDone = r.tellPoint(complete, taskNotified, "confirmed-post", "post", task)
		for _, a := range []*action{n.post, n.postDone} {
			a.priority = infinity
			if complete.is(runnable) {
				a.set(runnable)
			} else {
				a.clear(runnable)
			}
		}
		order(complete, n.post, relFirstImpliesThen)
		order(n.post, n.postDone, relFirstImpliesThen)
	}
	if act != nil && complete != nil {
		order(n.preDone, n.post, relOrdered)
	}
	return n
}

func (r *rsc) tellPoint(about *action, task, keyType, typ, op string) *action {
	a := r.s.opAction(r, graph.NotifyKey(r.ID, keyType, about.task), task, nil, about.is(optional))
	a.set(pseudo)
	a.meta.set("notify_key_type", keyType)
	a.meta.set("notify_key_operation", about.task)
	a.meta.set("notify_type", typ)
	a.meta.set("notify_operation", op)
	return a
}

func (r *rsc) startStopNotifications(start, started, stop, stopped *action) {
	if r.notify == nil {
		r.notify = &notifications{}
	}
	n := r.notify
	if n.start == nil {
		n.start = r.tell(taskStart, start, started)
	}
	if n.stop == nil {
		n.stop = r.tell(taskStop, stop, stopped)
		if n.start != nil && n.stop != nil {
			order(n.stop.postDone, n.start.pre, relOrdered)
		}
	}
}

func (r *rsc) promoteNotifications(promote, promoted *action) {
	if r.notify.promote == nil {
		r.notify.promote = r.tell(taskPromote, promote, promoted)
	}
}

func (r *rsc) demoteNotifications(demote, demoted *action) {
	n := r.notify
	if n.demote != nil {
		return
	}
	n.demote = r.tell(taskDemote, demote, demoted)
	if n.promote == nil {
		return
	}
	order(n.stop.postDone, n.promote.pre, relOrdered)
	order(n.start.postDone, n.promote.pre, relOrdered)
	order(n.demote.postDone, n.promote.pre, relOrdered)
	order(n.demote.postDone, n.start.pre, relOrdered)
	order(n.demote.postDone, n.stop.pre, relOrdered)
}

// createNotifications makes the notifications of a clone.
func (r *rsc) createNotifications() {
	if r.notify == nil {
		return
	}
	for _, n := range []*notification{r.notify.start, r.notify.stop, r.notify.promote, r.notify.demote} {
		if n != nil {
			n.collect(r, true)
			n.environment(r)
			n.create(r)
		}
	}
}

// collect finds out who is told about whom.
func (n *notification) collect(r *rsc, activity bool) {
	if n.allowed == nil {
		n.allowed = r.allowed
	}
	if len(r.children) > 0 {
		for _, k := range r.children {
			n.collect(k, activity)
		}
		return
	}
	t := told{rsc: r}
	if len(r.ActiveOn) > 0 {
		t.node = r.ActiveOn[0]
	}
	switch r.Role {
	case status.RoleStopped:
		n.inactive = append(n.inactive, t)
	case status.RoleStarted:
		n.active = append(n.active, t)
	case status.RoleUnpromoted:
		n.unpromoted, n.active = append(n.unpromoted, t), append(n.active, t)
	case status.RolePromoted:
		n.promoted, n.active = append(n.promoted, t), append(n.active, t)
	}
	if !activity {
		return
	}
	for _, a := range r.actions {
		if a.is(optional) || a.node == nil || !a.is(runnable) && !(a.task == taskStop && a.node.Unclean) {
			continue
		}
		t := told{r, a.node}
		switch a.task {
		case taskStart:
			n.start = append(n.start, t)
		case taskStop:
			n.stop = append(n.stop, t)
		case taskPromote:
			n.promote = append(n.promote, t)
		case taskDemote:
			n.demote = append(n.demote, t)
		}
	}
}

// words lists resources and nodes, each resource once.
func words(list []told, withNode bool) (rscs, nodes string) {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.rsc.ID != b.rsc.ID {
			return a.rsc.ID < b.rsc.ID
		}
		if a.node == nil || b.node == nil {
			return b.node == nil && a.node != nil
		}
		return a.node.ID < b.node.ID
	})
	var r, n []string
	last := ""
	for _, t := range list {
		if withNode && t.node == nil || t.rsc.ID == last {
			continue
		}
		last = t.rsc.ID
		r = append(r, t.rsc.ID)
		if withNode {
			n = append(n, t.node.Name)
		}
	}
	return orBlank(r), orBlank(n)
}

func orBlank(list []string) string {
	if len(list) == 0 {
		return " "
	}
	return strings.Join(list, " ")
}

func (n *notification) add(key, value string) { n.keys = append(n.keys, [2]string{key, value}) }

func (n *notification) addList(name string, list []told) string {
	r, u := words(list, true)
	n.add("notify_"+name+"_resource", r)
	n.add("notify_"+name+"_uname", u)
	return r
}

// environment is what agents are told.
func (n *notification) environment(r *rsc) {
	required := n.addList("stop", n.stop) != " " && n.task == taskStop
	required = required || len(n.start) > 0 && n.task == taskStart || len(n.demote) > 0 && n.task == taskDemote || len(n.promote) > 0 && n.task == taskPromote
	n.addList("start", n.start)
	n.addList("demote", n.demote)
	n.addList("promote", n.promote)
	n.addList("active", n.active)
	n.addList("unpromoted", n.unpromoted)
	n.addList("slave", n.unpromoted)
	n.addList("promoted", n.promoted)
	n.addList("master", n.promoted)
	inactive, _ := words(n.inactive, false)
	n.add("notify_inactive_resource", inactive)
	var names []string
	for _, a := range n.allowed.list() {
		names = append(names, a.node.Name)
	}
	n.add("notify_available_uname", orBlank(names))
	names = nil
	var hosts []string
	for _, o := range r.s.nodes {
		names = append(names, o.Name)
		if o.IsGuest() {
			if l := o.Connection.Launcher; len(l.ActiveOn) > 0 {
				o = l.CurrentNode()
			}
		}
		hosts = append(hosts, o.Name)
	}
	if r.Meta["container-attribute-target"] == "host" {
		n.add("notify_all_hosts", orBlank(hosts))
	}
	n.add("notify_all_uname", orBlank(names))
	if required {
		for _, a := range []*action{n.pre, n.preDone, n.post, n.postDone} {
			if a != nil {
				a.clear(optional)
			}
		}
	}
}

func (n *notification) putKeys(a *action) {
	for _, v := range slices.Backward(n.keys) {
		a.meta.set(v[0], v[1])
	}
}

// create makes the notify operations.
func (n *notification) create(r *rsc) {
	if len(r.children) > 0 {
		for _, k := range r.children {
			n.create(k)
		}
		return
	}
	for _, a := range r.actions {
		if a.is(optional) || a.node == nil {
			continue
		}
		switch a.task {
		case taskStart, taskStop, taskPromote, taskDemote:
			n.putKeys(a)
		}
	}
	switch {
	case n.task == taskStart && len(n.start) == 0, n.task == taskPromote && len(n.promote) == 0, n.task == taskDemote && len(n.demote) == 0:
		return
	}
	if r.Role != status.RoleStopped && (n.task == taskStop || n.task == taskDemote) {
		n.createDown(r)
	}
	if r.NextRole != status.RoleStopped && (n.task == taskStart || n.task == taskPromote) {
		n.createUp(r)
	}
}

func (n *notification) createDown(r *rsc) {
	stop := r.latest("", taskStop, nil)
	for _, on := range r.ActiveOn {
		if stop != nil && stop.is(pseudo) && (on.Unclean || on.RemoteReset) {
			continue
		}
		n.notifyOn(r, on, n.pre, n.preDone)
		if n.task == taskDemote || stop == nil || stop.is(optional) {
			n.postOn(r, on)
		}
	}
}

func (n *notification) createUp(r *rsc) {
	start := r.latest("", taskStart, nil)
	if start != nil && start.node != nil && start.node.Connection != nil {
		conn := r.s.of[start.node.Connection].latest("", taskStart, nil)
		if conn != nil && !conn.is(runnable) {
			return
		}
	}
	if r.assigned == nil {
		return
	}
	if n.task != taskStart || start == nil || start.is(optional) {
		n.notifyOn(r, r.node(), n.pre, n.preDone)
	}
	n.postOn(r, r.node())
}

func (n *notification) notifyOn(r *rsc, on *node, op, done *action) *action {
	if op == nil || done == nil || !on.Online || !op.is(runnable) {
		return nil
	}
	a := r.s.opAction(r, graph.NotifyKey(r.ID, op.meta.get("notify_type"), op.meta.get("notify_operation")), op.task, on, op.is(optional))
	a.meta.addFrom(&op.meta)
	n.putKeys(a)
	order(op, a, relOrdered)
	order(a, done, relOrdered)
	return a
}

func (n *notification) postOn(r *rsc, on *node) {
	if a := n.notifyOn(r, on, n.post, n.postDone); a != nil {
		a.priority = infinity
	}
	if n.postDone == nil {
		return
	}
	for _, m := range slices.Backward(r.actions) {
		if v, has := m.meta.lookup("interval"); has && v != "0" && m.task != taskCancel {
			order(n.postDone, m, relOrdered)
		}
	}
}

// notifyAfterFencing tells the others that fencing stopped the resource.
func (r *rsc) notifyAfterFencing(stop, fencing *action) {
	n := r.tell(taskStop, nil, fencing)
	if n == nil {
		return
	}
	n.collect(r, false)
	n.add("notify_stop_resource", r.ID)
	n.add("notify_stop_uname", stop.node.Name)
	n.create(r.top())
}
