// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"time"

	"github.com/quorate/quorate/messaging"
)

// A node that hears but is not heard (or the reverse) joins, is evicted, joins
// again, without end, and each time the whole ring stands still. Who is evicted
// often is therefore not let in at once. Whoever keeps another out does not
// call for merges meanwhile: the other would stand still for an answer, count
// that against him in turn, and the two might never be open at the same time.
const (
	penaltyFree   = 4               // evictions in penaltyWindow that cost nothing
	penaltyWindow = 2 * time.Minute // since the first of them
	penaltyMax    = 20 * time.Second
)

type penalty struct {
	node  messaging.NodeID
	count int
	since time.Duration // the first eviction
	last  time.Duration // the newest that counts, 0 once it was forgiven
	until time.Duration
}

// penalties is kept sorted by insertion; it has at most one entry a node.
type penalties []penalty

// evicted notes that a node was left out of a ring without a goodbye.
func (p *penalties) evicted(n messaging.NodeID, now, unit time.Duration) {
	i := 0
	for i < len(*p) && (*p)[i].node != n {
		i++
	}
	if i == len(*p) {
		*p = append(*p, penalty{node: n, since: now})
	}
	e := &(*p)[i]
	if now-e.since > penaltyWindow && now > e.until {
		*e = penalty{node: n, since: now}
	}
	e.count++
	e.last = now
	if over := e.count - penaltyFree; over > 0 {
		e.until = now + min(unit<<min(over-1, 10), penaltyMax)
	}
}

// dead takes back an eviction of a moment ago: the links say that the node was
// gone altogether. Nodes that die and come back are no nuisance to the ring.
func (p penalties) dead(n messaging.NodeID, now, moment time.Duration) {
	for i := range p {
		if e := &p[i]; e.node == n && e.last != 0 && now-e.last <= moment {
			e.count--
			e.last, e.until = 0, 0
		}
	}
}

// ignored tells whether a node has to wait before it may join again.
func (p penalties) ignored(n messaging.NodeID, now time.Duration) bool {
	for i := range p {
		if p[i].node == n {
			return now < p[i].until
		}
	}
	return false
}

// closed tells whether anybody has to wait.
func (p penalties) closed(now time.Duration) bool {
	for i := range p {
		if now < p[i].until {
			return true
		}
	}
	return false
}
