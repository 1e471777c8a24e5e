// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
)

// The sizes of packets, with all headers, that are tried where the largest does
// not pass.
var probeSizes = []int{576, 1280, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 2304, 4352, 8192, 9000, 16384, 32768}

const (
	// FloorMTU is the size of packets, with all headers, that pass everywhere.
	FloorMTU = 576
	// MaxMTU is the largest size.
	MaxMTU = 65535
	// baseMTU is assumed until an answer tells more.
	baseMTU = 1280

	// searchRounds is how often a search tries each size; a packet may be lost
	// for other reasons.
	searchRounds = 3
	// confirmEvery is the number of intervals after which it is tried whether
	// the largest packets still pass; one that is not answered is repeated after
	// one interval, maxUnanswered times.
	confirmEvery  = 3
	maxUnanswered = 3
	// DefaultProbeEvery is the time between two searches for a larger size.
	DefaultProbeEvery = 30 * time.Second
)

// sizes are those to try for a largest packet.
func sizes(largest int) []int {
	if largest == 0 {
		return nil
	}
	i, _ := slices.BinarySearch(probeSizes, largest)
	return append(slices.Clone(probeSizes[:i]), largest)
}

// pmtu is what is known of the size of packets that pass on a path.
type pmtu struct {
	size    int // passes, as far as is known
	settled bool
	rounds  int           // of the search, yet to come
	wait    time.Duration // until the next round, or the end of the last
	search  time.Duration // since the last search
	confirm time.Duration // since the last try of size
	missing int           // tries of size without an answer
}

// begin starts a search.
func (m *pmtu) begin() { m.rounds, m.wait, m.search, m.settled = searchRounds, 0, 0, false }

// search sends what is due to find the largest packets that pass.
func (c *Core) search(id messaging.NodeID, p *path, step time.Duration, out []Action) []Action {
	m := &p.mtu
	if c.cfg.MTU == 0 || !p.up {
		return out
	}
	m.wait -= step
	m.search += step
	if m.size < c.cfg.MTU && m.settled && m.search >= c.cfg.ProbeEvery {
		m.rounds, m.wait, m.search = 1, 0, 0
	}
	switch {
	case m.wait > 0:
	case m.rounds == 0:
		m.settled = true
	default:
		m.rounds--
		m.wait = c.cfg.Interval
		for _, size := range c.sizes {
			if size > m.size {
				out = append(out, c.beat(id, p, size))
			}
		}
	}
	return out
}

// confirm gives the size of the probe that is due to find out whether packets
// of the present size still pass, 0 for none.
func (c *Core) confirm(p *path, step time.Duration) int {
	m := &p.mtu
	if c.cfg.MTU == 0 || !p.up {
		return 0
	}
	m.confirm += step
	due := confirmEvery * c.cfg.Interval
	if m.missing > 0 {
		due = c.cfg.Interval
	}
	if m.confirm+c.cfg.Tick()/2 < due {
		return 0
	}
	m.confirm = 0
	if m.missing >= maxUnanswered && m.size > c.sizes[0] {
		m.size, m.missing = c.sizes[0], 0
		m.begin()
		return 0
	}
	m.missing++
	return m.size
}

// answered takes in the answer to a probe.
func (c *Core) answered(p *path, size int) {
	m := &p.mtu
	if c.cfg.MTU == 0 || size < m.size || size > c.cfg.MTU {
		return
	}
	m.size, m.missing = size, 0
	if size == c.cfg.MTU {
		m.rounds, m.settled = 0, true
	}
}

// TooBig notes that the kernel, ours or one on the way, has no use for packets
// above a size. It may be forged, so all sizes are tried anew.
func (c *Core) TooBig(peer messaging.NodeID, link, size int) {
	p := c.path(peer, link)
	if p == nil || c.cfg.MTU == 0 || size >= p.mtu.size {
		return
	}
	i, _ := slices.BinarySearch(c.sizes, size+1)
	p.mtu.size, p.mtu.missing = c.sizes[max(i-1, 0)], 0
	p.mtu.begin()
	p.mtu.wait = c.cfg.Interval
}

// MTU tells the size of the largest packets, with all headers, that may be sent
// to a peer on a link, and whether a search for more has ended. 0 means that
// sizes are not looked after.
func (c *Core) MTU(peer messaging.NodeID, link int) (size int, settled bool) {
	p := c.path(peer, link)
	if p == nil || c.cfg.MTU == 0 {
		return 0, true
	}
	return p.mtu.size, p.mtu.settled
}
