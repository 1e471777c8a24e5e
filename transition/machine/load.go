// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package machine

import (
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// load counts what is in flight for each node, and holds back what a node's
// limits do not allow.
type load struct {
	nodeLimit, migrationLimit int
	jobs, migrations          map[string]int // by node name
}

func newLoad(opts transition.Options) load {
	return load{
		nodeLimit: opts.NodeLimit, migrationLimit: opts.MigrationLimit,
		jobs: map[string]int{}, migrations: map[string]int{},
	}
}

// allows tells whether an action fits on its nodes now. A migration counts on
// its source and on its target. Events of the cluster have no limit: fencing
// never waits for a job.
func (l *load) allows(a *graph.Action) bool {
	if a.Kind != graph.RscOp {
		return true
	}
	migration := isMigration(a)
	for _, n := range nodesOf(a) {
		if l.nodeLimit > 0 && l.jobs[n] >= l.nodeLimit {
			return false
		}
		if migration && l.migrationLimit >= 0 && l.migrations[n] >= max(l.migrationLimit, 1) {
			return false
		}
	}
	return true
}

func (l *load) add(a *graph.Action)    { l.count(a, 1) }
func (l *load) remove(a *graph.Action) { l.count(a, -1) }

func (l *load) count(a *graph.Action, by int) {
	if a.Kind != graph.RscOp {
		return
	}
	migration := isMigration(a)
	for _, n := range nodesOf(a) {
		l.jobs[n] += by
		if migration {
			l.migrations[n] += by
		}
	}
}

func isMigration(a *graph.Action) bool {
	return a.Operation == "migrate_to" || a.Operation == "migrate_from"
}

// nodesOf are the nodes that an action loads.
func nodesOf(a *graph.Action) []string {
	node := a.RouterNode
	if node == "" {
		node = a.OnNode
	}
	if !isMigration(a) {
		return []string{node}
	}
	source, target := a.Attr("CRM_meta_migrate_source"), a.Attr("CRM_meta_migrate_target")
	if source == "" || target == "" || source == target {
		return []string{node}
	}
	return []string{source, target}
}
