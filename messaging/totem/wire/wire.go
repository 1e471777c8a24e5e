// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/quorate/quorate/messaging"
)

// Version is the version of the layouts below.
const Version = 1

// Bounds of what a packet may claim.
const (
	// MaxNodes bounds every list of nodes.
	MaxNodes = 384
	// MaxRetransmit bounds the list of missing messages in a token.
	MaxRetransmit = 30
	// MaxPacket bounds a whole packet.
	MaxPacket = 65507
)

// Sizes of the fixed parts, in bytes.
const (
	headerSize       = 4
	ringSize         = 12
	tokenFixed       = headerSize + ringSize + 8 + 8 + 8 + 4 + 4 + 4 + 4
	mergeDetectFixed = headerSize + ringSize
	holdCancelSize   = headerSize + ringSize
	joinFixed        = headerSize + 8
	commitFixed      = headerSize + ringSize + 8 + 2 + 2
	commitEntry      = 4 + ringSize + 8 + 8

	// McastOverhead is what a Mcast packet has before its payload.
	McastOverhead = headerSize + ringSize + 8 + 4
)

// The faults of a packet.
var (
	ErrShort   = errors.New("wire: packet too short")
	ErrLength  = errors.New("wire: packet length does not fit its contents")
	ErrVersion = errors.New("wire: protocol version not known")
	ErrType    = errors.New("wire: packet type not known")
	ErrFlags   = errors.New("wire: packet flags not known")
	ErrBound   = errors.New("wire: count beyond its bound")
	ErrNodes   = errors.New("wire: node list not strictly ascending")
	ErrValue   = errors.New("wire: field out of range")
)

// Type tells what a packet is.
type Type uint8

// The packet types.
const (
	TypeToken       Type = 1
	TypeMcast       Type = 2
	TypeMergeDetect Type = 3
	TypeJoin        Type = 4
	TypeCommit      Type = 5
	TypeHoldCancel  Type = 6
)

var typeNames = [...]string{
	TypeToken: "token", TypeMcast: "mcast", TypeMergeDetect: "merge_detect",
	TypeJoin: "join", TypeCommit: "commit_token", TypeHoldCancel: "hold_cancel",
}

// String gives the name of a packet type.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("type_%d", uint8(t))
	}
	return typeNames[t]
}

// Flags of the header; which may be set depends on the type.
const (
	flagRetransmit = 1 << 0 // token: somebody still has old messages to send
	flagRecovery   = 1 << 1 // mcast: payload is a whole packet of an old ring
	flagLeave      = 1 << 2 // join: the sender leaves
	flagAsk        = 1 << 3 // merge detect: tell me of yourself
)

var le = binary.LittleEndian

func putHeader(b []byte, t Type, flags uint16) []byte {
	b = append(b, Version, byte(t))
	return le.AppendUint16(b, flags)
}

func putRing(b []byte, r messaging.RingID) []byte {
	b = le.AppendUint32(b, uint32(r.Rep))
	return le.AppendUint64(b, r.Seq)
}

func getRing(b []byte) messaging.RingID {
	return messaging.RingID{Rep: messaging.NodeID(le.Uint32(b)), Seq: le.Uint64(b[4:])}
}

// TypeOf gives the type of a packet whose version and type are known.
func TypeOf(b []byte) (Type, error) {
	if len(b) < headerSize {
		return 0, ErrShort
	}
	if len(b) > MaxPacket {
		return 0, ErrLength
	}
	if b[0] != Version {
		return 0, ErrVersion
	}
	t := Type(b[1])
	if t == 0 || int(t) >= len(typeNames) {
		return 0, ErrType
	}
	return t, nil
}

// open checks the header for a decoder of type t and gives the flags.
func open(b []byte, t Type, fixed int, allowed uint16) (uint16, error) {
	got, err := TypeOf(b)
	if err != nil {
		return 0, err
	}
	if got != t {
		return 0, ErrType
	}
	flags := le.Uint16(b[2:])
	if flags&^allowed != 0 {
		return 0, ErrFlags
	}
	if len(b) < fixed {
		return 0, ErrShort
	}
	return flags, nil
}

// putNodes writes a list as its length and the gaps between its ids, each as a
// varint: ids that follow each other take a byte.
func putNodes(b []byte, nodes []messaging.NodeID) []byte {
	b = binary.AppendUvarint(b, uint64(len(nodes)))
	last := messaging.NodeID(0)
	for _, n := range nodes {
		b = binary.AppendUvarint(b, uint64(n-last))
		last = n
	}
	return b
}

func nodesSize(nodes []messaging.NodeID) int {
	size, last := varintSize(uint64(len(nodes))), messaging.NodeID(0)
	for _, n := range nodes {
		size += varintSize(uint64(n - last))
		last = n
	}
	return size
}

func varintSize(v uint64) int { return max((bits.Len64(v)+6)/7, 1) }

// getLists reads lists that fill b.
func getLists(b []byte, lists ...*[]messaging.NodeID) (err error) {
	for _, l := range lists {
		if *l, b, err = getNodes(b); err != nil {
			return err
		}
	}
	if len(b) > 0 {
		return ErrLength
	}
	return nil
}

// getNodes reads a list of ids, strictly ascending and none of them 0.
func getNodes(b []byte) ([]messaging.NodeID, []byte, error) {
	n, b, err := getVarint(b)
	switch {
	case err != nil:
		return nil, nil, err
	case n > MaxNodes:
		return nil, nil, ErrBound
	case n > uint64(len(b)):
		return nil, nil, ErrShort
	case n == 0:
		return nil, b, nil
	}
	nodes := make([]messaging.NodeID, n)
	last := uint64(0)
	for i := range nodes {
		var gap uint64
		if gap, b, err = getVarint(b); err != nil {
			return nil, nil, err
		}
		last += min(gap, math.MaxUint32+1)
		if gap == 0 || last > math.MaxUint32 {
			return nil, nil, ErrNodes
		}
		nodes[i] = messaging.NodeID(last)
	}
	return nodes, b, nil
}

// getVarint reads a varint that has no shorter form.
func getVarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, ErrShort
	case n < 0 || n != varintSize(v):
		return 0, nil, ErrValue
	}
	return v, b[n:], nil
}
