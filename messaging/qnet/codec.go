// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes in bytes.
const (
	// MaxMessage bounds a message after its header.
	MaxMessage = 1 << 15
	// HeaderSize is that of a message's header.
	HeaderSize = 6
	optionHead = 4
)

// Errors of received bytes.
var (
	// ErrTooLong: the header announces more than [MaxMessage].
	ErrTooLong = errors.New("qnet: message too long")
	// ErrMalformed: an option has a wrong length or a value that cannot be.
	ErrMalformed = errors.New("qnet: malformed message")
)

// The options.
const (
	optSeq uint16 = iota
	optCluster
	optTLS
	optCertRequired
	optMessages
	optOptions
	optError
	optMaxRequest
	optMaxReply
	optNodeID
	optAlgorithms
	optAlgorithm
	optHeartbeat
	optRing
	optConfVersion
	optDataCentre
	optNodeState
	optNodeInfo
	optListType
	optVote
	optQuorate
	optTieBreaker
	optHeuristics
	optKeepActive
	endOfOptions
)

// OptionHeuristics and OptionKeepActive are options that a server may not know.
const (
	OptionHeuristics = optHeuristics
	OptionKeepActive = optKeepActive
)

// An Opt is a value that a message may lack.
type Opt[T any] struct {
	Set   bool
	Value T
}

// Some makes a value that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{true, v} }

// A Message is one message with its options. Numbers whose zero means nothing
// are absent at zero.
type Message struct {
	Type         Type
	Seq          Opt[uint32]
	Cluster      string
	TLS          Opt[TLS]
	CertRequired Opt[bool]
	Messages     []uint16
	Options      []uint16
	Algorithms   []uint16
	Error        Opt[ErrorCode]
	MaxRequest   uint32
	MaxReply     uint32
	NodeID       uint32
	Algorithm    Opt[Algorithm]
	HeartbeatMs  uint32
	Ring         Opt[RingID]
	ConfVersion  Opt[uint64]
	Nodes        []Node
	ListType     Opt[ListType]
	Vote         Vote
	Quorate      Opt[bool]
	TieBreaker   TieBreaker
	Heuristics   Heuristics
	KeepActive   Opt[bool]
}

// All lists the numbers 0 to n-1: what a side supports.
func all(n uint16) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}

// SupportedMessages lists the messages of this package.
func SupportedMessages() []uint16 { return all(uint16(endOfTypes)) }

// SupportedOptions lists the options of this package.
func SupportedOptions() []uint16 { return all(endOfOptions) }

// Encode gives the message with its header.
func (m *Message) Encode() ([]byte, error) {
	e := encoder{b: make([]byte, HeaderSize, 128)}
	optional(&e, optSeq, m.Seq, e.u32)
	if m.Cluster != "" {
		e.bytes(optCluster, []byte(m.Cluster))
	}
	optional(&e, optTLS, m.TLS, func(o uint16, v TLS) { e.u8(o, uint8(v)) })
	optional(&e, optCertRequired, m.CertRequired, e.flag)
	e.list(optMessages, m.Messages)
	e.list(optOptions, m.Options)
	optional(&e, optError, m.Error, func(o uint16, v ErrorCode) { e.u16(o, uint16(v)) })
	e.nonzero(optMaxRequest, m.MaxRequest)
	e.nonzero(optMaxReply, m.MaxReply)
	e.nonzero(optNodeID, m.NodeID)
	e.list(optAlgorithms, m.Algorithms)
	optional(&e, optAlgorithm, m.Algorithm, func(o uint16, v Algorithm) { e.u16(o, uint16(v)) })
	e.nonzero(optHeartbeat, m.HeartbeatMs)
	optional(&e, optListType, m.ListType, func(o uint16, v ListType) { e.u8(o, uint8(v)) })
	optional(&e, optRing, m.Ring, func(o uint16, v RingID) {
		e.bytes(o, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, v.Node), v.Seq))
	})
	optional(&e, optConfVersion, m.ConfVersion, func(o uint16, v uint64) { e.bytes(o, binary.BigEndian.AppendUint64(nil, v)) })
	if m.Vote != 0 {
		e.u8(optVote, uint8(m.Vote))
	}
	optional(&e, optQuorate, m.Quorate, e.flag)
	if m.TieBreaker.Mode != 0 {
		e.bytes(optTieBreaker, binary.BigEndian.AppendUint32([]byte{byte(m.TieBreaker.Mode)}, m.TieBreaker.Node))
	}
	for _, n := range m.Nodes {
		e.node(n)
	}
	if m.Heuristics != 0 {
		e.u8(optHeuristics, uint8(m.Heuristics))
	}
	optional(&e, optKeepActive, m.KeepActive, e.flag)
	size := len(e.b) - HeaderSize
	if size > MaxMessage || e.tooLong {
		return nil, fmt.Errorf("%w: %s of %d bytes", ErrTooLong, m.Type, size)
	}
	binary.BigEndian.PutUint16(e.b, uint16(m.Type))
	binary.BigEndian.PutUint32(e.b[2:], uint32(size))
	return e.b, nil
}

type encoder struct {
	b       []byte
	tooLong bool
}

func optional[T any](_ *encoder, opt uint16, v Opt[T], put func(uint16, T)) {
	if v.Set {
		put(opt, v.Value)
	}
}

func (e *encoder) bytes(opt uint16, v []byte) {
	if len(v) > 1<<16-1 {
		e.tooLong = true
		return
	}
	e.b = binary.BigEndian.AppendUint16(e.b, opt)
	e.b = binary.BigEndian.AppendUint16(e.b, uint16(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) u8(opt uint16, v uint8)   { e.bytes(opt, []byte{v}) }
func (e *encoder) u16(opt, v uint16)        { e.bytes(opt, binary.BigEndian.AppendUint16(nil, v)) }
func (e *encoder) u32(opt uint16, v uint32) { e.bytes(opt, binary.BigEndian.AppendUint32(nil, v)) }

func (e *encoder) nonzero(opt uint16, v uint32) {
	if v != 0 {
		e.u32(opt, v)
	}
}

func (e *encoder) flag(opt uint16, on bool) {
	if on {
		e.u8(opt, 1)
	} else {
		e.u8(opt, 0)
	}
}

func (e *encoder) list(opt uint16, v []uint16) {
	if len(v) == 0 {
		return
	}
	b := make([]byte, 0, 2*len(v))
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	e.bytes(opt, b)
}

func (e *encoder) node(n Node) {
	var sub encoder
	sub.u32(optNodeID, n.ID)
	sub.nonzero(optDataCentre, n.DataCentre)
	if n.State != 0 {
		sub.u8(optNodeState, uint8(n.State))
	}
	e.bytes(optNodeInfo, sub.b)
}

// Read takes one message off a stream, and not a byte more: TLS may begin right
// after it. A message that is whole but cannot be decoded comes with
// [ErrMalformed] and what could be read of it; the stream is still good then.
func Read(r io.Reader) (*Message, error) {
	var head [HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[2:])
	if size > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return Decode(Type(binary.BigEndian.Uint16(head[:])), body)
}

// Decode reads the options of a message. It never gives nil.
func Decode(t Type, body []byte) (*Message, error) {
	m := &Message{Type: t}
	return m, options(body, m.take)
}

// options hands over one option after the other.
func options(b []byte, take func(opt uint16, v []byte) bool) error {
	for len(b) > 0 {
		if len(b) < optionHead {
			return fmt.Errorf("%w: %d bytes after the last option", ErrMalformed, len(b))
		}
		opt, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		b = b[optionHead:]
		if size > len(b) {
			return fmt.Errorf("%w: option %d has %d bytes of %d", ErrMalformed, opt, len(b), size)
		}
		if !take(opt, b[:size]) {
			return fmt.Errorf("%w: value of option %d", ErrMalformed, opt)
		}
		b = b[size:]
	}
	return nil
}

// take stores one option; ok is false where its value cannot be.
func (m *Message) take(opt uint16, v []byte) (ok bool) {
	switch opt {
	case optSeq:
		return num32(v, &m.Seq.Value, &m.Seq.Set)
	case optCluster:
		m.Cluster = string(v)
		return true
	case optTLS:
		return enum(v, &m.TLS.Value, &m.TLS.Set, 0, 2)
	case optCertRequired:
		return boolean(v, &m.CertRequired)
	case optMessages:
		return list(v, &m.Messages)
	case optOptions:
		return list(v, &m.Options)
	case optAlgorithms:
		return list(v, &m.Algorithms)
	case optError:
		return num16(v, &m.Error.Value, &m.Error.Set)
	case optMaxRequest:
		return num32(v, &m.MaxRequest, nil)
	case optMaxReply:
		return num32(v, &m.MaxReply, nil)
	case optNodeID:
		return num32(v, &m.NodeID, nil)
	case optAlgorithm:
		return num16(v, &m.Algorithm.Value, &m.Algorithm.Set)
	case optHeartbeat:
		return num32(v, &m.HeartbeatMs, nil)
	}
	return m.takeState(opt, v)
}

// takeState stores an option of lists and votes.
func (m *Message) takeState(opt uint16, v []byte) (ok bool) {
	switch opt {
	case optRing:
		if len(v) != 12 {
			return false
		}
		m.Ring = Some(RingID{binary.BigEndian.Uint32(v), binary.BigEndian.Uint64(v[4:])})
	case optConfVersion:
		if len(v) != 8 {
			return false
		}
		m.ConfVersion = Some(binary.BigEndian.Uint64(v))
	case optNodeInfo:
		n, ok := nodeInfo(v)
		m.Nodes = append(m.Nodes, n)
		return ok
	case optListType:
		return enum(v, &m.ListType.Value, &m.ListType.Set, 0, 3)
	case optVote:
		return enum(v, &m.Vote, nil, 1, 5)
	case optQuorate:
		return boolean(v, &m.Quorate)
	case optTieBreaker:
		if len(v) != 5 || v[0] < 1 || v[0] > 3 {
			return false
		}
		m.TieBreaker = TieBreaker{Mode: TieMode(v[0])}
		if m.TieBreaker.Mode == ByID {
			m.TieBreaker.Node = binary.BigEndian.Uint32(v[1:])
		}
	case optHeuristics:
		return enum(v, &m.Heuristics, nil, 1, 2)
	case optKeepActive:
		return boolean(v, &m.KeepActive)
	}
	return true
}

func nodeInfo(b []byte) (n Node, ok bool) {
	err := options(b, func(opt uint16, v []byte) bool {
		switch opt {
		case optNodeID:
			return num32(v, &n.ID, nil)
		case optDataCentre:
			return num32(v, &n.DataCentre, nil)
		case optNodeState:
			return enum(v, &n.State, nil, 1, 3)
		}
		return true
	})
	return n, err == nil && n.ID != 0
}

func num32(v []byte, to *uint32, set *bool) bool {
	if len(v) != 4 {
		return false
	}
	*to = binary.BigEndian.Uint32(v)
	if set != nil {
		*set = true
	}
	return true
}

func num16[T ~uint16](v []byte, to *T, set *bool) bool {
	if len(v) != 2 {
		return false
	}
	*to, *set = T(binary.BigEndian.Uint16(v)), true
	return true
}

func enum[T ~uint8](v []byte, to *T, set *bool, least, most uint8) bool {
	if len(v) != 1 || v[0] < least || v[0] > most {
		return false
	}
	*to = T(v[0])
	if set != nil {
		*set = true
	}
	return true
}

func boolean(v []byte, to *Opt[bool]) bool {
	if len(v) != 1 || v[0] > 1 {
		return false
	}
	*to = Some(v[0] == 1)
	return true
}

func list(v []byte, to *[]uint16) bool {
	if len(v)%2 != 0 {
		return false
	}
	out := make([]uint16, 0, len(v)/2)
	for i := 0; i < len(v); i += 2 {
		out = append(out, binary.BigEndian.Uint16(v[i:]))
	}
	*to = out
	return true
}
