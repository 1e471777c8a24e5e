// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import "github.com/quorate/quorate/pengine/status"

func (b bundleVariant) actionFlags(a *action, n *node) actionFlags {
	if k := b.bundle.child; k != nil {
		switch primitiveTask(k, a.task) {
		case "no_action", taskNotify, taskNotified, taskPromote, taskPromoted, taskDemote, taskDemoted:
			return collectiveFlags(a, k.children, n)
		}
	}
	return collectiveFlags(a, b.bundle.containers(), n)
}

func (b bundleVariant) updateOrdered(first, then *action, n *node, flags, filter actionFlags, rel relation) changed {
	return b.s.updateInstances(first, then, n, flags, filter, rel)
}

func (b bundleVariant) applyLocation(l *location) {
	b.applyOwnLocation(l)
	for _, rep := range b.bundle.replicas {
		rep.container.v.applyLocation(l)
		if rep.ip != nil {
			rep.ip.v.applyLocation(l)
		}
	}
	if k := b.bundle.child; k != nil && (l.role == status.RoleUnpromoted || l.role == status.RolePromoted) {
		k.v.applyLocation(l)
		k.locations = append(k.locations, l)
	}
}

func (b bundleVariant) addToGraph() {
	if b.bundle.child != nil {
		b.bundle.child.v.addToGraph()
	}
	for _, rep := range b.bundle.replicas {
		for _, k := range rep.outer() {
			k.v.addToGraph()
		}
	}
}

func (b bundleVariant) createProbe(n *node) bool {
	r, any := b.rsc, false
	for _, rep := range r.bundle.replicas {
		if rep.ip != nil && rep.ip.v.createProbe(n) {
			any = true
		}
		if rep.child != nil && rep.Node == n && rep.child.v.createProbe(n) {
			any = true
		}
		c := rep.container
		if c.v.createProbe(n) {
			any = true
			if r.bundle.most == 1 {
				b.startAfterProbe(rep)
			}
		}
		if rep.remote == nil || !rep.remote.v.createProbe(n) {
			continue
		}
		if probe := rep.remote.latest(rep.remote.key(taskMonitor), "", n); probe != nil {
			any = true
			b.s.addOrdering(ordering{first: c, firstKey: c.key(taskStart), then: rep.remote, thenAction: probe, rel: relNestedRemoteProbe})
		}
	}
	return any
}

// startAfterProbe orders the starts of the other containers on a node after the
// probe of one.
func (b bundleVariant) startAfterProbe(probed *replica) {
	for _, rep := range b.bundle.replicas {
		if rep != probed {
			b.s.addOrdering(ordering{
				first: probed.container, firstKey: probed.container.key(taskMonitor),
				then: rep.container, thenKey: rep.container.key(taskStart), rel: relOrdered | relIfOnSameNode,
			})
		}
	}
}

func (b bundleVariant) graphMeta(*attrSet) {}

func (b bundleVariant) addUtilization(orig *rsc, all []*rsc, sum map[string]string) {
	if b.has(unassigned) && len(b.bundle.replicas) > 0 {
		b.bundle.replicas[0].container.v.addUtilization(orig, all, sum)
	}
}

func (b bundleVariant) shutdownLock() {}

func (b bundleVariant) changes() []Change {
	var out []Change
	for _, rep := range b.bundle.replicas {
		for _, k := range append(rep.outer(), rep.child) {
			if k != nil {
				out = append(out, k.v.changes()...)
			}
		}
	}
	return out
}
