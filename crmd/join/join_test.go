// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package join

import (
	"testing"

	"github.com/quorate/quorate/messaging"
)

func TestAMemberPassesThePhasesInOrder(t *testing.T) {
	r := New(7)
	m := messaging.MemberID{Node: 1, Client: 5}
	if r.Request(m, 8) || r.Finalize(m) || r.Confirm(m, 8) {
		t.Error("a stranger got on")
	}
	id := r.Offer([]messaging.MemberID{m})
	if id != 8 || r.Phase(m) != Welcomed {
		t.Fatalf("join id %d, phase %v", id, r.Phase(m))
	}
	if r.Confirm(m, id) {
		t.Error("confirmed before it asked")
	}
	if !r.Request(m, id) || r.Request(m, id) {
		t.Error("an answer counts once")
	}
	if !r.Finalize(m) || !r.Confirm(m, id) || r.Phase(m) != Confirmed {
		t.Errorf("phase %v", r.Phase(m))
	}
}

func TestAnswersOfAnEarlierRoundAreVoid(t *testing.T) {
	r := New(0)
	m := messaging.MemberID{Node: 1, Client: 5}
	first := r.Offer([]messaging.MemberID{m})
	second := r.Offer([]messaging.MemberID{m})
	if r.Request(m, first) {
		t.Error("an answer to the first offer counted in the second")
	}
	if !r.Request(m, second) || r.JoinID(m) != second {
		t.Errorf("the answer to the second did not count")
	}
	if !r.Refuse(m) || r.Phase(m) != Nacked || r.Confirm(m, second) {
		t.Error("a refused member got on")
	}
	r.Remove(m)
	if r.Phase(m) != None || len(r.In(Nacked)) != 0 {
		t.Error("not removed")
	}
}
