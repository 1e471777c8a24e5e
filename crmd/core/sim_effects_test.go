// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/machine"
)

// --- effects

func (n *simNode) effect(e Effect) {
	c := n.c
	switch e := e.(type) {
	case JoinGroup:
		c.after(c.jitter(5*time.Millisecond), n.joinGroup(n.crmGen))
	case LeaveGroup:
		was := n.member
		n.inGroup, n.crm = false, false
		n.crmGen++
		c.groupChange(nil, []messaging.MemberChange{{Member: was, Reason: messaging.ReasonLeave}}, c.part[n.i])
	case Send:
		if n.inGroup {
			c.send(n, e.Msg)
		}
	case Write:
		n.write(e.Token, func(o *simNode) (cib.Version, error) { return o.apply(e.Req) })
	case Attr:
		n.write(e.Token, func(o *simNode) (cib.Version, error) { return o.attr(e.Up) })
	case Compute:
		root, err := document.Parse(e.Req.CIB)
		if err != nil {
			c.t.Fatal(err)
		}
		g, reply := c.schedule(root, e.Req.Now)
		c.graphs++
		reply.InputFile = fmt.Sprintf("pe-input-%d.bz2", c.graphs)
		n.later("pengine", c.jitter(5*time.Millisecond), func(t Time) { n.core.Computed(t, e.Token, g, reply, nil) })
	case Begin:
		n.begin(e)
	case Confirm:
		if n.m != nil {
			out, err := n.m.Confirm(c.now, e.Confirm)
			if err != nil {
				c.fatalf("%s: confirm: %v", n.name, err)
			}
			n.steps(out)
		}
	case Abort:
		if n.m != nil {
			n.steps(n.m.Abort(c.now, e.Abort))
		}
	case SetTimer:
		n.timers[e.Name]++
		set := n.timers[e.Name]
		crm := n.crmGen
		c.after(max(e.At-c.now, 0), func() {
			if n.crmGen == crm && n.timers[e.Name] == set {
				n.do(func(t Time) { n.core.TimerFired(t, e.Name) })
			}
		})
	case StopTimer:
		n.timers[e.Name]++
	default:
		n.effectMore(e)
	}
}

func (n *simNode) effectMore(e Effect) {
	c := n.c
	switch e := e.(type) {
	case Execute:
		id := n.lrm.execute(e.Op)
		n.later("lrm", 0, func(t Time) { n.core.Accepted(t, e.Token, id, nil) })
	case CancelOp:
		known := n.lrm.cancel(e.Resource, e.Action, e.Interval)
		n.later("lrm", 0, func(t Time) { n.core.Cancelled(t, e.Token, known, nil) })
	case ForgetRsc:
		n.lrm.forget(e.Resource)
		n.later("lrm", 0, func(t Time) { n.core.Cancelled(t, e.Token, true, nil) })
	case Metadata:
		n.later("meta", c.jitter(30*time.Millisecond), func(t Time) { n.core.GotMetadata(t, e.Agent, dummyMetadata, nil) })
	case RunFence:
		c.runFence(n, e)
	case Reply:
		n.replies[e.Token] = e.Err
	case Log:
		if e.Level > Debug {
			c.tracef("%s: %s %v", n.name, e.Msg, e.Attrs)
		}
	case StateChanged:
		c.tracef("%s: %s -> %s [%s %s]", n.name, e.From, e.To, e.Input, e.Cause)
	case Exit:
		n.exited = e.Err
		n.crm, n.inGroup = false, false
		n.crmGen++
		c.groupChange(nil, []messaging.MemberChange{{Member: n.member, Reason: messaging.ReasonProcDown}}, c.part[n.i])
	}
}

func (n *simNode) joinGroup(crm int) func() {
	return func() {
		if n.crmGen != crm || !n.up {
			return
		}
		n.c.client++
		n.member = messaging.MemberID{Node: n.id, Client: n.c.client}
		n.inGroup = true
		n.setKnown(nil)
		self := n.member
		n.later("group", 0, func(t Time) { n.core.GroupJoined(t, self) })
		n.c.groupChange(nil, nil, n.c.part[n.i])
	}
}

func (c *cluster) runFence(n *simNode, e RunFence) {
	gen := n.gen
	c.after(e.Run.Delay+200*time.Millisecond+c.jitter(300*time.Millisecond), func() {
		if n.gen != gen {
			return
		}
		var err error
		if c.fenceOK(e.Run.Target) {
			for i, o := range c.nodes {
				if o.name == e.Run.Target {
					c.fenced[o.name]++
					c.check.fence(o.name)
					c.crash(i)
				}
			}
		} else {
			err = fmt.Errorf("the power switch does not answer")
		}
		c.tracef("%s ran %s against %s: %v", n.name, e.Device.ID, e.Run.Target, err)
		n.later("fence", 0, func(t Time) { n.core.FenceRan(t, e.Run.ID, e.Run.Op, err) })
	})
}

// write orders a change of the CIB among the nodes of the partition.
func (n *simNode) write(t Token, apply func(*simNode) (cib.Version, error)) {
	c := n.c
	gen, crm := n.gen, n.crmGen
	c.after(max(time.Millisecond, c.writeTakes[n.name]), func() {
		if n.gen != gen {
			return
		}
		part := c.part[n.i]
		for _, o := range c.nodes {
			if !o.up || c.part[o.i] != part {
				continue
			}
			v, err := apply(o)
			if o == n && n.crmGen == crm {
				n.later("cibdone", c.jitter(2*time.Millisecond), func(now Time) { n.core.WriteDone(now, t, v, err) })
			}
		}
	})
}

func (n *simNode) apply(req cib.Request) (cib.Version, error) {
	out, err := operation.Apply(n.root, req, operation.Meta{Written: "Fri Jan  2 03:04:05 2026"})
	if err != nil {
		return cib.Version{}, err
	}
	if out.Changed {
		diff := patch.Make(n.root, out.Root)
		n.root = out.Root
		root := out.Root
		n.later("cib", n.c.jitter(2*time.Millisecond), func(t Time) {
			n.core.CIBChanged(t, root, operation.VersionOf(root), diff)
		})
	}
	return out.Result.Version, nil
}

func (n *simNode) attr(up cib.AttrUpdate) (cib.Version, error) {
	eff, err := n.table.Apply(n.root, attrs.Update{AttrUpdate: up, NodeID: attrs.NodeID(n.root, up.Node)})
	v := operation.VersionOf(n.root)
	for _, req := range eff.Writes {
		if v, err = n.apply(req); err != nil {
			return v, err
		}
	}
	return v, err
}

func (n *simNode) begin(e Begin) {
	m, err := machine.New(e.Graph, e.Opts)
	if err != nil {
		n.c.fatalf("%s: graph refused: %v\n%s", n.name, err, graph.Marshal(e.Graph))
	}
	n.m = m
	n.mGen++
	n.steps(m.Start(n.c.now))
}

func (n *simNode) steps(out machine.Output) {
	for _, a := range out.Timeouts {
		n.later("te", 0, func(t Time) { n.core.Step(t, &transition.Timeout{Action: a}) })
	}
	for _, a := range out.Fire {
		n.later("te", 0, func(t Time) { n.core.Step(t, &transition.Fire{Action: a}) })
	}
	if out.Done != nil {
		n.later("te", 0, func(t Time) { n.core.Step(t, out.Done) })
	}
	if at, ok := n.m.Deadline(); ok {
		g, m := n.mGen, n.m
		n.c.after(max(at-n.c.now, 0), func() {
			if n.mGen == g && n.m == m && m.Over() == nil {
				n.steps(m.Tick(n.c.now))
			}
		})
	}
}
