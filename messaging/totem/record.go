// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/messaging"
)

// The kinds of archived events. A file of them outlives the program: never
// number them anew.
const (
	kindStart          = 1
	kindRecv           = 2
	kindTimer          = 3
	kindSubmit         = 4
	kindSuspectDown    = 5
	kindSuspectCleared = 6
	kindLeave          = 7
	kindSyncDone       = 8
	kindReconfigure    = 9
	kindPersisted      = 10
	kindForceGather    = 11
)

// AppendEvent adds an event to b in a form that DecodeEvent reads.
func AppendEvent(b []byte, ev Event) []byte {
	b, body := AppendEventHead(b, ev)
	return append(b, body...)
}

// AppendEventHead is AppendEvent without the packet or message of the event, which
// it returns: it follows the rest, and does not change any more.
func AppendEventHead(b []byte, ev Event) (head, body []byte) {
	a := archive{b: b}
	switch ev := ev.(type) {
	case *Start:
		a.b = append(a.b, kindStart)
		nums(&a, &ev.SavedRingSeq, &ev.Durable)
	case *Recv:
		a.b = append(a.b, kindRecv)
		num(&a, &ev.From)
		body = ev.Packet
	case *Timer:
		a.b = append(a.b, kindTimer)
		num(&a, &ev.ID)
	case *Submit:
		a.b = append(a.b, kindSubmit)
		a.flags(&ev.Sync)
		body = ev.Body
	case *SuspectDown:
		a.b = append(a.b, kindSuspectDown)
		n := a.count(len(ev.Nodes), MaxNodes)
		for i := range ev.Nodes[:n] {
			num(&a, &ev.Nodes[i])
		}
	case *SuspectCleared:
		a.b = append(a.b, kindSuspectCleared)
		num(&a, &ev.Node)
	case *Leave:
		a.b = append(a.b, kindLeave)
	case *SyncDone:
		a.b = append(a.b, kindSyncDone)
	case *Reconfigure:
		a.b = append(a.b, kindReconfigure)
		ev.Config.archive(&a)
	case *ForceGather:
		a.b = append(a.b, kindForceGather)
	case *Persisted:
		a.b = append(a.b, kindPersisted)
		num(&a, &ev.Seq)
	}
	return a.b, body
}

// DecodeEvent reads what AppendEvent wrote. Packets and bodies are copies.
func DecodeEvent(b []byte) (Event, error) {
	if len(b) == 0 {
		return nil, ErrArchive
	}
	a := archive{b: b[1:], load: true}
	rest := func() []byte {
		r := append([]byte(nil), a.b...)
		a.b = nil
		return r
	}
	var ev Event
	switch b[0] {
	case kindStart:
		e := &Start{}
		nums(&a, &e.SavedRingSeq, &e.Durable)
		ev = e
	case kindRecv:
		e := &Recv{}
		num(&a, &e.From)
		e.Packet = rest()
		ev = e
	case kindTimer:
		e := &Timer{}
		num(&a, &e.ID)
		ev = e
	case kindSubmit:
		e := &Submit{}
		a.flags(&e.Sync)
		e.Body = rest()
		ev = e
	case kindSuspectDown:
		e := &SuspectDown{Nodes: make([]messaging.NodeID, a.count(0, MaxNodes))}
		for i := range e.Nodes {
			num(&a, &e.Nodes[i])
		}
		ev = e
	case kindSuspectCleared:
		e := &SuspectCleared{}
		num(&a, &e.Node)
		ev = e
	case kindLeave:
		ev = &Leave{}
	case kindSyncDone:
		ev = &SyncDone{}
	case kindForceGather:
		ev = &ForceGather{}
	case kindReconfigure:
		e := &Reconfigure{}
		e.Config.archive(&a)
		ev = e
	case kindPersisted:
		e := &Persisted{}
		num(&a, &e.Seq)
		ev = e
	default:
		return nil, fmt.Errorf("%w: event of kind %d", ErrArchive, b[0])
	}
	if a.err == nil && len(a.b) > 0 {
		a.fail()
	}
	return ev, a.err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumEdge is how much of the beginning and of the end of a packet or message
// enters a checksum.
const sumEdge = 64

// Sum gives a checksum of the actions of a step, to compare a replay with what
// happened. It is cheap enough to be taken of every step: of what is long it
// takes the length, the beginning and the end. What lies between came in with an
// event, and stands in the core's state.
func Sum(actions []Action) (sum uint32) {
	var head [32]byte
	put := func(kind byte, x uint32, y, z uint64, body []byte) {
		head[0] = kind
		binary.LittleEndian.PutUint32(head[1:], x)
		binary.LittleEndian.PutUint64(head[5:], y)
		binary.LittleEndian.PutUint64(head[13:], z)
		binary.LittleEndian.PutUint32(head[21:], uint32(len(body)))
		sum = crc32.Update(sum, castagnoli, head[:25])
		if len(body) > 2*sumEdge {
			sum = crc32.Update(sum, castagnoli, body[:sumEdge])
			body = body[len(body)-sumEdge:]
		}
		sum = crc32.Update(sum, castagnoli, body)
	}
	for _, a := range actions {
		switch a := a.(type) {
		case *Send:
			token := uint64(0)
			if a.Token {
				token = 1
			}
			put(1, uint32(a.To), token, 0, a.Packet)
		case *SetTimer:
			put(2, uint32(a.ID), uint64(a.After), 0, nil)
		case *StopTimer:
			put(3, uint32(a.ID), 0, 0, nil)
		case *PersistRingSeq:
			put(4, 0, a.Seq, 0, nil)
		case *Deliver:
			put(5, uint32(a.From), uint64(a.Ring.Rep), a.Ring.Seq, a.Body)
		case *ConfChange:
			put(6, uint32(a.Kind), uint64(a.Ring.Rep), a.Ring.Seq, nil)
			for _, list := range [][]messaging.NodeID{a.Members, a.Joined, a.Left, a.LeftClean} {
				put(7, 0, uint64(len(list)), 0, nil)
				for _, n := range list {
					put(8, uint32(n), 0, 0, nil)
				}
			}
		case *Notice:
			put(9, 0, 0, 0, []byte(a.String()))
		}
	}
	return sum
}

// EventString describes an event for traces.
func EventString(ev Event) string {
	switch ev := ev.(type) {
	case *Start:
		return fmt.Sprintf("start after ring seq %d", ev.SavedRingSeq)
	case *Recv:
		return fmt.Sprintf("recv from %d %s", ev.From, PacketString(ev.Packet))
	case *Timer:
		return fmt.Sprintf("timer %v", ev.ID)
	case *Submit:
		if ev.Sync {
			return "submit sync " + bodyString(ev.Body)
		}
		return "submit " + bodyString(ev.Body)
	case *SuspectDown:
		return "suspect " + nodes(ev.Nodes)
	case *SuspectCleared:
		return "clear " + nodeName(ev.Node)
	case *Leave:
		return "leave"
	case *SyncDone:
		return "sync done"
	case *ForceGather:
		return "gather by force"
	case *Reconfigure:
		return fmt.Sprintf("reconfigure token %v window %d mtu %d", ev.Config.Token, ev.Config.Window, ev.Config.MTU)
	case *Persisted:
		return fmt.Sprintf("persisted ring seq %d", ev.Seq)
	}
	return fmt.Sprintf("%T", ev)
}
