// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"math"

	"github.com/quorate/quorate/messaging"
)

// A MergeDetect tells other rings that this one exists.
type MergeDetect struct {
	Ring    messaging.RingID
	Members []messaging.NodeID // of the ring, strictly ascending
	Deaf    []messaging.NodeID // whom the sender does not hear, strictly ascending
	Refused []messaging.NodeID // for whom there is no place on the ring, strictly ascending
	Ask     bool               // the receiver is to answer with its own
}

// Append adds the packet to b.
func (m *MergeDetect) Append(b []byte) []byte {
	var flags uint16
	if m.Ask {
		flags |= flagAsk
	}
	b = putRing(putHeader(b, TypeMergeDetect, flags), m.Ring)
	return putNodes(putNodes(putNodes(b, m.Members), m.Deaf), m.Refused)
}

// Size gives the length of the packet.
func (m *MergeDetect) Size() int {
	return mergeDetectFixed + nodesSize(m.Members) + nodesSize(m.Deaf) + nodesSize(m.Refused)
}

// DecodeMergeDetect reads a MergeDetect packet.
func DecodeMergeDetect(b []byte) (MergeDetect, error) {
	flags, err := open(b, TypeMergeDetect, mergeDetectFixed, flagAsk)
	if err != nil {
		return MergeDetect{}, err
	}
	m := MergeDetect{Ring: getRing(b[4:]), Ask: flags&flagAsk != 0}
	if err := getLists(b[mergeDetectFixed:], &m.Members, &m.Deaf, &m.Refused); err != nil {
		return MergeDetect{}, err
	}
	return m, nil
}

// A Join is one node's proposal for the next membership. Its lists are kept
// short, so that it fits one frame whatever the number of nodes.
type Join struct {
	RingSeq uint64             // sequence of the sender's newest ring
	Proc    []messaging.NodeID // candidates, strictly ascending
	Failed  []messaging.NodeID // those of no use, strictly ascending
	Deaf    []messaging.NodeID // whom the sender does not hear, strictly ascending
	Leave   bool               // the sender departs, it stands in Failed
}

// Append adds the packet to b.
func (j *Join) Append(b []byte) []byte {
	var flags uint16
	if j.Leave {
		flags |= flagLeave
	}
	b = putHeader(b, TypeJoin, flags)
	b = le.AppendUint64(b, j.RingSeq)
	return putNodes(putNodes(putNodes(b, j.Proc), j.Failed), j.Deaf)
}

// Size gives the length of the packet.
func (j *Join) Size() int {
	return joinFixed + nodesSize(j.Proc) + nodesSize(j.Failed) + nodesSize(j.Deaf)
}

// DecodeJoin reads a Join packet.
func DecodeJoin(b []byte) (Join, error) {
	flags, err := open(b, TypeJoin, joinFixed, flagLeave)
	if err != nil {
		return Join{}, err
	}
	j := Join{RingSeq: le.Uint64(b[4:]), Leave: flags&flagLeave != 0}
	if err := getLists(b[joinFixed:], &j.Proc, &j.Failed, &j.Deaf); err != nil {
		return Join{}, err
	}
	if j.RingSeq > MaxRingSeq {
		return Join{}, ErrValue
	}
	return j, nil
}

// MaxRingSeq and MaxSeq bound sequence numbers of rings, and of messages and
// tokens, so that adding to one never wraps.
const (
	MaxRingSeq = math.MaxUint64 >> 1
	MaxSeq     = math.MaxUint64 >> 1
)

// A CommitMember is what one member of the coming ring writes into the commit
// token about its old ring.
type CommitMember struct {
	Node    messaging.NodeID
	OldRing messaging.RingID
	Aru     uint64 // it has every message of the old ring up to here
	High    uint64 // the highest message of the old ring that it has
}

// A Commit is the commit token. It circles twice: members fill their entries
// in, then everybody learns the whole.
type Commit struct {
	Ring     messaging.RingID
	TokenSeq uint64 // grows by one at each hop
	Filled   int    // entries that are filled in
	Members  []CommitMember
}

// Append adds the packet to b.
func (c *Commit) Append(b []byte) []byte {
	b = putHeader(b, TypeCommit, 0)
	b = putRing(b, c.Ring)
	b = le.AppendUint64(b, c.TokenSeq)
	b = le.AppendUint16(b, uint16(c.Filled))
	b = le.AppendUint16(b, uint16(len(c.Members)))
	for i := range c.Members {
		m := &c.Members[i]
		b = le.AppendUint32(b, uint32(m.Node))
		b = putRing(b, m.OldRing)
		b = le.AppendUint64(b, m.Aru)
		b = le.AppendUint64(b, m.High)
	}
	return b
}

// Size gives the length of the packet.
func (c *Commit) Size() int { return commitFixed + commitEntry*len(c.Members) }

// DecodeCommit reads a commit token: at least one member, strictly ascending,
// the first of them the ring's representative.
func DecodeCommit(b []byte) (*Commit, error) {
	if _, err := open(b, TypeCommit, commitFixed, 0); err != nil {
		return nil, err
	}
	filled, n := int(le.Uint16(b[24:])), int(le.Uint16(b[26:]))
	if n == 0 || n > MaxNodes || filled > n {
		return nil, ErrBound
	}
	if len(b) != commitFixed+commitEntry*n {
		return nil, ErrLength
	}
	c := &Commit{
		Ring: getRing(b[4:]), TokenSeq: le.Uint64(b[16:]), Filled: filled,
		Members: make([]CommitMember, n),
	}
	last := messaging.NodeID(0)
	for i := range c.Members {
		e := b[commitFixed+commitEntry*i:]
		m := CommitMember{
			Node: messaging.NodeID(le.Uint32(e)), OldRing: getRing(e[4:]),
			Aru: le.Uint64(e[16:]), High: le.Uint64(e[24:]),
		}
		if m.Node <= last {
			return nil, ErrNodes
		}
		if m.Aru > m.High || m.High > MaxSeq {
			return nil, ErrValue
		}
		c.Members[i], last = m, m.Node
	}
	if c.Ring.Rep != c.Members[0].Node || c.Ring.Seq > MaxRingSeq || c.TokenSeq > MaxSeq {
		return nil, ErrValue
	}
	return c, nil
}
