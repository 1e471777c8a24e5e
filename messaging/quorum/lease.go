// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import "time"

// A Lease bounds how long a node may take itself for quorate after the ring has
// stopped turning for it, so that the others can wait until it surely does not
// any more before they act without it. Its zero value is no lease: always valid.
//
// The token proves that the ring turns: when a node accepts it again, every
// member has accepted it since the time before. From that time on, not from the
// last, the lease runs: so each member has accepted a token after the start of
// every other's lease, and who waits for the lease's length after the last token
// of its own outlives them all. What is left is the difference of the clocks'
// rates, for which a part of the length is added ([Lease.Margin]).
type Lease struct {
	length time.Duration
	// Of the running ring: when the last two tokens came.
	before, last time.Duration
	// Of the ring that the present view belongs to, once that has ended: the start
	// of its lease, and its last token.
	parted          bool
	started, ended  time.Duration
	alone, wasAlone bool // the ring has one member
	// gone tells that the ring that was installed last has ended, too: then late is
	// the start of its lease, for a view of it that still comes.
	gone, lateAlone bool
	late            time.Duration
	// act is the time before which this node acts on no ring: a member that was
	// lost may act until then.
	act time.Duration
}

// marginShare is the part of the length that is added for clocks that run at
// different rates: one in 64 is far more than crystals differ.
const marginShare = 64

// NewLease makes the lease of a node that starts now; length 0 is none.
//
// A node that starts does not remember the ring that it may have been in until a
// moment ago, whose other members may still act:
//
//  1. Nodes 1 and 3 are quorate, 2 is parted from them.
//  2. Node 3 starts anew and meets 2. Neither has lost anybody.
//  3. Node 1 has not noticed yet.
//
// So it counts as one that was lost by others at its start.
func NewLease(length, now time.Duration) Lease {
	l := Lease{length: length, alone: true}
	l.act = l.end(now)
	return l
}

// end is when the leases surely are over of those who had the token last at a
// time.
func (l *Lease) end(last time.Duration) time.Duration { return last + l.length + l.Margin() }

// On tells whether there is a lease.
func (l *Lease) On() bool { return l.length > 0 }

// Margin is what is waited beyond the length.
func (l *Lease) Margin() time.Duration { return l.length / marginShare }

// Token notes that this node accepted a token of the ring that runs or forms.
func (l *Lease) Token(now time.Duration) { l.before, l.last = l.last, now }

// Part notes that the node has left its ring to form another: tokens that come
// are of the next one.
//
// The ring may be one whose view never came here. Other members of it may have
// had theirs, and hold on to it: what counts for them is the last token of that
// ring.
func (l *Lease) Part() {
	if l.gone {
		return
	}
	l.gone, l.late, l.lateAlone = true, l.before, l.alone
	if l.parted {
		l.ended = max(l.ended, l.last)
	} else {
		l.parted, l.started, l.ended, l.wasAlone = true, l.before, l.last, l.alone
	}
	l.before, l.last = 0, 0
}

// Install notes the next ring. The time given back is that before which the node
// must not act on it: members that are lost may act until then, also those that
// were lost on the way to a ring before this one:
//
//  1. Nodes 2 and 3 lose 1 and each other. Each is alone and acts on nothing.
//  2. They meet. Neither has lost anybody by that.
//  3. Node 1 has not noticed yet.
func (l *Lease) Install(now time.Duration, lost, alone bool) (actFrom time.Duration) {
	l.Part()
	l.gone, l.alone = false, alone
	if l.before == 0 {
		l.before, l.last = now, now
	}
	if lost {
		l.act = max(l.act, l.end(l.ended))
	}
	if !l.On() {
		return 0
	}
	return l.act
}

// View notes that the view is that of the ring that was installed last. That ring
// may be over already: its last messages come while the next one forms, whose
// tokens renew nothing of it.
func (l *Lease) View() {
	if l.gone {
		l.started, l.wasAlone = l.late, l.lateAlone
		return
	}
	l.parted = false
}

// Until is the time up to which the view holds; ok is false where nothing bounds
// it.
func (l *Lease) Until() (at time.Duration, ok bool) {
	switch {
	case !l.On() || l.parted && l.wasAlone || !l.parted && l.alone:
		return 0, false
	case l.parted:
		return l.started + l.length, true
	}
	return l.before + l.length, true
}

// Valid tells whether the view holds.
func (l *Lease) Valid(now time.Duration) bool {
	at, ok := l.Until()
	return !ok || now < at
}
