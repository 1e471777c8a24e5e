// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package join

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// Phase is how far a member is.
type Phase int

// The phases, in Pacemaker's words.
const (
	None       Phase = iota
	Welcomed         // the offer is out
	Integrated       // it has asked to join
	Finalized        // it was accepted
	Confirmed        // it has sent its history: it is a member of the cluster
	Nacked           // it was refused
)

// String gives the phase in lower case.
func (p Phase) String() string {
	return [...]string{"none", "welcomed", "integrated", "finalized", "confirmed", "nacked"}[p]
}

type member struct {
	phase Phase
	round int
}

// A Round is the DC's book of members and their phases.
type Round struct {
	id      int
	members map[messaging.MemberID]*member
}

// New makes an empty book; id is the last join id in use.
func New(id int) *Round { return &Round{id: id, members: map[messaging.MemberID]*member{}} }

// ID is the join id of the last offer.
func (r *Round) ID() int { return r.id }

// Offer opens a new round for some members and gives its id. Others keep their
// phase.
func (r *Round) Offer(to []messaging.MemberID) int {
	r.id++
	for _, m := range to {
		r.members[m] = &member{phase: Welcomed, round: r.id}
	}
	return r.id
}

// Request notes that a member answered the offer. It tells whether the answer
// belongs to its present round.
func (r *Round) Request(from messaging.MemberID, id int) bool {
	return r.step(from, id, Welcomed, Integrated)
}

// Finalize accepts a member that has asked.
func (r *Round) Finalize(m messaging.MemberID) bool {
	x := r.members[m]
	return x != nil && r.step(m, x.round, Integrated, Finalized)
}

// Refuse notes that a member that has asked may not join.
func (r *Round) Refuse(m messaging.MemberID) bool {
	x := r.members[m]
	return x != nil && r.step(m, x.round, Integrated, Nacked)
}

// Confirm notes that a member has confirmed.
func (r *Round) Confirm(from messaging.MemberID, id int) bool {
	return r.step(from, id, Finalized, Confirmed)
}

func (r *Round) step(m messaging.MemberID, id int, from, to Phase) bool {
	x := r.members[m]
	if x == nil || x.round != id || x.phase != from {
		return false
	}
	x.phase = to
	return true
}

// Remove forgets a member that left.
func (r *Round) Remove(m messaging.MemberID) { delete(r.members, m) }

// Phase is how far a member is.
func (r *Round) Phase(m messaging.MemberID) Phase {
	if x := r.members[m]; x != nil {
		return x.phase
	}
	return None
}

// JoinID is the round that a member is in.
func (r *Round) JoinID(m messaging.MemberID) int {
	if x := r.members[m]; x != nil {
		return x.round
	}
	return 0
}

// In lists the members in one phase, sorted.
func (r *Round) In(p Phase) []messaging.MemberID {
	var list []messaging.MemberID
	for m, x := range r.members {
		if x.phase == p {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b messaging.MemberID) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Client, b.Client))
	})
	return list
}
