// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// A DotNode is one action as a picture of the transition shows it.
type DotNode struct {
	Name               string
	Style, Color, Font string
	After              []DotEdge // what comes before it
}

// A DotEdge is one ordering in the picture.
type DotEdge struct{ From, Style string }

// Picture gives the actions of the graph, all of them where asked for, with
// their order; ids adds to each name the number that the action has in the
// graph.
func (r *Result) Picture(all, ids bool) []DotNode {
	title := func(a *action) string {
		if ids {
			return a.dotName() + " (" + strconv.Itoa(a.id) + ")"
		}
		return a.dotName()
	}
	s := r.s
	shown := map[*action]bool{}
	nodes := make([]DotNode, 0, len(s.actions))
	index := map[*action]int{}
	for _, a := range slices.Backward(s.actions) {

		n := DotNode{Name: title(a), Style: "dashed", Font: "black"}
		if a.is(pseudo) {
			n.Font = "orange"
		}
		write := true
		switch {
		case a.is(inGraph):
			n.Style, n.Color = "bold", "green"
		case a.rsc != nil && !a.rsc.Is(status.Managed):
			n.Color, n.Font, write = "red", "purple", all
		case a.is(optional):
			n.Color, write = "blue", all
		default:
			n.Color = "red"
		}
		shown[a] = write || a.is(inGraph)
		if !write {
			n.Style = ""
		}
		index[a] = len(nodes)
		nodes = append(nodes, n)
	}
	for _, a := range slices.Backward(s.actions) {
		for _, in := range a.before {
			style, isOptional := "dashed", true
			switch {
			case in.graph:
				style, isOptional = "bold", false
			case in.rel == 0:
				continue
			case shown[in.action] && shown[a] && in.rel != relIfOnSameNodeOrTarget:
				isOptional = false
			}
			if all || !isOptional {
				n := &nodes[index[a]]
				n.After = append(n.After, DotEdge{title(in.action), style})
			}
		}
	}
	return nodes
}

func (a *action) dotName() string {
	host, known := "", false
	if a.node != nil {
		host, known = a.node.Name, true
	} else if !a.is(pseudo) {
		host, known = "<none>", true
	}
	prefix, task := "", a.task
	if a.task == taskCancel {
		prefix, task = "Cancel ", a.cancelTask
	}
	name := a.key
	switch {
	case a.rsc != nil && a.rsc.HistoryID != "" && isNotify(a.task):
		name = graph.NotifyKey(a.rsc.HistoryID, a.meta.get("notify_key_type"), a.meta.get("notify_key_operation"))
	case a.rsc != nil && a.rsc.HistoryID != "":
		name = graph.OpKey(a.rsc.HistoryID, task, a.intervalMS())
	case a.task == taskFence:
		name = a.task + " '" + a.meta.get("stonith_action") + "'"
	case a.rsc == nil && known:
		name = task
	}
	if known {
		name += " " + host
	}
	return prefix + name
}
