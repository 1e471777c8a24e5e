// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordsComeBackAndDamageShows(t *testing.T) {
	r := record{Kind: kindSlot, Pass: true, Node: 1<<32 - 1, Boot: 7, Seq: 9, List: 3, RingRep: 1, RingSeq: 1 << 40}
	r.Members.set(0)
	r.Evicted.set(MaxNodes - 1)
	b := r.encode("debian")
	got, ok, err := decode(b, kindSlot, "debian")
	if d := cmp.Diff(r, got); d != "" || !ok || err != nil {
		t.Errorf("%s, %v, %v", d, ok, err)
	}
	torn := slices.Concat(b[:512], make([]byte, BlockSize-512))
	for name, x := range map[string]struct {
		b    []byte
		want error
	}{
		"torn":          {torn, ErrTorn},
		"other cluster": {r.encode("ubuntu"), ErrForeign},
		"other data":    {bytes.Repeat([]byte("x"), BlockSize), ErrForeign},
		"other place":   {(&record{Kind: kindLeader}).encode("debian"), ErrTorn},
		"blank":         {make([]byte, BlockSize), nil},
	} {
		if _, ok, err := decode(x.b, kindSlot, "debian"); ok || !errors.Is(err, x.want) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if blank, err := CheckHeader(make([]byte, BlockSize), "c"); !blank || err != nil {
		t.Errorf("blank disk: %v, %v", blank, err)
	}
	if blank, err := CheckHeader(Header("c"), "c"); blank || err != nil {
		t.Errorf("own disk: %v, %v", blank, err)
	}
	if _, err := CheckHeader(Header("d"), "c"); !errors.Is(err, ErrForeign) {
		t.Errorf("another cluster's disk: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&record{Kind: kindLeader, Node: 1}).encode("c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok, err := decode(b, kindLeader, "c")
		if ok && (err != nil || !bytes.Equal(r.encode("c"), b)) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// A station is a node in the world of a shared disk. Its clock runs at a rate of
// its own.
type station struct {
	core  *Core
	id    uint32
	rate  float64
	next  time.Duration // of its own clock: when it does what comes next
	start time.Duration
	queue []*Write // to do before the next reading
	doing *Write
	fail  bool
	image []byte // what the reading saw
	cast  bool
	ring  [2]uint64
	dead  bool
}

// A world is a disk, its nodes, and where they are.
type world struct {
	t     *testing.T
	rand  *rand.Rand
	seed  uint64
	now   time.Duration
	disk  []byte
	nodes []*station
	sides []int
	seq   uint64
	calm  bool
	late  []landing
}

// A landing is a write that reaches the disk at some time, whether anybody waits
// for it or not.
type landing struct {
	at time.Duration
	w  *Write
	n  int // bytes, less than all where it is torn
}

const (
	tick     = 10 * time.Millisecond
	interval = 100 * time.Millisecond
)

// between draws a number, both ends among them.
func (w *world) between(least, most int) int { return least + w.rand.IntN(most-least+1) }

// worlds runs a test on many seeds; QUORATE_SEED picks one, QUORATE_SEEDS says how
// many.
func worlds(t *testing.T, count uint64, f func(w *world)) {
	first := uint64(1)
	if s := os.Getenv("QUORATE_SEED"); s != "" {
		_, _ = fmt.Sscan(s, &first)
		count = 1
	}
	if s := os.Getenv("QUORATE_SEEDS"); s != "" {
		_, _ = fmt.Sscan(s, &count)
	}
	for seed := first; seed < first+count && !t.Failed(); seed++ {
		w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 7)), seed: seed}
		f(w)
	}
}

func (w *world) populate(n int) {
	w.disk, w.sides, w.seq = make([]byte, (firstSlot+n)*BlockSize), make([]int, n), 4
	copy(w.disk, Header("c"))
	var ids []uint32
	for i := range n {
		ids = append(ids, uint32(10*(i+1)))
	}
	for i, id := range ids {
		s := &station{id: id, rate: 1 + float64(w.between(-5, 5))/1000}
		s.core = New(Config{Node: id, Nodes: ids, Cluster: "c", Boot: uint64(i + 1), Interval: interval, Misses: 8})
		s.next = time.Duration(w.between(0, 100)) * time.Millisecond
		w.nodes = append(w.nodes, s)
		w.takeUp(i)
	}
}

func (w *world) clock(s *station) time.Duration { return time.Duration(float64(w.now) * s.rate) }

// takeUp makes a node notice its ring.
func (w *world) takeUp(i int) {
	s := w.nodes[i]
	ev := &Ring{Seq: w.seq*8 + uint64(w.sides[i])}
	for j := range w.sides {
		if w.sides[j] == w.sides[i] {
			ev.Members = append(ev.Members, uint32(10*(j+1)))
		}
	}
	ev.Rep = ev.Members[0]
	if ring := [2]uint64{uint64(ev.Rep), ev.Seq}; ring != s.ring {
		s.ring = ring
	} else {
		return
	}
	s.cast = false
	w.act(s, s.core.Step(w.clock(s), ev))
}

func (w *world) act(s *station, as []Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *Write:
			s.queue = append(s.queue, a)
		case *Vote:
			if [2]uint64{uint64(a.Rep), a.Seq} == s.ring {
				s.cast = a.Cast
			}
		}
	}
}

// delay draws how long an operation takes.
func (w *world) delay(what string) time.Duration {
	if w.calm {
		return tick
	}
	// Far more often well than not, or there is never a leader to disturb.
	switch k := w.between(0, 199); k {
	case 1, 2, 3:
		return time.Duration(k) * 80 * time.Millisecond
	case 4, 5, 6:
		return time.Duration(k-3) * 700 * time.Millisecond
	}
	return tick
}

// turn lets a node do what is due.
func (w *world) turn(s *station) {
	if s.dead {
		return
	}
	now := w.clock(s)
	if at, ok := s.core.Deadline(); ok && now >= at {
		w.act(s, s.core.Step(now, &Ticked{}))
	}
	if now < s.next {
		return
	}
	switch {
	case s.doing != nil:
		var err error
		if s.fail {
			err = errors.New("input/output error")
		}
		done := s.doing
		s.doing = nil
		w.act(s, s.core.Step(now, &Wrote{Write: done, Start: s.start, Err: err}))
		w.then(s, now)
	case s.image != nil:
		b := s.image
		s.image = nil
		w.act(s, s.core.Step(now, &Read{Start: s.start, Blocks: b}))
		w.then(s, now)
	default:
		s.start = now
		s.image = slices.Clone(w.disk)
		s.next = now + w.delay("read")
	}
}

// then begins the next write, or waits for the next cycle.
func (w *world) then(s *station, now time.Duration) {
	if len(s.queue) == 0 {
		s.next = now + interval
		return
	}
	s.doing, s.queue = s.queue[0], s.queue[1:]
	s.start = now
	d := w.delay("write")
	s.next = now + d
	s.fail = !w.calm && w.between(0, 150) == 1
	l := landing{at: w.now + d/2, w: s.doing, n: BlockSize}
	if !w.calm && w.between(0, 150) == 1 {
		l.n = 512
	}
	if s.fail {
		if w.between(0, 1) == 1 {
			return
		}
		l.at = w.now + time.Duration(w.between(0, 3000))*time.Millisecond
	}
	w.late = append(w.late, l)
}

// put lets writes reach the disk.
func (w *world) put() {
	w.late = slices.DeleteFunc(w.late, func(l landing) bool {
		if w.now < l.at {
			return false
		}
		copy(w.disk[l.w.Block*BlockSize:], l.w.Data[:l.n])
		return true
	})
}

// check: nodes whose rings are those of now have the vote on one side only.
func (w *world) check() {
	side := -1
	for i, s := range w.nodes {
		if !s.cast || s.dead || s.ring[1]/8 != w.seq {
			continue
		}
		if side >= 0 && w.sides[i] != side {
			w.t.Fatalf("seed %d: at %v two sides have the vote: %v", w.seed, w.now, w.describe())
		}
		side = w.sides[i]
	}
}

func (w *world) describe() (out []string) {
	for i, s := range w.nodes {
		out = append(out, fmt.Sprintf("node %d side %d ring %v cast %v leading %v evicted %v leader %d of ring %d seen %v ago until %v", s.id, w.sides[i], s.ring, s.cast, s.core.leading,
			s.core.evicted, s.core.leader.rec.Node, s.core.leader.rec.RingSeq, w.clock(s)-s.core.leader.since, s.core.trust()-w.clock(s)))
	}
	return out
}

// disturb changes the network, a node's heuristics, or its life.
func (w *world) disturb() {
	i := w.between(0, len(w.nodes)-1)
	switch w.between(0, 5) {
	case 0:
		for j := range w.sides {
			w.sides[j] = w.between(0, 1)
		}
		w.seq++
		if w.between(0, 1) == 0 {
			for j := range w.nodes {
				w.takeUp(j)
			}
		}
	case 1, 2, 3:
		w.takeUp(i)
	case 4:
		s := w.nodes[i]
		w.act(s, s.core.Step(w.clock(s), &Checked{Pass: (w.between(0, 1) == 1)}))
	case 5:
		w.pause(w.nodes[i])
	}
}

// pause stops a node's process for a while; writes under way go on.
func (w *world) pause(s *station) {
	for range w.between(1, 200) {
		w.now += tick
		w.put()
		for _, o := range w.nodes {
			if o != s {
				w.turn(o)
			}
		}
		was := s.cast
		s.cast = false // it does nothing meanwhile
		w.check()
		s.cast = was
	}
	if at, ok := s.core.Deadline(); ok && w.clock(s) >= at {
		w.act(s, s.core.Step(w.clock(s), &Ticked{}))
	}
}

func (w *world) run(d time.Duration) {
	for end := w.now + d; w.now < end; w.now += tick {
		w.put()
		for _, s := range w.nodes {
			w.turn(s)
		}
		w.check()
	}
}

// TestTheVoteIsOnOneSideOnly: on a disk that is slow, tears and fails writes, or
// lets them arrive when nobody waits any more; with nodes that are parted, paused,
// and placed well or badly.
func TestTheVoteIsOnOneSideOnly(t *testing.T) {
	worlds(t, 300, func(w *world) {
		w.populate(w.between(2, 4))
		for range w.between(1, 40) {
			w.run(time.Duration(w.between(0, 3000)) * time.Millisecond)
			for range w.between(1, 4) {
				w.disturb()
				w.check()
			}
		}
	})
}

// TestAWellDiskElectsALeader: once all is calm, one side has the vote, and all of
// its nodes do, within the time that Failover tells.
func TestAWellDiskElectsALeader(t *testing.T) {
	worlds(t, 100, func(w *world) {
		w.populate(w.between(2, 4))
		for range w.between(0, 10) {
			w.run(time.Duration(w.between(0, 1500)) * time.Millisecond)
			w.disturb()
		}
		w.calm = true
		for i, s := range w.nodes {
			w.takeUp(i)
			w.act(s, s.core.Step(w.clock(s), &Checked{Pass: true}))
		}
		// Operations that hang end, a leader that is outnumbered steps down, and
		// another follows.
		w.run(4*time.Second + 3*w.nodes[0].core.cfg.Failover())
		side := -1
		for i, s := range w.nodes {
			if s.core.leading {
				side = w.sides[i]
			}
		}
		for i, s := range w.nodes {
			if s.cast != (w.sides[i] == side) {
				t.Fatalf("seed %d: not exactly the leader's side has the vote: %v", w.seed, w.describe())
			}
		}
	})
}

// TestTheSurvivorTakesOver: the leader dies; the other has the vote within the
// time told, and not before the leader's would have ended.
func TestTheSurvivorTakesOver(t *testing.T) {
	worlds(t, 50, func(w *world) {
		w.populate(2)
		w.calm = true
		cfg := &w.nodes[0].core.cfg
		w.run(2 * cfg.Failover())
		if !w.nodes[0].cast || !w.nodes[1].cast || !w.nodes[0].core.leading {
			t.Fatalf("no leader: %v", w.describe())
		}
		w.nodes[0].dead = true
		w.sides[1], w.seq = 1, w.seq+1
		w.takeUp(1)
		died := w.now
		w.run(cfg.lease() - 2*interval)
		if w.nodes[1].cast {
			t.Fatalf("node 2 has the vote %v after the death of the leader, whose lease is %v", w.now-died, cfg.lease())
		}
		w.run(cfg.Failover() - cfg.lease() + 3*interval)
		if !w.nodes[1].cast {
			t.Fatalf("node 2 has no vote after %v", w.now-died)
		}
	})
}
