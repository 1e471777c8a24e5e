// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Layout of the disk, in blocks.
const (
	// BlockSize is that of each block; it suits disks of 512 and of 4096 bytes.
	BlockSize = 4096
	// MaxNodes bounds the slots.
	MaxNodes    = 384
	headerBlock = 0
	leaderBlock = 1
	firstSlot   = 2
	// Blocks is how many the disk must have.
	Blocks = firstSlot + MaxNodes
)

const (
	magic    = "QUORATE-QDISK\n\x00\x01"
	sumSize  = 16
	nameSize = 255
)

// Kinds of blocks.
const (
	kindHeader = 1
	kindLeader = 2
	kindSlot   = 3
)

// Errors of what the disk holds.
var (
	// ErrForeign: the disk belongs to another cluster, or holds other data.
	ErrForeign = errors.New("disk: not a quorum disk of this cluster")
	// ErrTorn: the checksum of a block is wrong.
	ErrTorn = errors.New("disk: block damaged")
)

// A bitmap has a bit for each node, by its place in the sorted list of ids.
type bitmap [MaxNodes / 8]byte

func (b *bitmap) set(i int)     { b[i/8] |= 1 << (i % 8) }
func (b bitmap) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }

func (b bitmap) count() (n int) {
	for i := range MaxNodes {
		if b.has(i) {
			n++
		}
	}
	return n
}

// A record is what a leader block or a slot says.
type record struct {
	Kind    uint8
	Pass    bool   // heuristics
	Node    uint32 // 0 in the leader block: nobody
	Boot    uint64 // of the writer
	Seq     uint64 // of its writes
	Term    uint64 // leader block only: grows with each claim
	Lead    bool   // leader block only: the writer is the leader, not one who claims to
	List    uint64 // stands for the list of nodes
	RingRep uint32
	RingSeq uint64
	Members bitmap
	Evicted bitmap // leader block only
}

// encode gives the block of a record.
func (r *record) encode(cluster string) []byte {
	var b bytes.Buffer
	b.WriteString(magic)
	name := [nameSize]byte{}
	copy(name[:], cluster)
	b.Write(name[:])
	_ = binary.Write(&b, binary.BigEndian, r) // of fixed size: it cannot fail
	out := make([]byte, BlockSize)
	copy(out, b.Bytes())
	sum := sha256.Sum256(out[:BlockSize-sumSize])
	copy(out[BlockSize-sumSize:], sum[:sumSize])
	return out
}

// decode reads a block of a kind. A block of zeros was never written: ok is
// false then, and for one that is damaged or foreign, with an error.
func decode(b []byte, kind uint8, cluster string) (r record, ok bool, err error) {
	if len(b) != BlockSize {
		return r, false, fmt.Errorf("%w: %d bytes", ErrTorn, len(b))
	}
	if bytes.Count(b, []byte{0}) == BlockSize {
		return r, false, nil
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return r, false, fmt.Errorf("%w: it holds other data", ErrForeign)
	}
	sum := sha256.Sum256(b[:BlockSize-sumSize])
	if !bytes.Equal(sum[:sumSize], b[BlockSize-sumSize:]) {
		return r, false, ErrTorn
	}
	rest := b[len(magic):]
	name := string(bytes.TrimRight(rest[:nameSize], "\x00"))
	if name != cluster {
		return r, false, fmt.Errorf("%w: it is that of cluster %q", ErrForeign, name)
	}
	if err := binary.Read(bytes.NewReader(rest[nameSize:]), binary.BigEndian, &r); err != nil {
		return record{}, false, fmt.Errorf("%w: %w", ErrTorn, err)
	}
	if r.Kind != kind {
		return record{}, false, fmt.Errorf("%w: a block is not where it belongs", ErrTorn)
	}
	return r, true, nil
}

// CheckHeader tells whether the first block lets the cluster use the disk; blank
// asks to write [Header] first.
func CheckHeader(b []byte, cluster string) (blank bool, err error) {
	_, ok, err := decode(b, kindHeader, cluster)
	if errors.Is(err, ErrTorn) {
		return true, nil // of a write that was cut off: nothing else is on it yet
	}
	return !ok && err == nil, err
}

// Header is the first block of a cluster's disk.
func Header(cluster string) []byte { return (&record{Kind: kindHeader}).encode(cluster) }
