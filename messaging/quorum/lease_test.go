// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A leaseNode has a lease and a clock that runs at a rate of its own.
type leaseNode struct {
	lease Lease
	rate  float64
}

func (n *leaseNode) clock(at time.Duration) time.Duration { return time.Duration(float64(at) * n.rate) }

func (n *leaseNode) world(at time.Duration) time.Duration { return time.Duration(float64(at) / n.rate) }

// TestWhoIsLostHasNoLeaseWhenTheOthersAct: a token goes round, now quick, now
// slow; some nodes part from the rest, and may hand the token on among themselves.
// The rest acts once its last member may. Nobody who parted then takes itself for
// quorate.
func TestWhoIsLostHasNoLeaseWhenTheOthersAct(t *testing.T) {
	const length = 900 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "nodes")
		var nodes []*leaseNode
		for range n {
			l := &leaseNode{NewLease(length, 0), 1 + float64(rapid.IntRange(-3, 3).Draw(t, "rate"))/1000}
			l.lease.Install(0, false, false)
			l.lease.View()
			nodes = append(nodes, l)
		}
		now := time.Hour
		pass := func() { now += time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond }
		at := 0
		for range rapid.IntRange(2*n, 6*n).Draw(t, "passes") {
			pass()
			nodes[at].lease.Token(nodes[at].clock(now))
			at = (at + 1) % n
		}
		lost := make([]bool, n)
		some := false
		for i := range lost {
			lost[i] = rapid.Bool().Draw(t, "lost")
			some = some || lost[i]
		}
		// The token goes on as far as nobody of the rest is next.
		for range rapid.IntRange(0, n).Draw(t, "passes among the lost") {
			if !lost[at] {
				break
			}
			pass()
			nodes[at].lease.Token(nodes[at].clock(now))
			at = (at + 1) % n
		}
		var act time.Duration
		for i, x := range nodes {
			if lost[i] {
				continue
			}
			x.lease.Part()
			act = max(act, x.world(x.lease.Install(x.clock(now), some, false)))
		}
		if !some || act == 0 {
			return // nobody was lost, or nobody is left
		}
		for i, x := range nodes {
			if lost[i] && x.lease.Valid(x.clock(act)) {
				t.Fatalf("node %d of %d still has its lease when the rest acts", i, n)
			}
		}
	})
}

func TestAnIdleRingKeepsItsLease(t *testing.T) {
	l := NewLease(600*time.Millisecond, 0)
	l.Install(0, false, false)
	l.View()
	for now := time.Duration(0); now < 10*time.Second; now += 200 * time.Millisecond { // the longest hold that is allowed
		if !l.Valid(now) {
			t.Fatalf("lapsed at %v", now)
		}
		l.Token(now)
	}
	if !l.Valid(10*time.Second) || l.Valid(11*time.Second) {
		t.Error("the lease does not follow the token")
	}
	l.Token(11 * time.Second)
	l.Token(11 * time.Second)
	if !l.Valid(11 * time.Second) {
		t.Error("tokens do not renew a lease that has lapsed")
	}
}

func TestTokensOfTheNextRingDoNotRenewTheViewOfThisOne(t *testing.T) {
	l := NewLease(time.Second, -time.Hour)
	l.Install(0, false, false)
	l.View()
	l.Token(time.Second)
	l.Token(time.Second)
	l.Part()
	for range 5 {
		l.Token(5 * time.Second)
	}
	if l.Valid(5 * time.Second) {
		t.Error("the old view is valid")
	}
	if from := l.Install(5*time.Second, true, false); from != 2*time.Second+l.Margin() {
		t.Errorf("acts from %v", from)
	}
	if l.Valid(5 * time.Second) {
		t.Error("the old view is valid once the ring is there")
	}
	l.View()
	if !l.Valid(5 * time.Second) {
		t.Error("the new view is not valid")
	}
}

// Node 4 is lost on the way from the ring of four to that of 1, 2, 3. Whatever
// rings these form then, 4 may still act.
func TestWhoWasLostOnTheWayToAnotherRingIsWaitedFor(t *testing.T) {
	for _, viewed := range []bool{false, true} {
		l := NewLease(time.Second, -time.Hour)
		l.Install(0, false, false)
		l.View()
		l.Token(time.Second)
		l.Part()
		l.Token(1100 * time.Millisecond)
		want := 2*time.Second + l.Margin()
		if from := l.Install(1100*time.Millisecond, true, false); from != want {
			t.Errorf("acts from %v on the ring in between", from)
		}
		if viewed {
			l.View() // it had no quorum, so that its members did not wait
		}
		l.Token(1200 * time.Millisecond)
		l.Part()
		if from := l.Install(1300*time.Millisecond, false, false); from != want {
			t.Errorf("acts from %v", from)
		}
		l.View()
		l.Part()
		if from := l.Install(3*time.Second, false, false); from > 3*time.Second {
			t.Errorf("acts from %v though nobody was lost lately", from)
		}
	}
}

// The view of a ring comes with the last messages of that ring, when tokens of the
// next one already go round.
func TestAViewThatComesAfterTheEndOfItsRing(t *testing.T) {
	l := NewLease(time.Second, -time.Hour)
	l.Install(0, false, false)
	l.View()
	l.Token(time.Second)
	l.Part()
	l.Install(1100*time.Millisecond, false, false)
	l.Token(1200 * time.Millisecond)
	l.Token(1300 * time.Millisecond)
	l.Part()
	l.Token(2500 * time.Millisecond)
	l.Token(2600 * time.Millisecond)
	l.View()
	if at, ok := l.Until(); !ok || at != 2200*time.Millisecond {
		t.Errorf("the view holds until %v, %v", at, ok)
	}
	if from := l.Install(2700*time.Millisecond, true, false); from != 2300*time.Millisecond+l.Margin() {
		t.Errorf("acts from %v", from)
	}
	l.View()
	if at, ok := l.Until(); !ok || at != 3500*time.Millisecond {
		t.Errorf("the next view holds until %v, %v", at, ok)
	}
}

// A member is lost from a ring whose view never came here: he may have had it, and
// tokens after those of the view that is here.
func TestWhoWasLostFromARingInBetweenIsWaitedFor(t *testing.T) {
	l := NewLease(time.Second, -time.Hour)
	l.Install(0, false, false)
	l.View()
	l.Token(time.Second)
	l.Part()
	l.Install(1100*time.Millisecond, false, false)
	l.Token(1200 * time.Millisecond)
	l.Part()
	if from := l.Install(1300*time.Millisecond, true, false); from != 2200*time.Millisecond+l.Margin() {
		t.Errorf("acts from %v", from)
	}
}

func TestWhoHasJustStartedWaitsForThoseHeMayHaveLost(t *testing.T) {
	l := NewLease(time.Second, time.Hour)
	if from := l.Install(time.Hour+100*time.Millisecond, false, false); from != time.Hour+time.Second+l.Margin() {
		t.Errorf("acts from %v", from)
	}
	l.View()
	l.Part()
	if from := l.Install(time.Hour+2*time.Second, false, false); from > time.Hour+2*time.Second {
		t.Errorf("acts from %v in the ring after that", from)
	}
}

func TestWhoIsAloneAndWhoHasNoLeaseIsNotBound(t *testing.T) {
	alone := NewLease(time.Second, 0)
	alone.Install(0, true, true)
	alone.View()
	off := NewLease(0, 0)
	off.Install(0, true, false)
	if !alone.Valid(time.Hour) || !off.Valid(time.Hour) || off.On() {
		t.Error("bound")
	}
}
