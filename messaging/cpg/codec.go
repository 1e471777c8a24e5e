// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cpg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/quorate/quorate/messaging"
)

// Bounds of the groups.
const (
	// MaxName is the longest name of a group, in bytes.
	MaxName = 128
	// MaxLocal is the most members that one node may have in all groups.
	MaxLocal = 16384
	// MaxExtra bounds the opaque part of a sync message and of a service
	// message, in bytes.
	MaxExtra = 64 << 10
	// HeadLen is the most that a multicast's head adds to its body, in bytes.
	HeadLen = 1 + binary.MaxVarintLen64
)

// ErrMalformed tells that a message cannot be decoded.
var ErrMalformed = errors.New("cpg: malformed message")

// A Kind is what a message of the groups is.
type Kind byte

// The kinds that others may want to tell apart; 0 is none of them.
const (
	KindJoin  Kind = kindJoin
	KindLeave Kind = kindLeave
	KindMcast Kind = kindMcast
	KindSync  Kind = kindSync
)

// KindOf tells what a message is.
func KindOf(b []byte) Kind {
	if len(b) == 0 || b[0] >= kindService {
		return 0
	}
	return Kind(b[0])
}

// The kinds of messages.
const (
	kindJoin    = 1
	kindLeave   = 2
	kindMcast   = 3
	kindSync    = 4
	kindService = 5 // of the layer above, ordered with the rest
)

// A local is one local member as a sync message lists it.
type local struct {
	client uint64
	pid    uint32
	group  string
}

// A message is one decoded message.
type message struct {
	kind   byte
	client uint64
	pid    uint32
	reason messaging.Reason
	group  string
	body   []byte
	ring   messaging.RingID
	locals []local
}

func encodeJoin(client uint64, pid uint32, group string) []byte {
	b := binary.AppendUvarint([]byte{kindJoin}, client)
	b = binary.AppendUvarint(b, uint64(pid))
	return append(b, group...)
}

func encodeLeave(client uint64, reason messaging.Reason) []byte {
	return append(binary.AppendUvarint([]byte{kindLeave}, client), byte(reason))
}

func encodeMcast(client uint64, body []byte) []byte {
	var head [HeadLen]byte
	head[0] = kindMcast
	n := 1 + binary.PutUvarint(head[1:], client)
	return bytes.Join([][]byte{head[:n], body}, nil) // which clears no memory first
}

func encodeSync(ring messaging.RingID, extra []byte, locals []local) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{kindSync}, uint32(ring.Rep))
	b = binary.LittleEndian.AppendUint64(b, ring.Seq)
	b = binary.AppendUvarint(b, uint64(len(extra)))
	b = append(b, extra...)
	b = binary.AppendUvarint(b, uint64(len(locals)))
	for _, l := range locals {
		b = binary.AppendUvarint(b, l.client)
		b = binary.AppendUvarint(b, uint64(l.pid))
		b = append(b, byte(len(l.group)))
		b = append(b, l.group...)
	}
	return b
}

// A reader takes values from the front of a message and remembers a fault.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint(max uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > max {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func decode(b []byte) (message, error) {
	r := reader{b: b}
	m := message{kind: r.byte()}
	switch m.kind {
	case kindJoin:
		m.client = r.uvarint(1<<64 - 1)
		m.pid = uint32(r.uvarint(1<<32 - 1))
		m.group = string(r.bytes(min(len(r.b), MaxName+1)))
		r.bad = r.bad || !validName(m.group)
	case kindLeave:
		m.client = r.uvarint(1<<64 - 1)
		m.reason = messaging.Reason(r.byte())
		r.bad = r.bad || m.reason != messaging.ReasonLeave && m.reason != messaging.ReasonProcDown
	case kindMcast:
		m.client = r.uvarint(1<<64 - 1)
		m.body, r.b = r.b, nil
	case kindService:
		m.body, r.b = r.b, nil
		r.bad = r.bad || len(m.body) > MaxExtra
	case kindSync:
		decodeSync(&r, &m)
	default:
		return m, fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	if r.bad || len(r.b) > 0 {
		return m, fmt.Errorf("%w: kind %d, %d bytes", ErrMalformed, m.kind, len(b))
	}
	return m, nil
}

func decodeSync(r *reader, m *message) {
	head := r.bytes(12)
	if head == nil {
		return
	}
	m.ring.Rep = messaging.NodeID(binary.LittleEndian.Uint32(head))
	m.ring.Seq = binary.LittleEndian.Uint64(head[4:])
	m.body = r.bytes(int(r.uvarint(MaxExtra)))
	n := r.uvarint(MaxLocal)
	// Each entry takes at least four bytes: a count that cannot be true
	// allocates nothing.
	if n > uint64(len(r.b))/4 {
		r.bad = true
		return
	}
	m.locals = make([]local, 0, n)
	for range n {
		l := local{client: r.uvarint(1<<64 - 1), pid: uint32(r.uvarint(1<<32 - 1))}
		l.group = string(r.bytes(int(r.byte())))
		r.bad = r.bad || !validName(l.group)
		m.locals = append(m.locals, l)
	}
}

func validName(s string) bool { return len(s) >= 1 && len(s) <= MaxName }
