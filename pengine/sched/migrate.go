// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// canMigrate tells whether the resource can move without being stopped.
func (r *rsc) canMigrate(current *node) bool {
	return r.Is(status.Migratable|status.Managed) && !r.Any(status.Failed|status.StartPending) &&
		current != nil && !current.Unclean && r.assigned != nil && !r.node().Unclean
}

// migrate makes the actions of a live migration.
func (r *rsc) migrate(current *node) {
	start, stop := r.act(taskStart, r.node(), true), r.act(taskStop, current, true)
	var to *action
	if r.MigrationTarget == nil {
		to = r.act(taskMigrateTo, current, true)
	}
	from := r.act(taskMigrateFrom, r.node(), true)
	start.set(migratable | pseudo)
	stop.set(migratable)
	from.set(migratable)
	last := taskMigrateFrom
	if to != nil {
		to.set(migratable)
		to.needs = start.needs
		last = taskMigrateTo
	} else {
		from.needs = start.needs
	}
	orderTasks(r, taskMonitor, r, last, relOrdered)
	if to != nil {
		orderTasks(r, taskMigrateTo, r, taskMigrateFrom, relOrdered|relUnmigratableThenBlocks)
	}
	orderTasks(r, taskMigrateFrom, r, taskStop, relOrdered|relUnmigratableThenBlocks)
	orderTasks(r, taskMigrateFrom, r, taskStart, relOrdered|relUnmigratableThenBlocks|relFirstElseThen)
	for _, a := range []*action{to, from} {
		if a != nil {
			a.meta.set("migrate_source", current.Name)
			a.meta.set("migrate_target", r.node().Name)
		}
	}
	if to != nil && !r.Is(status.IsConnection) {
		to.meta.set("record-pending", "true")
	}
}

func taskOf(a *action, key string) string {
	if a != nil {
		return a.task
	}
	_, task, _, _ := graph.ParseOpKey(key)
	return task
}

// orderMigrations adds to an ordering what it means for migrations.
func (s *scheduler) orderMigrations(o *ordering) {
	if o.first == nil || o.then == nil || o.first == o.then || o.first.isParent(o.then) || o.then.isParent(o.first) {
		return
	}
	m1, m2 := o.first.Is(status.Migratable), o.then.Is(status.Migratable)
	if !m1 && !m2 {
		return
	}
	t1, t2 := taskOf(o.firstAction, o.firstKey), taskOf(o.thenAction, o.thenKey)
	rel := relOrdered
	switch {
	case t1 == taskStart && t2 == taskStart:
		if m1 && m2 {
			orderTasks(o.first, taskMigrateFrom, o.then, taskMigrateTo, rel)
		}
		if m2 {
			if m1 {
				rel |= relIfFirstUnmigratable
			}
			orderTasks(o.first, taskStart, o.then, taskMigrateTo, rel)
		}
	case !m2:
	case t1 == taskStop && t2 == taskStop:
		if m1 {
			rel |= relIfFirstUnmigratable
		}
		orderTasks(o.first, taskStop, o.then, taskMigrateTo, rel)
		if o.then.MigrationTarget != nil {
			orderTasks(o.first, taskStop, o.then, taskMigrateFrom, rel)
		}
	case t1 == taskPromote && t2 == taskStart:
		orderTasks(o.first, taskPromote, o.then, taskMigrateTo, rel)
	case t1 == taskDemote && t2 == taskStop:
		orderTasks(o.first, taskDemote, o.then, taskMigrateTo, rel)
		if o.then.MigrationTarget != nil {
			orderTasks(o.first, taskDemote, o.then, taskMigrateFrom, rel)
		}
	}
}
