// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"fmt"
	"maps"

	"github.com/quorate/quorate/pengine/explain"
)

type causeCase struct {
	scenario
	wants
}

// causeCases are the clusters of TestEachKindOfCause.
func causeCases(web string) map[string]causeCase {
	all := placeCases(web)
	maps.Copy(all, nodeCases(web))
	maps.Copy(all, actionCases(web))
	maps.Copy(all, cloneCases())
	return all
}

// placeCases are about the scores of places.
func placeCases(web string) map[string]causeCase {
	return map[string]causeCase{
		"location": {
			scenario{rsc: web, cons: banNode1, running: "web@node1"},
			wants{"web", "location", "constraint ban1", explain.Edit{Kind: explain.RemoveConstraint, ID: "ban1"}, explain.EffectUndisturbed},
		},
		"preference": {
			scenario{rsc: web, cons: likeNode1, running: "web@node1"},
			wants{"web@node1", "location", "preferred by constraint like1", explain.Edit{Kind: explain.Ban, Resource: "web", Node: "node1"}, explain.EffectLeaves},
		},
		"lower score": {
			scenario{rsc: web, cons: likeNode1 + `<rsc_location id="like2" rsc="web" node="node2" score="50"/>`, running: "web@node1"},
			wants{"web@node2", "score", "score 100 against 50", explain.Edit{Kind: explain.RemoveConstraint, ID: "like1"}, explain.EffectRuns},
		},
		"rule": {
			scenario{
				rsc: web, nodeAttrs: map[string]string{"node1": "site=a"}, running: "web@node1",
				cons: `<rsc_location id="not-a" rsc="web"><rule id="not-a-r" score="-INFINITY"><expression id="not-a-e" attribute="site" operation="eq" value="a"/></rule></rsc_location>`,
			},
			wants{"web", "location", "a rule of constraint not-a", explain.Edit{Kind: explain.SetNodeAttr, Node: "node1", Name: "site"}, explain.EffectUndisturbed},
		},
		"stickiness": {
			scenario{rsc: dummy("web", "resource-stickiness=100"), cons: `<rsc_location id="like2" rsc="web" node="node2" score="50"/>`, running: "web@node1"},
			wants{"web@node1", "stickiness", "runs there already", explain.Edit{Kind: explain.SetMeta, Resource: "web", Name: "resource-stickiness", Value: "0"}, explain.EffectLeaves},
		},
		"health": {
			scenario{rsc: web, options: "node-health-strategy=migrate-on-red", nodeAttrs: map[string]string{"node1": "#health-disk=red"}, running: "web@node1"},
			wants{"web", "health", "node1", explain.Edit{Kind: explain.SetNodeAttr, Node: "node1", Name: "#health-disk", Value: "green"}, explain.EffectUndisturbed},
		},
		"opt-in": {
			scenario{rsc: web, options: "symmetric-cluster=false", cons: likeNode1, running: "web@node1"},
			wants{"web@node2", "opt-in", "nothing allows web there", explain.Edit{Kind: explain.Prefer, Resource: "web", Node: "node2"}, explain.EffectRuns},
		},
		"discovery": {
			scenario{rsc: web, cons: `<rsc_location id="only1" rsc="web" node="node1" score="0" resource-discovery="exclusive"/>`, running: "web@node1", nodeAttrs: map[string]string{"node1": "standby=on"}},
			wants{"web", "discovery", "resource-discovery=exclusive", explain.Edit{Kind: explain.Allow, Resource: "web", Node: "node2", Value: "exclusive"}, explain.EffectRuns},
		},
		"colocation": {
			scenario{rsc: web + dummy("db", ""), cons: dbIsPinned + `<rsc_colocation id="web-db" rsc="web" with-rsc="db" score="INFINITY"/>`, running: "web@node1 db@node2"},
			wants{"web", "colocated", "web has to run with db", explain.Edit{Kind: explain.RemoveConstraint, ID: "web-db"}, explain.EffectUndisturbed},
		},
		"colocation with what is stopped": {
			scenario{rsc: web + dummy("db", "target-role=Stopped"), cons: `<rsc_colocation id="web-db" rsc="web" with-rsc="db" score="INFINITY"/>`, running: "web@node1"},
			wants{"web", "target-role", "target-role of db", explain.Edit{Kind: explain.SetMeta, Resource: "db", Name: "target-role", Value: "Started"}, explain.EffectRuns},
		},
		"anti-colocation": {
			scenario{rsc: web + dummy("db", ""), cons: onlyNode2 + dbIsPinned + `<rsc_colocation id="apart" rsc="web" with-rsc="db" score="-INFINITY"/>`, running: "db@node2"},
			wants{"web", "colocation", "colocation of web with db", explain.Edit{Kind: explain.RemoveConstraint, ID: "apart"}, explain.EffectRuns},
		},
		"dependent": {
			scenario{rsc: `<group id="g">` + dummy("a", "") + dummy("b", "") + `</group>`, cons: `<rsc_location id="ban-b" rsc="b" node="node1" score="-INFINITY"/><rsc_location id="like-a" rsc="a" node="node1" score="10"/>`, running: "a@node2 b@node2"},
			wants{"a@node1", "location", "b is banned by constraint ban-b", explain.Edit{Kind: explain.RemoveConstraint, ID: "ban-b"}, explain.EffectRuns},
		},
		"capacity": {
			scenario{
				options: "placement-strategy=utilization", cons: onlyNode2,
				rsc: `<primitive id="web" class="ocf" provider="pacemaker" type="Dummy"><utilization id="web-u"><nvpair id="web-u-1" name="cpu" value="4"/></utilization></primitive>`,
			},
			wants{"web@node2", "utilization", "not enough", explain.Edit{Kind: explain.SetCapacity, Node: "node2", Name: "cpu", Value: "4"}, explain.EffectRuns},
		},
		"ticket": {
			scenario{rsc: web, cons: `<rsc_ticket id="web-t" rsc="web" ticket="tick" loss-policy="stop"/>`, running: "web@node1"},
			wants{"web", "ticket", "needs ticket tick", explain.Edit{Kind: explain.GrantTicket, ID: "tick"}, explain.EffectRuns},
		},
		"target-role": {
			scenario{rsc: dummy("web", "target-role=Stopped"), running: "web@node1"},
			wants{"web", "target-role", "is Stopped", explain.Edit{Kind: explain.SetMeta, Resource: "web", Name: "target-role", Value: "Started"}, explain.EffectRuns},
		},
		"leaving node": {
			scenario{rsc: web, running: "web@node1", transient: map[string]string{"node1": "shutdown=1799999990"}},
			wants{"web", "shutdown", "shutting down", explain.Edit{Kind: explain.BringUp, Node: "node1"}, explain.EffectUndisturbed},
		},
		"shutdown lock": {
			scenario{rsc: web, options: "shutdown-lock=true", running: "web@node1", transient: map[string]string{"node1": "shutdown=1799999990"}},
			wants{"web", "shutdown-lock", "locked to node1", explain.Edit{Kind: explain.SetOption, Name: "shutdown-lock", Value: "false"}, explain.EffectRuns},
		},
	}
}

// nodeCases are about nodes and the cluster as a whole.
func nodeCases(web string) map[string]causeCase {
	fence := `<primitive id="fence" class="stonith" type="external/ssh"/>`
	return map[string]causeCase{
		"standby": {
			scenario{rsc: web, nodeAttrs: map[string]string{"node1": "standby=on"}, running: "web@node1"},
			wants{"web", "standby", "node1", explain.Edit{Kind: explain.SetNodeAttr, Node: "node1", Name: "standby"}, explain.EffectUndisturbed},
		},
		"offline": {
			scenario{rsc: web, down: "node1", cons: likeNode1},
			wants{"web@node1", "offline", "node1", explain.Edit{Kind: explain.BringUp, Node: "node1"}, explain.EffectRuns},
		},
		"remote node": {
			scenario{
				rsc:  web + `<primitive id="far" class="ocf" provider="pacemaker" type="remote"><meta_attributes id="far-m"><nvpair id="far-m-1" name="target-role" value="Stopped"/></meta_attributes></primitive>`,
				cons: `<rsc_location id="like-far" rsc="web" node="far" score="100"/>`, running: "web@node1",
			},
			wants{"web@far", "target-role", "target-role of far is Stopped", explain.Edit{Kind: explain.SetMeta, Resource: "far", Name: "target-role", Value: "Started"}, explain.EffectRuns},
		},
		"unclean": {
			scenario{rsc: web + fence, options: "fencing-enabled=true", dirty: "node1", cons: likeNode1},
			wants{"web@node1", "unclean", "has to be fenced", explain.Edit{Kind: explain.BringUp, Node: "node1"}, explain.EffectRuns},
		},
		"maintenance of a node": {
			scenario{rsc: web, nodeAttrs: map[string]string{"node1": "maintenance=true"}, cons: banNode1, running: "web@node1"},
			wants{"web", "unmanaged", "node1 is in maintenance", explain.Edit{Kind: explain.SetNodeAttr, Node: "node1", Name: "maintenance"}, explain.EffectLeaves},
		},
		"maintenance of the cluster": {
			scenario{rsc: web, options: "maintenance-mode=true"},
			wants{"web", "unmanaged", "the cluster is in maintenance mode", explain.Edit{Kind: explain.SetOption, Name: "maintenance-mode", Value: "false"}, explain.EffectRuns},
		},
		"unmanaged": {
			scenario{rsc: dummy("web", "is-managed=false")},
			wants{"web", "unmanaged", "web is unmanaged", explain.Edit{Kind: explain.SetMeta, Resource: "web", Name: "is-managed", Value: "true"}, explain.EffectRuns},
		},
		"stop all": {
			scenario{rsc: web, options: "stop-all-resources=true", running: "web@node1"},
			wants{"web", "stop-all", "stop-all-resources", explain.Edit{Kind: explain.SetOption, Name: "stop-all-resources", Value: "false"}, explain.EffectRuns},
		},
		"no fence device": {
			scenario{rsc: web, options: "fencing-enabled=true"},
			wants{"web", "no-fencing", "no fence device", explain.Edit{Kind: explain.SetOption, Name: "fencing-enabled", Value: "false"}, explain.EffectRuns},
		},
		"quorum": {
			scenario{rsc: web, noQuorum: true, running: "web@node1"},
			wants{"web", "quorum", "no quorum", explain.Edit{Kind: explain.RegainQuorum}, explain.EffectRuns},
		},
		"removed": {
			scenario{rsc: dummy("db", ""), running: "web@node1"},
			wants{"web", "removed", "no longer in the configuration", explain.Edit{Kind: explain.SetOption, Name: "stop-removed-resources", Value: "false"}, explain.EffectRuns},
		},
	}
}

// actionCases are about failures and about what other resources do.
func actionCases(web string) map[string]causeCase {
	db := dummy("db", "target-role=Stopped")
	order := `<rsc_order id="db-web" first="db" then="web"/>`
	return map[string]causeCase{
		"fail count": {
			scenario{rsc: dummy("web", "migration-threshold=2"), cons: likeNode1, transient: map[string]string{"node1": "fail-count-web#monitor_10000=2 last-failure-web#monitor_10000=1799999000"}, running: "web@node2"},
			wants{"web@node1", "fail-count", "fail count 2 of web reached migration-threshold 2", explain.Edit{Kind: explain.CleanUp, Resource: "web", Node: "node1"}, explain.EffectRuns},
		},
		"failed monitor": {
			scenario{rsc: web, running: "web@node1", ops: map[string]string{"web@node1": done("web", "monitor", "10000", "node1", 4, 7, 0)}},
			wants{"web", "failure", "monitor of web failed", explain.Edit{Kind: explain.CleanUp, Resource: "web", Node: "node1"}, explain.EffectUndisturbed},
		},
		"failed start": {
			scenario{rsc: web, cons: onlyNode2, ops: map[string]string{"web@node2": done("web", "start", "0", "node2", 4, 1, 0)}, transient: map[string]string{"node2": "fail-count-web#start_0=INFINITY"}},
			wants{"web@node2", "fail-count", "INFINITY", explain.Edit{Kind: explain.CleanUp, Resource: "web", Node: "node2"}, explain.EffectRuns},
		},
		"failed stop": {
			scenario{rsc: web, cons: banNode1, running: "web@node1", ops: map[string]string{"web@node1": done("web", "stop", "0", "node1", 4, 1, 0)}},
			wants{"web", "blocked", "needs a clean-up", explain.Edit{Kind: explain.CleanUp, Resource: "web"}, explain.EffectLeaves},
		},
		"order": {
			scenario{rsc: web + db, cons: order},
			wants{"web", "action", "needs the start of db, which cannot run", explain.Edit{Kind: explain.RemoveConstraint, ID: "db-web"}, explain.EffectRuns},
		},
		"root of an order": {
			scenario{rsc: web + db, cons: order},
			wants{"web", "target-role", "target-role of db", explain.Edit{Kind: explain.SetMeta, Resource: "db", Name: "target-role", Value: "Started"}, explain.EffectRuns},
		},
		"restart for another": {
			scenario{rsc: web + dummy("db", ""), cons: order, running: "web@node1"},
			wants{"web", "action", "is required by the start of db", explain.Edit{Kind: explain.RemoveConstraint, ID: "db-web"}, explain.EffectUndisturbed},
		},
		"changed definition": {
			scenario{
				running: "web@node1",
				rsc:     `<primitive id="web" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="web-p"><nvpair id="web-p-1" name="fake" value="new"/></instance_attributes></primitive>`,
			},
			wants{"web", "changed", "the definition of web changed", explain.Edit{Kind: explain.SetMeta, Resource: "web", Name: "is-managed", Value: "false"}, explain.EffectUndisturbed},
		},
		"twice active": {
			scenario{rsc: web, running: "web@node1 web@node2"},
			wants{"web", "multiple", "active on more than one node", explain.Edit{Kind: explain.Forget, Resource: "web", Node: "node2"}, explain.EffectUndisturbed},
		},
	}
}

// cloneCases are about clones.
func cloneCases() map[string]causeCase {
	clone := func(meta string) string {
		return fmt.Sprintf(`<clone id="c"><meta_attributes id="c-m">%s</meta_attributes>%s</clone>`, nvpairs("c-m", meta), dummy("web", ""))
	}
	return map[string]causeCase{
		"clone-max": {
			scenario{rsc: clone("clone-max=2"), running: "web@node1 web@node2"},
			wants{"web@node3", "instance-limit", "all 2 instances of c", explain.Edit{Kind: explain.SetMeta, Resource: "c", Name: "clone-max", Value: "3"}, explain.EffectRuns},
		},
		"instances per node": {
			scenario{rsc: clone("globally-unique=true clone-max=3 clone-node-max=1"), nodeAttrs: map[string]string{"node3": "standby=on"}, running: "web:0@node1 web:1@node2"},
			wants{"web:2", "instance-limit", "as clone-node-max allows: 1", explain.Edit{Kind: explain.SetMeta, Resource: "c", Name: "clone-node-max", Value: "2"}, explain.EffectRuns},
		},
		"clone banned": {
			scenario{rsc: clone(""), cons: `<rsc_location id="ban-c" rsc="c" node="node3" score="-INFINITY"/>`, running: "web@node1 web@node2"},
			wants{"c@node3", "location", "constraint ban-c", explain.Edit{Kind: explain.RemoveConstraint, ID: "ban-c"}, explain.EffectRuns},
		},
		"interleaved order": {
			scenario{
				rsc:  `<clone id="d"><meta_attributes id="d-m">` + nvpairs("d-m", "interleave=true target-role=Stopped") + `</meta_attributes>` + dummy("db", "") + `</clone>` + clone("interleave=true"),
				cons: `<rsc_order id="d-c" first="d" then="c"/>`,
			},
			wants{"web@node1", "order", "web:0 has to start after d", explain.Edit{Kind: explain.SetMeta, Resource: "d", Name: "target-role", Value: "Started"}, explain.EffectRuns},
		},
		"promotion": {
			scenario{rsc: clone("promotable=true"), running: "web@node1 web@node2", nodeAttrs: map[string]string{"node1": "master-web=10", "node2": "master-web=5"}},
			wants{"web@node1", "role", "promotion score", explain.Edit{Kind: explain.SetNodeAttr, Node: "node1", Name: "master-web", Value: "-INFINITY"}, explain.EffectNotPromoted},
		},
	}
}
