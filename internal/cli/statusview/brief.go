// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// brief counts primitives by agent and node: one line for each agent and node
// where it is active, and one for agents that are active nowhere.
func brief(list []*status.Resource, inactive, named bool) []string {
	total := map[string]int{}
	active := map[string]map[*status.Node]int{}
	for _, r := range list {
		agent := agentText(r)
		total[agent]++
		if active[agent] == nil {
			active[agent] = map[*status.Node]int{}
		}
		for _, n := range r.ActiveOn {
			active[agent][n]++
		}
	}
	agents := make([]string, 0, len(total))
	for a := range total {
		agents = append(agents, a)
	}
	slices.Sort(agents)
	var lines []string
	for _, a := range agents {
		lines = append(lines, briefAgent(a, total[a], active[a], inactive, named)...)
	}
	return lines
}

func briefAgent(agent string, total int, active map[*status.Node]int, inactive, named bool) []string {
	nodes := make([]*status.Node, 0, len(active))
	for n := range active {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *status.Node) int { return a.Index - b.Index })
	var lines []string
	for _, n := range nodes {
		name := ""
		if named {
			name = n.Name
		}
		if inactive {
			lines = append(lines, fmt.Sprintf("%d/%d\t(%s):\tActive %s", active[n], total, agent, name))
		} else {
			lines = append(lines, fmt.Sprintf("%d\t(%s):\tActive %s", active[n], agent, name))
		}
	}
	if len(lines) == 0 && inactive {
		lines = append(lines, fmt.Sprintf("0/%d\t(%s):\tActive", total, agent))
	}
	return lines
}
