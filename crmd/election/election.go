// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package election

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
)

// A Vote is what one controller says of itself in a round.
type Vote struct {
	Name       string
	FeatureSet string
	Uptime     time.Duration
	// DC tells that the voter was the DC when the round began.
	DC bool
}

// An Election is one controller's view of the rounds.
type Election struct {
	round   string
	members []messaging.MemberID
	votes   map[messaging.MemberID]Vote
	dc      messaging.MemberID // of the last decision, zero for none
	decided bool
}

// New makes an election without members.
func New() *Election { return &Election{votes: map[messaging.MemberID]Vote{}} }

// Begin starts a round among members; votes of earlier rounds are void.
func (e *Election) Begin(round string, members []messaging.MemberID) {
	e.round = round
	e.members = slices.Clone(members)
	e.votes = map[messaging.MemberID]Vote{}
	e.decided = false
}

// Shrink keeps the round and drops members that left. If the DC is among them
// the next [Election.Decide] names its successor.
func (e *Election) Shrink(members []messaging.MemberID) {
	e.members = slices.Clone(members)
	for m := range e.votes {
		if !slices.Contains(members, m) {
			delete(e.votes, m)
		}
	}
	if !slices.Contains(members, e.dc) {
		e.decided = false
	}
}

// Add notes a vote. Votes of other rounds and of strangers count for nothing.
func (e *Election) Add(from messaging.MemberID, round string, v Vote) {
	if round == e.round && slices.Contains(e.members, from) && !e.decided {
		e.votes[from] = v
	}
}

// Round names the present round.
func (e *Election) Round() string { return e.round }

// Decided tells whether the present round has a winner.
func (e *Election) Decided() bool { return e.decided }

// DC is the last decision, zero before the first.
func (e *Election) DC() messaging.MemberID { return e.dc }

// Missing lists the members whose vote is not in.
func (e *Election) Missing() []messaging.MemberID {
	var list []messaging.MemberID
	for _, m := range e.members {
		if _, ok := e.votes[m]; !ok {
			list = append(list, m)
		}
	}
	return list
}

// Decide names the DC once all votes are in. changed tells whether this call
// made the decision.
func (e *Election) Decide() (dc messaging.MemberID, changed bool) {
	if e.decided || len(e.members) == 0 || len(e.Missing()) > 0 {
		return e.dc, false
	}
	return e.settle(), true
}

// Force decides by the votes that are in, for a round in which a member stays
// silent. All members must call it at the same point of the order.
func (e *Election) Force() (dc messaging.MemberID, changed bool) {
	if e.decided || len(e.votes) == 0 {
		return e.dc, false
	}
	return e.settle(), true
}

func (e *Election) settle() messaging.MemberID {
	var voters []messaging.MemberID
	incumbents := 0
	for _, m := range e.members {
		if v, ok := e.votes[m]; ok {
			voters = append(voters, m)
			if v.DC {
				incumbents++
			}
		}
	}
	if incumbents > 0 {
		voters = slices.DeleteFunc(voters, func(m messaging.MemberID) bool { return !e.votes[m].DC })
	}
	e.dc = slices.MinFunc(voters, e.compare)
	e.decided = true
	// From here on the winner is the one in office, whatever its vote said.
	for m, v := range e.votes {
		v.DC = m == e.dc
		e.votes[m] = v
	}
	return e.dc
}

// compare orders the better candidate first.
func (e *Election) compare(a, b messaging.MemberID) int {
	va, vb := e.votes[a], e.votes[b]
	return cmp.Or(
		CompareFeatureSets(va.FeatureSet, vb.FeatureSet),
		cmp.Compare(vb.Uptime, va.Uptime),
		strings.Compare(strings.ToLower(va.Name), strings.ToLower(vb.Name)),
		cmp.Compare(a.Node, b.Node),
		cmp.Compare(a.Client, b.Client),
	)
}

// CompareFeatureSets orders versions with points by their numbers: 3.9.1 is
// before 3.16.
func CompareFeatureSets(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := cmp.Compare(part(as, i), part(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
