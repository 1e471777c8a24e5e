// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// lossPolicy is what happens when a ticket is lost.
type lossPolicy int

const (
	lossStop lossPolicy = iota
	lossDemote
	lossFence
	lossFreeze
)

// ticketRef ties a resource to a ticket.
type ticketRef struct {
	ticket *status.Ticket
	loss   lossPolicy
	role   status.Role
}

func (t *ticketRef) held() bool { return t.ticket.Granted && !t.ticket.Standby }

// unpackTicket reads one rsc_ticket.
func (s *scheduler) unpackTicket(e *etree.Element) {
	name := document.Get(e, "ticket")
	if name == "" {
		s.errorf("ignoring constraint '" + document.ID(e) + "' without ticket")
		return
	}
	t := s.c.Ticket(name)
	x, ok := s.expandOne(e, "rsc-role")
	if !ok {
		return
	}
	sets := false
	for set := range document.Children(x, "resource_set") {
		sets = true
		role, has := document.Lookup(set, "role")
		list, ok := s.refs(set)
		for _, r := range list {
			s.tieTicket(x, r, t, opt{role, has})
		}
		if !ok {
			return
		}
	}
	if sets {
		return
	}
	r := s.resource(document.Get(x, "rsc"))
	if r == nil {
		s.errorf("ignoring constraint '" + document.ID(x) + "' because resource '" + document.Get(x, "rsc") + "' does not exist")
		return
	}
	role, has := document.Lookup(x, "rsc-role")
	s.tieTicket(x, r, t, opt{role, has})
}

func (s *scheduler) tieTicket(e *etree.Element, r *rsc, t *status.Ticket, spec opt) {
	role, ok := s.constraintRole(document.ID(e), spec.value, spec.has)
	if !ok {
		return
	}
	ref := &ticketRef{ticket: t, role: role}
	switch strings.ToLower(document.Get(e, "loss-policy")) {
	case "fence":
		if s.c.Options.FencingEnabled {
			ref.loss = lossFence
		} else {
			s.errorf("resetting 'loss-policy' for ticket '" + t.ID + "' to 'stop' because fencing is not configured")
		}
	case "freeze":
		ref.loss = lossFreeze
	case "demote":
		ref.loss = lossDemote
	case "stop":
	default:
		if role == status.RolePromoted {
			ref.loss = lossDemote
		}
	}
	r.tickets = append(r.tickets, ref)
	if !ref.held() {
		r.applyTicket(ref)
	}
}

// applyTicket applies a ticket that is not held.
func (r *rsc) applyTicket(t *ticketRef) {
	if len(r.children) > 0 {
		for _, k := range r.children {
			k.applyTicket(t)
		}
		return
	}
	why := r.s.cause(CauseTicket, t.ticket.ID, nil)
	roleMatches := t.role == status.RoleUnknown || t.role == r.Role
	switch {
	case t.ticket.Granted || len(r.ActiveOn) == 0:
		if t.role != status.RolePromoted || t.loss == lossStop {
			r.ban(nil, -infinity, why)
		}
	case t.loss == lossStop, t.loss == lossDemote && t.role != status.RolePromoted:
		r.ban(nil, -infinity, why)
	case t.loss == lossFence && roleMatches:
		r.ban(nil, -infinity, why)
		for _, n := range r.ActiveOn {
			r.s.fenceNode(n, "deadman ticket was lost", false)
		}
	case t.loss == lossFreeze && roleMatches:
		r.Clear(status.Managed)
		r.Set(status.Blocked)
	}
}

// requirePromotionTickets bans promotion without ticket.
func (r *rsc) requirePromotionTickets() {
	for _, t := range r.tickets {
		if t.role == status.RolePromoted && !t.held() {
			r.ban(nil, -infinity, r.s.cause(CauseTicket, t.ticket.ID, nil))
		}
	}
}
