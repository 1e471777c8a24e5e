// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// fenceNode marks a node for fencing and makes the action.
func (s *scheduler) fenceNode(n *node, reason string, priorityDelay bool) {
	s.c.FenceNode(n, reason, priorityDelay)
	s.takeIntents()
}

// fenceOp finds or makes the fencing action of a node. op is off, reboot or on,
// "" for what is configured.
func (s *scheduler) fenceOp(n *node, op string, isOptional bool, reason string, priorityDelay bool) *action {
	if op == "" {
		op = s.c.Options.FencingAction
	}
	key := "stonith-" + n.Name + "-" + op
	a := s.singletons[key]
	if a == nil {
		a = s.plainAction(key, taskFence, n, true)
		a.meta.set("on_node", n.Name)
		a.meta.set("on_node_uuid", string(n.ID))
		a.meta.set("stonith_action", op)
		if s.c.EnableUnfencing && s.unfencingDigests(a, n) {
			isOptional = false
		}
	}
	if s.c.Options.PriorityFencingDelayMS > 0 {
		if _, has := a.meta.lookup("priority-fencing-delay"); has || priorityDelay {
			a.meta.set("priority-fencing-delay", strconv.Itoa(s.priorityDelay(n)))
		}
	}
	if !isOptional && s.c.CanFence(n) {
		a.clear(optional)
		if reason != "" {
			a.because(reason, false)
		}
	} else if reason != "" && a.reason == "" {
		a.reason = reason
	}
	return a
}

// unfencingDigests notes the devices' parameters; true where they changed.
func (s *scheduler) unfencingDigests(a *action, n *node) bool {
	changed := false
	var all, secure strings.Builder
	for _, r := range s.c.UnfencingDevices() {
		d := s.c.UnfencingDigest(r, n)
		changed = changed || d.Result == status.DigestChanged
		all.WriteString(d.Summary + ",")
		secure.WriteString(d.SecureSummary + ",")
		s.showNotes(d.Notes...)
	}
	a.meta.set("digests-all", all.String())
	a.meta.set("digests-secure", secure.String())
	return changed
}

// priorityDelay is the seconds by which fencing of the node waits, for that the
// side with the more important resources wins.
func (s *scheduler) priorityDelay(n *node) int {
	if n.Remote || n.Online {
		return 0
	}
	members, online := 0, 0
	top, lowest := 0, 0
	for _, o := range s.nodes {
		if o.Remote {
			continue
		}
		if members++; members == 1 {
			top, lowest = o.Priority, o.Priority
		}
		if o.Online {
			online++
		}
		top, lowest = max(top, o.Priority), min(lowest, o.Priority)
	}
	if online > members/2 || lowest == top || n.Priority < top {
		return 0
	}
	return int(seconds(s.c.Options.PriorityFencingDelayMS))
}

func seconds(ms uint) uint {
	if ms == 0 {
		return 0
	}
	return max(1, (ms+500)/1000)
}

// unfence asks for unfencing where a device changed.
func (s *scheduler) unfence(r *rsc, n *node, reason string) {
	if !s.c.EnableUnfencing || r != nil && !r.Is(status.FenceDevice) {
		return
	}
	if n != nil && n.Online && !n.Unclean && !n.Shutdown {
		s.fenceOp(n, "on", false, reason, false)
		return
	}
	if r != nil {
		for _, a := range r.allowed.list() {
			if m := a.node; m.Online && !m.Unclean && !m.Shutdown {
				s.unfence(r, m, reason)
			}
		}
	}
}

func unfenced(n *node) bool {
	v, ok := n.Attrs["#node-unfenced"]
	return ok && v != "0"
}

// orderVsUnfencing makes an action wait for the unfencing of its node.
func (r *rsc) orderVsUnfencing(n *node, a *action, rel relation) {
	if !(r.Is(status.FenceDevice) && r.s.c.EnableUnfencing) && !r.Is(status.NeedsUnfencing) {
		return
	}
	order(r.s.fenceOp(n, "on", true, "", false), a, rel)
	if !unfenced(n) {
		r.s.unfence(nil, n, "required by "+r.ID+" "+a.task)
	}
}

// fenceAndShutDown makes the actions that end nodes.
func (s *scheduler) fenceAndShutDown() {
	var dcDown *action
	var fencing, shutdowns []*action
	managed := anyManaged(s.rscs)
	for _, n := range s.nodes {
		if n.IsGuest() {
			if n.RemoteReset && managed && s.c.CanFence(n) {
				s.fenceGuest(n)
			}
			continue
		}
		var down *action
		switch {
		case managed && n.Unclean && s.c.CanFence(n):
			down = s.fenceOp(n, "", false, "node is unclean", false)
			s.orderVsFencing(down)
			if n != s.c.DC {
				if !s.c.Options.ConcurrentFencing && len(fencing) > 0 {
					order(fencing[len(fencing)-1], down, relOrdered)
				}
				fencing = append(fencing, down)
			}
		case !n.Remote && n.Online && n.Shutdown:
			down = s.shutdownOp(n)
			if n != s.c.DC {
				shutdowns = append(shutdowns, down)
			}
		}
		if down != nil && n == s.c.DC {
			dcDown = down
		}
	}
	if dcDown == nil {
		return
	}
	if dcDown.task == taskShutdown {
		for _, shutdown := range slices.Backward(shutdowns) {
			order(shutdown, dcDown, relOrdered)
		}
	}
	for _, f := range slices.Backward(fencing) {
		order(f, dcDown, relOrdered)
		if !s.c.Options.ConcurrentFencing {
			break
		}
	}
}

func anyManaged(list []*rsc) bool {
	for _, r := range list {
		if r.Is(status.Managed) || anyManaged(r.children) {
			return true
		}
	}
	return false
}

func (s *scheduler) shutdownOp(n *node) *action {
	a := s.plainAction(taskShutdown+"-"+n.Name, taskShutdown, n, false)
	for _, stop := range slices.Backward(s.actions) {

		if stop.node != n || stop.task != taskStop || stop.rsc.Is(status.InMaintenance) || n.Maintenance || !stop.rsc.Any(status.Managed|status.Blocked) {
			continue
		}
		stop.clear(optional)
		s.addOrdering(ordering{first: stop.rsc, firstAction: stop, thenKey: taskShutdown, thenAction: a, rel: relOrdered | relUnrunnableFirstBlocks})
	}
	a.meta.set("op_no_wait", "true")
	return a
}

// fenceGuest recovers what a guest node runs in.
func (s *scheduler) fenceGuest(n *node) {
	op := "off"
	conn := s.of[n.Connection]
	var stop *action
	if l := conn.launcher; l != nil {
		stop = l.latest("", taskStop, nil)
		if l.latest("", taskStart, nil) != nil {
			op = "reboot"
		}
	}
	f := s.fenceOp(n, op, false, "guest is unclean", false)
	f.set(pseudo | runnable)
	switch {
	case stop != nil && stop.is(pseudo):
		order(s.fenceOp(stop.node, "", false, "", false), f, relUnrunnableFirstBlocks|relFirstImpliesThen)
	case stop != nil:
		order(stop, f, relUnrunnableFirstBlocks|relFirstImpliesThen)
	default:
		if stop = conn.latest("", taskStop, nil); stop != nil {
			order(stop, f, relOrdered)
		}
	}
	s.orderVsFencing(f)
}

// orderVsFencing orders everything against a fencing.
func (s *scheduler) orderVsFencing(f *action) {
	for _, r := range s.rscs {
		r.orderVsFencing(f)
	}
}

func (r *rsc) orderVsFencing(f *action) {
	parts := r.parts()
	switch {
	case len(parts) > 0:
		for _, k := range parts {
			k.orderVsFencing(f)
		}
	case r.Is(status.Managed):
		r.startsVsFencing(f)
		r.stopsVsFencing(f)
	}
}

// parts are the resources directly below.
func (r *rsc) parts() []*rsc {
	return r.children
}

func (r *rsc) knownOn(n *node) bool {
	return r.Probed.Has(n) || r.Variant == status.Primitive && r.parent.isAnonymousClone() && r.parent.Probed.Has(n)
}

func (r *rsc) startsVsFencing(f *action) {
	for _, a := range slices.Backward(r.actions) {
		switch a.needs {
		case status.RequiresFencing:
			order(f, a, relOrdered)
		case status.RequiresQuorum:
			if a.task == taskStart && r.allowed.get(f.node) != nil && !r.knownOn(f.node) {
				order(f, a, relOrdered|relUnrunnableFirstBlocks)
			}
		}
	}
}

func (r *rsc) stopsVsFencing(f *action) {
	stops := r.findTask(taskStop, f.node, false)
	implicit := r.Is(status.NeedsFencing) || f.node.IsGuest()
	var parentStop *action
	if len(stops) > 0 && implicit {
		parentStop = r.top().latest("", taskStop, nil)
	}
	for _, a := range stops {
		a.set(pseudo | runnable)
		if implicit {
			if !r.InBundle() {
				order(f, a, relGuestAllowed)
			}
			order(f, parentStop, relGuestAllowed)
		}
		if r.Is(status.Notify) {
			r.notifyAfterFencing(a, f)
		}
	}
	for _, a := range r.findTask(taskDemote, f.node, false) {
		if a.node.Online && !a.node.Unclean && !r.Is(status.Failed) {
			continue
		}
		a.set(pseudo | runnable)
		if !r.InBundle() && implicit {
			order(f, a, relGuestAllowed|relOrdered)
		}
	}
}
