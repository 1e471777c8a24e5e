// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package election

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
)

func member(n int) messaging.MemberID {
	return messaging.MemberID{Node: messaging.NodeID(n), Client: uint64(n * 10)}
}

func vote(name, features string, up time.Duration, dc bool) Vote {
	return Vote{Name: name, FeatureSet: features, Uptime: up, DC: dc}
}

func TestOrderOfCandidates(t *testing.T) {
	base := vote("b", "3.16.1", time.Minute, false)
	for _, tc := range []struct {
		why    string
		better Vote
	}{
		{"the lower feature set wins, by numbers", vote("z", "3.9.0", 0, false)},
		{"then the longer uptime", vote("z", "3.16.1", time.Hour, false)},
		{"then the name, without regard to case", vote("A", "3.16.1", time.Minute, false)},
		{"a dc in office beats all", vote("z", "3.19.0", 0, true)},
	} {
		e := New()
		e.Begin("r", []messaging.MemberID{member(1), member(2)})
		e.Add(member(1), "r", base)
		if dc, changed := e.Decide(); changed {
			t.Fatalf("decided for %v before all votes were in", dc)
		}
		e.Add(member(2), "r", tc.better)
		if dc, changed := e.Decide(); !changed || dc != member(2) {
			t.Errorf("%s: dc is %v", tc.why, dc)
		}
	}
}

func TestASuccessorIsKnownWithoutAMessage(t *testing.T) {
	e := New()
	all := []messaging.MemberID{member(1), member(2), member(3)}
	e.Begin("r", all)
	for i, m := range all {
		e.Add(m, "r", vote(fmt.Sprint("n", i), "3.16.1", time.Duration(3-i)*time.Hour, false))
	}
	if dc, _ := e.Decide(); dc != member(1) {
		t.Fatalf("dc is %v", dc)
	}
	e.Shrink(all[1:])
	if dc, changed := e.Decide(); !changed || dc != member(2) {
		t.Errorf("after the dc left: %v, changed %v", dc, changed)
	}
	e.Shrink(all[1:2])
	if _, changed := e.Decide(); changed {
		t.Error("a member that is not the dc left, and there was a new decision")
	}
}

func TestForceDecidesByTheVotesThatAreIn(t *testing.T) {
	e := New()
	if _, changed := e.Force(); changed {
		t.Error("decided without any vote")
	}
	e.Begin("r", []messaging.MemberID{member(1), member(2)})
	e.Add(member(2), "r", vote("b", "3.16.1", 0, false))
	if dc, changed := e.Force(); !changed || dc != member(2) {
		t.Errorf("dc is %v", dc)
	}
	if got := e.Missing(); len(got) != 1 || got[0] != member(1) {
		t.Errorf("missing %v", got)
	}
}

// All members see the same changes and votes in the same order, whatever they
// knew before; so they must come to the same decision at the same point.
func TestMembersThatSeeTheSameAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "members")
		old, fresh := New(), New()
		// The old one has a past in another round.
		old.Begin("past", []messaging.MemberID{member(1), member(9)})
		old.Add(member(1), "past", vote("n1", "3.16.1", 0, rapid.Bool().Draw(t, "was dc")))
		old.Add(member(9), "past", vote("n9", "3.16.1", time.Hour, false))
		old.Decide()
		both := []*Election{old, fresh}
		var members []messaging.MemberID
		for i := range n {
			members = append(members, member(i+1))
		}
		for _, e := range both {
			e.Begin("r", members)
		}
		order := rapid.Permutation(members).Draw(t, "order of votes")
		for _, m := range order {
			v := vote(fmt.Sprint("n", m.Node), rapid.SampledFrom([]string{"3.16.1", "3.19.0"}).Draw(t, "set"),
				time.Duration(rapid.IntRange(0, 3).Draw(t, "up")), rapid.Bool().Draw(t, "dc"))
			var got []messaging.MemberID
			for _, e := range both {
				e.Add(m, rapid.SampledFrom([]string{"r"}).Draw(t, "round"), v)
				dc, changed := e.Decide()
				if changed {
					got = append(got, dc)
				}
			}
			if len(got) == 1 || (len(got) == 2 && got[0] != got[1]) {
				t.Fatalf("decisions %v", got)
			}
		}
		for len(members) > 1 {
			gone := rapid.IntRange(0, len(members)-1).Draw(t, "gone")
			members = append(members[:gone:gone], members[gone+1:]...)
			a, b := both[0], both[1]
			a.Shrink(members)
			b.Shrink(members)
			x, cx := a.Decide()
			y, cy := b.Decide()
			if x != y || cx != cy {
				t.Fatalf("after a leave: %v %v, %v %v", x, cx, y, cy)
			}
		}
	})
}

func TestVotesOfOtherRoundsAndStrangersCountForNothing(t *testing.T) {
	e := New()
	e.Begin("r", []messaging.MemberID{member(1)})
	e.Add(member(1), "q", vote("a", "3.16.1", 0, false))
	e.Add(member(2), "r", vote("a", "3.16.1", 0, false))
	if _, changed := e.Decide(); changed {
		t.Error("decided")
	}
}
