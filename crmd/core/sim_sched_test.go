// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/transition/graph"
)

// decide is the project's own policy engine, without its daemon.
func decide(root *etree.Element, now time.Time) (*graph.Graph, pengine.Reply) {
	res, err := sched.Schedule(sched.Input{CIB: root, Now: now})
	if err != nil {
		panic(fmt.Sprintf("scheduler: %v", err))
	}
	return res.Graph, pengine.Reply{
		Actions: len(res.Graph.Synapses), RecheckBy: res.RecheckBy, Warnings: res.Warnings, Errors: res.Errors,
	}
}
