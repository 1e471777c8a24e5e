// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
)

// A sealedWire is what lies between a node's core and the network in seeds that
// have seals: the real guard and the real link layer, joined as the engine does.
type sealedWire struct {
	n      *node
	life   int
	guard  *auth.Guard
	links  *link.Core
	hellos map[messaging.NodeID]int
	period time.Duration
}

// seededReader gives a life its randomness.
type seededReader struct{ r *rand.Rand }

func (s seededReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return len(b), nil
}

var simKey = func() auth.Key {
	k, err := auth.NewKey(bytes.Repeat([]byte{7}, auth.DefaultKey), "sim")
	if err != nil {
		panic(err)
	}
	return k
}()

func newSealedWire(n *node) *sealedWire {
	seed := n.c.w.Rand().Uint64()
	guard, err := auth.NewGuard(auth.Config{Self: n.id, Key: simKey, Rand: seededReader{rand.New(rand.NewPCG(seed, uint64(n.id)))}})
	if err != nil {
		panic(err)
	}
	links, err := link.New(n.c.link)
	if err != nil {
		panic(err)
	}
	w := &sealedWire{n: n, life: n.life, guard: guard, links: links, hellos: map[messaging.NodeID]int{}}
	for _, o := range n.c.nodes {
		if o != n {
			links.Add(o.id, 0)
		}
	}
	w.tick()
	return w
}

func (w *sealedWire) tick() {
	w.act(w.links.Tick(w.n.host.Now()))
	w.n.host.After(w.n.c.link.Tick(), w.tick)
}

// send seals one packet for one node or for all that are heard.
func (w *sealedWire) send(a *totem.Send) {
	kind := auth.Data
	if a.Token {
		kind = auth.Token
	}
	sealed, err := w.guard.Seal(nil, kind, a.To, a.Packet)
	if err != nil {
		panic(err)
	}
	for _, to := range w.n.c.nodes {
		if to != w.n && (a.To == to.id || a.To == 0 && w.links.Up(to.id)) {
			w.links.Sent(to.id, 0)
			w.n.c.net.Send(w.n.index, to.index, sealed)
		}
	}
}

func (w *sealedWire) hello(to messaging.NodeID) {
	if now := w.n.host.Now(); now-w.period >= 100*time.Millisecond {
		w.period = now
		clear(w.hellos)
	}
	if to == 0 || int(to) > len(w.n.c.nodes) {
		return
	}
	if w.hellos[to]++; w.hellos[to] > 16 {
		return
	}
	sealed, err := w.guard.Hello(nil, to)
	if err == nil {
		w.n.c.net.Send(w.n.index, int(to)-1, sealed)
	}
}

// receive opens a packet from the network, which may be anything.
func (w *sealedWire) receive(packet []byte) {
	o, err := w.guard.Open(nil, w.n.host.Now(), netip.Addr{}, packet)
	if err != nil {
		if o.Reply && len(packet) >= 16 {
			w.hello(messaging.NodeID(binary.LittleEndian.Uint32(packet[12:])))
		}
		return
	}
	w.n.c.check.checks["sealed packets"]++
	if o.Reply {
		w.hello(o.From)
	}
	if !o.Proven || o.Kind == auth.Hello && !o.Believed {
		return
	}
	w.act(w.links.Heard(o.From, 0))
	switch o.Kind {
	case auth.Beat:
		if b, ok := link.ParseBeat(o.Plain); ok {
			w.act(w.links.Beat(w.n.host.Now(), o.From, 0, b))
		}
	case auth.Data, auth.Token:
		w.n.step(&totem.Recv{From: o.From, Packet: o.Plain})
	}
}

func (w *sealedWire) act(as []link.Action) {
	var down []messaging.NodeID
	for _, a := range as {
		switch a := a.(type) {
		case *link.SendBeat:
			w.beat(a)
		case *link.PeerDown:
			w.n.c.check.checks["links go down"]++
			down = append(down, a.Peer)
		case *link.PeerUp:
			w.n.step(&totem.SuspectCleared{Node: a.Peer})
		}
	}
	if len(down) > 0 && w.life == w.n.life {
		w.n.step(&totem.SuspectDown{Nodes: down})
	}
}

func (w *sealedWire) beat(b *link.SendBeat) {
	if !w.guard.Proven(b.Peer) {
		w.hello(b.Peer)
		return
	}
	sealed, err := w.guard.Seal(nil, auth.Beat, b.Peer, b.Append(nil))
	if err != nil {
		panic(err)
	}
	w.n.c.net.Send(w.n.index, int(b.Peer)-1, sealed)
}
