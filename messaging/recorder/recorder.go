// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package recorder

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Bounds of a recorder.
const (
	// DefaultSegment is the size at which a segment is full, in bytes of events.
	DefaultSegment = 4 << 20
	// MinSegment is the least size of a segment.
	MinSegment = 4 << 10
	// MaxFile bounds a file that is read.
	MaxFile = 256 << 20
)

// A Header tells what was recorded.
type Header struct {
	Core    string // the kind of core, "ring"
	Node    uint32
	Program string    // that recorded; another build may replay differently
	Wall    time.Time // of the dump
	Why     string    // what the dump was made for
}

// A Recorder keeps the newest events of one core. It is not safe for concurrent
// use: it belongs to the goroutine that owns the core. A nil Recorder records
// nothing.
type Recorder struct {
	size     int
	old, new segment
	began    bool
}

// A segment in memory: the encoded records behind the state.
type segment struct {
	at      time.Duration // of the state, and of the first record's difference
	last    time.Duration
	state   []byte
	records []byte
	count   uint64
}

// New makes a recorder whose segments are full at size bytes, at least
// MinSegment; 0 is DefaultSegment.
func New(size int) *Recorder {
	if size == 0 {
		size = DefaultSegment
	}
	return &Recorder{size: max(size, MinSegment)}
}

// stateShare is how many times as large as its state a segment gets at least,
// so that a core with much in its queues is not copied all the time.
const stateShare = 4

// Due tells whether the core's state is wanted, by Begin, before the next event.
func (r *Recorder) Due() bool {
	return r != nil && (!r.began || len(r.new.records) >= max(r.size, stateShare*len(r.new.state)))
}

// Begin starts a segment. appendState adds the core's state to a slice.
func (r *Recorder) Begin(now time.Duration, appendState func([]byte) []byte) {
	if r == nil {
		return
	}
	r.began = true
	r.old, r.new = r.new, r.old // the older one's memory is used again
	s := &r.new
	s.at, s.last, s.count = now, now, 0
	s.state = appendState(r.reuse(s.state))
	s.records = r.reuse(s.records)
}

// maxSlack is how many times larger than a segment a buffer may be that is kept
// for the next one: a single huge message must not stay for ever.
const maxSlack = 4

func (r *Recorder) reuse(b []byte) []byte {
	if cap(b) > maxSlack*r.size {
		return make([]byte, 0, MinSegment)
	}
	return b[:0]
}

// Event adds an event: appendEvent adds its bytes to a slice, sum is the
// checksum of what the core answered.
func (r *Recorder) Event(now time.Duration, appendEvent func([]byte) []byte, sum uint32) {
	if r == nil || !r.began {
		return
	}
	s := &r.new
	b := s.records
	// The clock may go back a little between events: a signed difference.
	b = binary.AppendVarint(b, int64(now-s.last))
	b = binary.LittleEndian.AppendUint32(b, sum)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = appendEvent(b)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	s.records, s.last = b, now
	s.count++
}

// Span gives how far back the recording goes and how many events it holds.
func (r *Recorder) Span() (from time.Duration, events uint64) {
	if r == nil || !r.began {
		return 0, 0
	}
	if r.old.state != nil {
		return r.old.at, r.old.count + r.new.count
	}
	return r.new.at, r.new.count
}

// magic begins a file, with the version of its layout.
var magic = []byte("QRREC\x001\n")

var table = crc32.MakeTable(crc32.Castagnoli)

// Dump gives the bytes of a file. final is the core's state now.
func (r *Recorder) Dump(h Header, final []byte) []byte {
	var segments []*segment
	if r != nil && r.began {
		if r.old.state != nil {
			segments = append(segments, &r.old)
		}
		segments = append(segments, &r.new)
	}
	size := len(magic) + 1024 + len(final)
	for _, s := range segments {
		size += len(s.state) + len(s.records) + 64
	}
	b := append(make([]byte, 0, size), magic...)
	b = appendBytes(b, []byte(h.Core))
	b = binary.AppendUvarint(b, uint64(h.Node))
	b = appendBytes(b, []byte(h.Program))
	b = binary.AppendVarint(b, h.Wall.UnixNano())
	b = appendBytes(b, []byte(h.Why))
	b = binary.AppendUvarint(b, uint64(len(segments)))
	for _, s := range segments {
		b = binary.AppendVarint(b, int64(s.at))
		b = appendBytes(b, s.state)
		b = binary.AppendUvarint(b, s.count)
		b = appendBytes(b, s.records)
	}
	b = appendBytes(b, final)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, table))
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}
