// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import "github.com/quorate/quorate/messaging"

// A Token is the token of the ordering protocol.
type Token struct {
	Ring     messaging.RingID
	TokenSeq uint64           // grows by one at each hop
	Seq      uint64           // the last message sent on the ring
	Aru      uint64           // every member has all messages up to here
	AruAddr  messaging.NodeID // who lowered Aru, 0 if nobody
	Backlog  uint32           // packets waiting at all members
	Fcc      uint32           // packets sent in the last rotation
	// Retransmit is set while a member has messages of its old ring to send.
	Retransmit bool
	Missing    []uint64 // messages wanted again, at most MaxRetransmit
}

// Append adds the packet to b.
func (t *Token) Append(b []byte) []byte {
	var flags uint16
	if t.Retransmit {
		flags |= flagRetransmit
	}
	b = putHeader(b, TypeToken, flags)
	b = putRing(b, t.Ring)
	b = le.AppendUint64(b, t.TokenSeq)
	b = le.AppendUint64(b, t.Seq)
	b = le.AppendUint64(b, t.Aru)
	b = le.AppendUint32(b, uint32(t.AruAddr))
	b = le.AppendUint32(b, t.Backlog)
	b = le.AppendUint32(b, t.Fcc)
	b = le.AppendUint32(b, uint32(len(t.Missing)))
	for _, s := range t.Missing {
		b = le.AppendUint64(b, s)
	}
	return b
}

// Size gives the length of the packet.
func (t *Token) Size() int { return tokenFixed + 8*len(t.Missing) }

// DecodeToken reads a token into t and reuses t.Missing.
func DecodeToken(b []byte, t *Token) error {
	flags, err := open(b, TypeToken, tokenFixed, flagRetransmit)
	if err != nil {
		return err
	}
	n := le.Uint32(b[tokenFixed-4:])
	if n > MaxRetransmit {
		return ErrBound
	}
	if len(b) != tokenFixed+8*int(n) {
		return ErrLength
	}
	missing := t.Missing[:0]
	*t = Token{
		Ring:       getRing(b[4:]),
		TokenSeq:   le.Uint64(b[16:]),
		Seq:        le.Uint64(b[24:]),
		Aru:        le.Uint64(b[32:]),
		AruAddr:    messaging.NodeID(le.Uint32(b[40:])),
		Backlog:    le.Uint32(b[44:]),
		Fcc:        le.Uint32(b[48:]),
		Retransmit: flags&flagRetransmit != 0,
	}
	for i := range int(n) {
		missing = append(missing, le.Uint64(b[tokenFixed+8*i:]))
	}
	t.Missing = missing
	if t.Aru > t.Seq || t.Seq > MaxSeq || t.TokenSeq > MaxSeq {
		return ErrValue
	}
	return nil
}

// A Mcast is one numbered packet of a ring. Retransmissions are the very
// bytes of the original, so Origin may differ from the node that sent it.
type Mcast struct {
	Ring   messaging.RingID
	Seq    uint64
	Origin messaging.NodeID
	// Recovery says that Payload is a whole Mcast packet of the origin's old
	// ring.
	Recovery bool
	Payload  []byte
}

// Append adds the packet to b.
func (m *Mcast) Append(b []byte) []byte {
	var flags uint16
	if m.Recovery {
		flags |= flagRecovery
	}
	b = putHeader(b, TypeMcast, flags)
	b = putRing(b, m.Ring)
	b = le.AppendUint64(b, m.Seq)
	b = le.AppendUint32(b, uint32(m.Origin))
	return append(b, m.Payload...)
}

// Size gives the length of the packet.
func (m *Mcast) Size() int { return McastOverhead + len(m.Payload) }

// DecodeMcast reads a Mcast packet. The payload is not copied.
func DecodeMcast(b []byte) (Mcast, error) {
	flags, err := open(b, TypeMcast, McastOverhead, flagRecovery)
	if err != nil {
		return Mcast{}, err
	}
	m := Mcast{
		Ring:     getRing(b[4:]),
		Seq:      le.Uint64(b[16:]),
		Origin:   messaging.NodeID(le.Uint32(b[24:])),
		Recovery: flags&flagRecovery != 0,
		Payload:  b[McastOverhead:],
	}
	if m.Seq == 0 || m.Seq > MaxSeq || m.Origin == 0 || m.Ring.Rep == 0 {
		return Mcast{}, ErrValue
	}
	return m, nil
}

// A HoldCancel asks the representative to stop holding the token.
type HoldCancel struct{ Ring messaging.RingID }

// Append adds the packet to b.
func (h HoldCancel) Append(b []byte) []byte { return putRing(putHeader(b, TypeHoldCancel, 0), h.Ring) }

// DecodeHoldCancel reads a HoldCancel packet.
func DecodeHoldCancel(b []byte) (HoldCancel, error) {
	if _, err := open(b, TypeHoldCancel, holdCancelSize, 0); err != nil {
		return HoldCancel{}, err
	}
	if len(b) != holdCancelSize {
		return HoldCancel{}, ErrLength
	}
	return HoldCancel{Ring: getRing(b[4:])}, nil
}
