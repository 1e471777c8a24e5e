// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"maps"
	"strconv"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition/graph"
)

// A node that is to shut down while no DC can drain it stops its own resources,
// the last started first, and leaves: nothing may run on where nobody looks.

// Times of a node that shuts down alone.
const (
	alonePatience = 5 * time.Second // for a DC to be found again
	aloneStop     = time.Minute     // for one stop
)

// shutDownAlone begins to stop this node's resources where no DC is there to do
// it.
func (c *Core) shutDownAlone() {
	if len(c.calls.shutdown) == 0 || c.alone || c.leaving {
		return
	}
	if c.dc != (messaging.MemberID{}) && c.joined > 0 && !c.coldStart() {
		return
	}
	c.alone = true
	c.logf(Warn, "no dc can drain this node: stopping its resources alone")
	c.stopNext()
}

// stopNext stops the resource that was started last, and leaves when none is
// left.
func (c *Core) stopNext() {
	var last *history.Resource
	newest := -1
	for _, r := range c.lrm.node.Resources() {
		if !r.Active() || c.aloneTried[r.ID] {
			continue
		}
		if call, _ := strconv.Atoi(document.Get(r.Records[r.ID+"_last_0"], "call-id")); call > newest {
			newest, last = call, r
		}
	}
	if last == nil && c.anyActive() {
		c.giveUpDrain("a resource cannot be stopped")
		return
	}
	if last == nil {
		c.leave("everything here was stopped without a dc")
		return
	}
	c.aloneTried[last.ID] = true
	params := maps.Clone(last.Started)
	if params == nil {
		params = map[string]string{}
	}
	params["CRM_meta_timeout"] = strconv.FormatInt(aloneStop.Milliseconds(), 10)
	params["crm_feature_set"] = history.FeatureSet
	c.emit(SetTimer{Name: timerAlone, At: c.now.Mono + aloneStop + time.Second})
	c.invokeOp(lrmd.Op{
		Resource: last.ID, Agent: last.Agent, Action: "stop", Timeout: aloneStop, Params: params,
		UserData: graph.Key{ActionID: -1, TransitionID: -1, UUID: c.cfg.NewID()}.String(),
	})
}

// stoppedAlone goes on after a stop.
func (c *Core) stoppedAlone(res lrmd.Result) {
	if c.alone && !c.leaving && res.Op.Action == "stop" {
		c.stopNext()
	}
}
