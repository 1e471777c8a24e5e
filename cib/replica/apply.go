// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"errors"
	"slices"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

func (c *Core) deliver(from messaging.MemberID, body []byte) {
	if c.mode == ModeAlone {
		return // before the first configuration change
	}
	m, err := decodeMessage(body)
	if err != nil {
		c.notice(2, "message dropped", "from", from.Node, "err", err)
		return
	}
	switch m.Kind {
	case kindWrite, kindAttr, kindFlush:
		if c.mode == ModeMeeting {
			c.hold(from, m)
			return
		}
		c.apply(from, m)
	case kindAck:
		c.ack(from, m)
	case kindAsk:
		if c.mode == ModeReady && m.Tag == c.tag && from != c.self {
			c.needAck = c.applied
			c.sendAck()
		}
	case kindResync:
		if m.Tag != c.tag {
			return
		}
		if c.mode == ModeReady {
			c.along = slices.Clone(c.members)
		}
		c.beginMeeting(c.tag + "+")
	case kindGoOn:
		c.goOn(m)
	case kindState:
		c.stated(from, m)
	case kindPart:
		c.received(from, m)
	}
}

// apply carries out one write at its place in the order.
func (c *Core) apply(from messaging.MemberID, m message) {
	c.applied++
	var res cib.Result
	var err error
	light := false // a change of the status section only, which is not kept on disk
	switch m.Kind {
	case kindWrite:
		m.Meta.KeepStatus = true
		res, light, err = c.write(*m.Req, *m.Meta)
	case kindAttr:
		light, err = true, c.update(from, *m.Attr)
		res.Version = operation.VersionOf(c.root)
	case kindFlush:
		if err := c.requests(c.table.Flush(c.root, m.Name), ""); err != nil {
			c.notice(1, "attribute not written", "name", m.Name, "err", err)
		}
	}
	if c.applied%checkEvery == 0 {
		c.checks = append(c.checks, check{c.applied, c.digest()})
		c.checks = c.checks[max(0, len(c.checks)-maxChecks):]
	}
	if from == c.self {
		if o := c.ops[m.Seq]; o != nil && m.Kind != kindFlush {
			o.applied, o.pos, o.result, o.err = true, c.applied, res, err
			if !light {
				o.persist = c.persisted
			}
			c.waits = append(c.waits, o)
		}
		c.settle()
		return
	}
	if m.All || c.tells(from) {
		c.needAck = c.applied
		c.sendAck()
	}
}

// maxChecks bounds the digests kept for comparison.
const maxChecks = 8

func (c *Core) write(req cib.Request, meta operation.Meta) (res cib.Result, light bool, err error) {
	out, err := operation.Apply(c.root, req, meta)
	if err != nil {
		return cib.Result{}, false, err
	}
	if !out.Changed || req.DryRun {
		return out.Result, false, nil
	}
	old := c.root
	c.root = out.Root
	c.act(&Publish{Old: old, New: c.root, Client: meta.Client, Op: req.Op})
	if out.Config {
		c.persist()
	}
	return out.Result, !out.Config, nil
}

func (c *Core) persist() {
	c.persisted++
	c.act(&Persist{Index: c.persisted, Root: c.root})
}

func (c *Core) update(from messaging.MemberID, up attrs.Update) error {
	eff, err := c.table.Apply(c.root, up)
	switch {
	case errors.Is(err, attrs.ErrNode):
		return &cib.Error{Code: cib.CodeNoSuch, Op: cib.OpModify, Msg: err.Error()}
	case err != nil:
		return &cib.Error{Code: cib.CodeDataErr, Op: cib.OpModify, Msg: err.Error()}
	}
	if from == c.self {
		for _, t := range eff.Timers {
			c.act(&StartTimer{Name: t.Name, After: t.After})
		}
	}
	return c.requests(eff.Writes, up.User)
}

// requests carries out writes that attributes ask for.
func (c *Core) requests(reqs []cib.Request, user string) error {
	var first error
	for _, req := range reqs {
		if _, _, err := c.write(req, operation.Meta{Client: req.Client, User: user, KeepStatus: true}); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// tells says whether this member is one that must tell the origin what it has:
// the next ones in the order of members, as many as make a majority with it.
func (c *Core) tells(origin messaging.MemberID) bool {
	o := slices.Index(c.members, origin)
	me := slices.Index(c.members, c.self)
	if o < 0 || me < 0 {
		return false
	}
	n := len(c.members)
	return (me-o+n)%n <= n/2
}

func (c *Core) sendAck() {
	if c.ackOut || c.needAck <= c.sentAck {
		return
	}
	c.ackOut, c.sentAck = true, c.applied
	m := message{Kind: kindAck, Tag: c.tag, Pos: c.applied}
	if n := len(c.checks); n > 0 {
		m.ChkN, m.Chk = c.checks[n-1].n, c.checks[n-1].digest
	}
	c.send(m)
}

func (c *Core) ack(from messaging.MemberID, m message) {
	if m.Tag != c.tag || c.mode != ModeReady {
		return
	}
	if from == c.self {
		c.ackOut = false
		c.sendAck()
		return
	}
	c.acked[from] = max(c.acked[from], m.Pos)
	for _, ch := range c.checks {
		if ch.n == m.ChkN && ch.digest != m.Chk {
			c.notice(2, "replicas differ", "node", from.Node, "position", ch.n, "version", operation.VersionOf(c.root).String())
			c.send(message{Kind: kindResync, Tag: c.tag})
			c.checks = nil
			break
		}
	}
	c.settle()
}
