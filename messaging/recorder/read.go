// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package recorder

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// The faults of a file.
var (
	ErrNoRecording = errors.New("recorder: not a recording of this program")
	ErrCutOff      = errors.New("recorder: the file is cut off or was changed")
	ErrTooBig      = errors.New("recorder: the file is larger than any recording")
	ErrBroken      = errors.New("recorder: the checksum is right but the contents make no sense")
)

// A Recording is a file that was read.
type Recording struct {
	Header   Header
	Segments []Segment
	// Final is the core's state at the dump.
	Final []byte
}

// A Segment is the core's state at a time and the events since.
type Segment struct {
	At      time.Duration
	State   []byte
	Records []Record
}

// A Record is one event. Sum is the checksum of what the core answered.
type Record struct {
	At    time.Duration
	Event []byte
	Sum   uint32
}

// Read reads a file.
func Read(from io.Reader) (*Recording, error) {
	b, err := io.ReadAll(io.LimitReader(from, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("recorder: read: %w", err)
	}
	return Parse(b)
}

// Parse reads the bytes of a file. The recording refers to b.
func Parse(b []byte) (*Recording, error) {
	switch {
	case len(b) > MaxFile:
		return nil, ErrTooBig
	case len(b) < len(magic) || !bytes.Equal(b[:len(magic)], magic):
		return nil, ErrNoRecording
	case len(b) < len(magic)+4 || crc32.Checksum(b[:len(b)-4], table) != binary.LittleEndian.Uint32(b[len(b)-4:]):
		return nil, ErrCutOff
	}
	p := parser{b: b[len(magic) : len(b)-4]}
	rec := p.recording()
	if p.bad || len(p.b) > 0 {
		return nil, ErrBroken
	}
	return rec, nil
}

// A parser takes values from the front of b and remembers a fault.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *parser) bytes() []byte { return p.take(p.uvarint()) }

// maxSegments bounds the segments of a file; a recorder has two.
const maxSegments = 16

func (p *parser) recording() *Recording {
	r := &Recording{}
	r.Header.Core = string(p.bytes())
	r.Header.Node = uint32(p.uvarint())
	r.Header.Program = string(p.bytes())
	r.Header.Wall = time.Unix(0, p.varint())
	r.Header.Why = string(p.bytes())
	n := p.uvarint()
	if n > maxSegments {
		p.bad = true
		return r
	}
	for range n {
		r.Segments = append(r.Segments, p.segment())
	}
	r.Final = p.bytes()
	return r
}

// minRecord is the least that a record takes.
const minRecord = 1 + 4 + 4

func (p *parser) segment() Segment {
	s := Segment{At: time.Duration(p.varint())}
	s.State = p.bytes()
	count := p.uvarint()
	inner := parser{b: p.bytes()}
	if count > uint64(len(inner.b))/minRecord {
		p.bad = true
		return s
	}
	s.Records = make([]Record, 0, count)
	at := s.At
	for range count {
		at += time.Duration(inner.varint())
		rec := Record{At: at}
		if head := inner.take(8); head != nil {
			rec.Sum = binary.LittleEndian.Uint32(head)
			rec.Event = inner.take(uint64(binary.LittleEndian.Uint32(head[4:])))
		}
		s.Records = append(s.Records, rec)
	}
	p.bad = p.bad || inner.bad || len(inner.b) > 0
	return s
}
