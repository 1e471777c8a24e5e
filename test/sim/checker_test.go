// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem"
)

// lifeID names one life of a node, from start to crash.
type lifeID struct {
	node messaging.NodeID
	life int
}

// A stream is what a sender's messages are in order in: those of a
// synchronisation overtake others.
type stream struct {
	from lifeID
	sync bool
}

// A stay is what one life saw in one regular configuration: the messages
// before and after the transitional configuration that ended it.
type stay struct {
	ring      messaging.RingID
	number    int32
	members   []messaging.NodeID
	regular   []msgID
	trans     []msgID
	inTrans   bool
	synced    []messaging.NodeID // whose synchronisation came
	transMemb []messaging.NodeID // who comes along, of the transitional
	next      messaging.RingID   // the ring after it, if it came to that
}

// history is all that one life saw.
type history struct {
	id      lifeID
	stays   []*stay
	seen    []int32           // ring of each message by its number, plus 1; 0: not delivered
	last    map[stream]uint64 // newest count from each sender
	crashed bool
}

func (h *history) stay() *stay {
	if len(h.stays) == 0 {
		return nil
	}
	return h.stays[len(h.stays)-1]
}

// A checker records what applications see and finds what they must not.
// Faults found at once and those found at the end go into the same list.
type checker struct {
	sent    []sent
	lives   map[lifeID]*history
	order   []lifeID
	rings   map[messaging.RingID][]messaging.NodeID // regular configurations by id
	names   []messaging.RingID                      // rings by their number here
	numbers map[messaging.RingID]int32
	ringSeq map[messaging.NodeID]uint64 // newest ring of a node over all lives
	// holdSync says that ordinary messages wait for the synchronisation.
	holdSync bool
	faults   []string
	spans    *spans
	tables   map[messaging.RingID]uint64 // of process groups after a synchronisation
	often    [numOften]uint64            // checks of the rules that are checked at each delivery
	checks   map[string]uint64           // how often each rule had something to check
}

// sent is what is known of a submitted message.
type sent struct {
	id   msgID
	sync bool
	sum  uint32
	ring int32 // in which it was delivered, plus 1
}

// often are the rules that are checked at each delivery.
type often int

const (
	noCreation often = iota
	noDuplication
	fifo
	oneRing
	itsConfiguration
	senderMember
	syncFirst
	transSender
	numOften
)

var oftenNames = [numOften]string{
	"no creation", "no duplication", "fifo", "one ring for a message", "message in its configuration",
	"sender is a member", "synchronisation first", "transitional sender comes along",
}

const maxFaults = 10

func newChecker() *checker {
	return &checker{
		numbers: map[messaging.RingID]int32{}, spans: newSpans(), tables: map[messaging.RingID]uint64{}, lives: map[lifeID]*history{}, rings: map[messaging.RingID][]messaging.NodeID{},
		ringSeq: map[messaging.NodeID]uint64{}, checks: map[string]uint64{},
	}
}

// expect records a fault of a rule unless ok.
func (k *checker) expect(rule string, ok bool, format string, args ...any) {
	k.checks[rule]++
	if !ok && len(k.faults) < maxFaults {
		k.faults = append(k.faults, rule+": "+fmt.Sprintf(format, args...))
	}
}

func (k *checker) started(n messaging.NodeID, life int) *history {
	id := lifeID{n, life}
	k.lives[id] = &history{id: id, last: map[stream]uint64{}}
	k.order = append(k.order, id)
	return k.lives[id]
}

func (k *checker) crashed(n messaging.NodeID, life int) { k.lives[lifeID{n, life}].crashed = true }

func (k *checker) submitted(id msgID, sync bool, body []byte) {
	k.sent = append(k.sent, sent{id: id, sync: sync, sum: crc32.ChecksumIEEE(body)})
}

// saw gives the ring that a life has delivered a message in, plus 1.
func (h *history) saw(m int) int32 {
	if m >= len(h.seen) {
		return 0
	}
	return h.seen[m]
}

// number gives the number of a ring.
func (k *checker) number(r messaging.RingID) int32 {
	n, ok := k.numbers[r]
	if !ok {
		n = int32(len(k.names))
		k.names = append(k.names, r)
		k.numbers[r] = n
	}
	return n
}

// synced compares the tables of process groups where a synchronisation ends.
func (k *checker) synced(n messaging.NodeID, life int, ring messaging.RingID, table uint64) {
	if other, ok := k.tables[ring]; ok {
		k.expect("groups agree", other == table, "node %d life %d: its groups at the end of the synchronisation on ring %v are not the others'", n, life, ring)
	}
	k.tables[ring] = table
}

// delivered checks what can be checked at each delivery.
func (k *checker) delivered(h *history, d *totem.Deliver, id msgID, m int, sync, ok bool) {
	rule := func(r often, ok bool, format string, args ...any) {
		if k.often[r]++; !ok {
			who := fmt.Sprintf("node %d life %d message %v on ring %v: ", h.id.node, h.id.life, id, d.Ring)
			k.expect(oftenNames[r], false, "%s", who+fmt.Sprintf(format, args...))
		}
	}
	if !ok || m < 0 || m >= len(k.sent) {
		rule(noCreation, false, "never sent (from %d)", d.From)
		return
	}
	was := &k.sent[m]
	if was.id != id || was.sync != sync || d.From != id.node || was.sum != crc32.ChecksumIEEE(d.Body) {
		rule(noCreation, false, "body changed, or never sent (from %d)", d.From)
		return
	}
	k.often[noCreation]++
	ring := int32(0)
	s := h.stay()
	if s != nil && s.ring == d.Ring {
		ring = s.number + 1
	} else {
		ring = k.number(d.Ring) + 1
	}
	rule(noDuplication, h.saw(m) == 0, "delivered twice")
	if m >= len(h.seen) {
		h.seen = append(h.seen, make([]int32, max(m+1, len(k.sent))-len(h.seen))...)
	}
	h.seen[m] = ring
	origin := stream{lifeID{id.node, id.life}, sync}
	if last := h.last[origin]; last >= id.count {
		rule(fifo, false, "after #%d of the same sender", last)
	}
	k.often[fifo]++
	h.last[origin] = id.count
	if was.ring != 0 && was.ring != ring {
		rule(oneRing, false, "elsewhere on ring %v", k.names[was.ring-1])
	}
	k.often[oneRing]++
	was.ring = ring
	if s == nil {
		rule(itsConfiguration, false, "before the first configuration")
		return
	}
	if s.ring != d.Ring {
		rule(itsConfiguration, false, "delivered in configuration %v", s.ring)
	}
	k.often[itsConfiguration]++
	if !slices.Contains(s.members, id.node) {
		rule(senderMember, false, "members are %v", s.members)
	}
	k.often[senderMember]++
	if k.holdSync {
		if sync {
			s.synced = append(s.synced, id.node)
		} else {
			rule(syncFirst, slices.Contains(s.synced, id.node), "its sender's synchronisation did not come before")
		}
	}
	if !s.inTrans {
		s.regular = append(s.regular, id)
		return
	}
	s.trans = append(s.trans, id)
	rule(transSender, slices.Contains(s.transMemb, id.node), "transitional members do not hold its sender")
}

// counts gives how often each rule had something to check.
func (k *checker) counts() map[string]uint64 {
	for r, n := range k.often {
		k.checks[oftenNames[r]] += n
		k.often[r] = 0
	}
	return k.checks
}

// configured checks a configuration change by itself and against the node's
// last one.
func (k *checker) configured(n messaging.NodeID, life int, c *totem.ConfChange) {
	h := k.lives[lifeID{n, life}]
	s := h.stay()
	who := fmt.Sprintf("node %d life %d %v", n, life, c)
	k.expect("member of my configuration", slices.Contains(c.Members, n), "%s", who)
	if c.Kind == totem.Transitional {
		if s == nil || s.inTrans {
			k.expect("alternation", false, "%s: not after a regular one", who)
			return
		}
		s.inTrans, s.transMemb, s.next = true, c.Members, c.Ring
		k.expect("transitional members", subset(c.Members, s.members), "%s: of %v", who, s.members)
		k.expect("left list", slices.Equal(c.Left, minus(s.members, c.Members)) && len(c.Joined) == 0, "%s: from %v", who, s.members)
		return
	}
	k.expect("alternation", s == nil || s.inTrans, "%s: regular without a transitional", who)
	along := []messaging.NodeID(nil)
	if s != nil {
		k.expect("ring of the change", s.next == c.Ring, "%s: transitional said %v", who, s.next)
		along = s.transMemb
	}
	k.expect("transitional members", subset(along, c.Members), "%s: transitional %v", who, along)
	k.expect("joined list", slices.Equal(c.Joined, minus(c.Members, along)) && len(c.Left) == 0, "%s: transitional %v", who, along)
	k.expect("ring ids grow", c.Ring.Seq > k.ringSeq[n], "%s: had %x before", who, k.ringSeq[n])
	k.ringSeq[n] = c.Ring.Seq
	if m, known := k.rings[c.Ring]; known {
		k.expect("one member list for a ring id", slices.Equal(m, c.Members), "%s: elsewhere %v", who, m)
	}
	k.rings[c.Ring] = c.Members
	h.stays = append(h.stays, &stay{ring: c.Ring, number: k.number(c.Ring), members: c.Members})
}

// finish checks the whole run: agreement between nodes needs all histories.
func (k *checker) finish() {
	byRing := map[messaging.RingID][]lifeID{}
	var rings []messaging.RingID
	for _, id := range k.order {
		for _, s := range k.lives[id].stays {
			if byRing[s.ring] == nil {
				rings = append(rings, s.ring)
			}
			byRing[s.ring] = append(byRing[s.ring], id)
		}
	}
	for _, ring := range rings {
		lives := byRing[ring]
		for _, id := range lives {
			k.comeAlong(ring, id, byRing)
		}
		for i, a := range lives {
			for _, b := range lives[i+1:] {
				k.pair(ring, k.at(a, ring), k.at(b, ring), a, b)
			}
		}
	}
	k.selfDelivery()
}

// comeAlong checks a transitional configuration against where its members
// really came from.
func (k *checker) comeAlong(ring messaging.RingID, id lifeID, byRing map[messaging.RingID][]lifeID) {
	s := k.at(id, ring)
	if !k.closed(id, s) {
		return
	}
	for _, other := range byRing[s.next] {
		from := k.before(other, s.next)
		k.expect("transitional agreement", slices.Contains(s.transMemb, other.node) == (from == ring),
			"%v from ring %v to %v: transitional %v, but %v came from %v", id, ring, s.next, s.transMemb, other, from)
	}
}

// before gives the configuration that a life was in before the given one.
func (k *checker) before(id lifeID, ring messaging.RingID) (r messaging.RingID) {
	for _, s := range k.lives[id].stays {
		if s.ring == ring {
			return r
		}
		r = s.ring
	}
	return r
}

func (k *checker) at(id lifeID, ring messaging.RingID) *stay {
	for _, s := range k.lives[id].stays {
		if s.ring == ring {
			return s
		}
	}
	return nil
}

// pair compares what two nodes saw in one regular configuration.
func (k *checker) pair(ring messaging.RingID, a, b *stay, x, y lifeID) {
	who := fmt.Sprintf("ring %v nodes %v and %v", ring, x, y)
	n := min(len(a.regular), len(b.regular))
	k.expect("total order", slices.Equal(a.regular[:n], b.regular[:n]), "%s: %v and %v", who, a.regular, b.regular)
	all, bll := slices.Concat(a.regular, a.trans), slices.Concat(b.regular, b.trans)
	k.expect("total order", sameOrder(all, bll), "%s: %v and %v", who, all, bll)
	if !k.closed(x, a) || !k.closed(y, b) {
		return
	}
	if a.next != b.next {
		return
	}
	// They went from the same configuration to the same configuration.
	k.expect("virtual synchrony", slices.Equal(all, bll), "%s to %v: %v + %v and %v + %v", who, a.next, a.regular, a.trans, b.regular, b.trans)
	k.expect("transitional agreement", slices.Equal(a.transMemb, b.transMemb), "%s to %v: %v and %v", who, a.next, a.transMemb, b.transMemb)
	k.expect("transitional agreement", slices.Contains(a.transMemb, y.node) && slices.Contains(b.transMemb, x.node), "%s to %v: not in each other's set %v", who, a.next, a.transMemb)
}

// closed tells whether a life went on to the configuration after this stay.
func (k *checker) closed(id lifeID, s *stay) bool {
	return s.inTrans && k.at(id, s.next) != nil
}

// selfDelivery: what a node sent in a configuration, and somebody delivered, it
// has delivered itself when it is in a later configuration.
func (k *checker) selfDelivery() {
	for m := range k.sent {
		from := &k.sent[m]
		sender := k.lives[lifeID{from.id.node, from.id.life}]
		if from.ring == 0 {
			continue // nobody delivered it
		}
		ring := k.names[from.ring-1]
		s := k.at(sender.id, ring)
		if s == nil || !k.closed(sender.id, s) {
			continue
		}
		k.expect("self delivery", sender.saw(m) != 0, "message %v on ring %v: somebody has it, its sender has not", from.id, ring)
	}
}

// everythingArrived checks that the living have delivered what they sent.
func (k *checker) everythingArrived() {
	for m := range k.sent {
		from := &k.sent[m]
		h := k.lives[lifeID{from.id.node, from.id.life}]
		if h.crashed || from.sync {
			continue
		}
		number := h.saw(m)
		if k.expect("liveness", number != 0, "message %v was never delivered to its sender", from.id); number == 0 {
			continue
		}
		ring := k.names[number-1]
		for _, id := range k.order {
			o := k.lives[id]
			if s := k.at(id, ring); s == nil || o.crashed || s.inTrans {
				continue
			}
			k.expect("liveness", o.saw(m) != 0, "message %v on ring %v was never delivered at %v", from.id, ring, id)
		}
	}
}

// arrived gives the number of messages that anybody delivered.
func (k *checker) arrived() (n int) {
	for m := range k.sent {
		if k.sent[m].ring != 0 {
			n++
		}
	}
	return n
}

func subset(a, b []messaging.NodeID) bool {
	for _, n := range a {
		if !slices.Contains(b, n) {
			return false
		}
	}
	return true
}

func minus(a, b []messaging.NodeID) []messaging.NodeID {
	var out []messaging.NodeID
	for _, n := range a {
		if !slices.Contains(b, n) {
			out = append(out, n)
		}
	}
	return out
}

// sameOrder tells whether the common elements stand in the same order.
func sameOrder(a, b []msgID) bool {
	if len(a) == len(b) && slices.Equal(a, b) {
		return true
	}
	pos := make(map[msgID]int, len(b))
	for i, m := range b {
		pos[m] = i
	}
	last := -1
	for _, m := range a {
		if p, ok := pos[m]; ok {
			if p <= last {
				return false
			}
			last = p
		}
	}
	return true
}
