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
	bodies  []kept
	size    int // bytes of records and bodies
	count   uint64
}

// A kept body is not copied: it belongs between the records before it and those
// behind.
type kept struct {
	at   int // in records
	body []byte
}

// leastKept is the size from which a body is kept rather than copied.
const leastKept = 256

// New makes a recorder whose segments are full at size bytes, at least
// MinSegment; 0 is DefaultSegment.
func New(size int) *Recorder {
	if size == 0 {
		size = DefaultSegment
	}
	return &Recorder{size: max(size, MinSegment)}
}

// stateShare is how many times as large as its state a segment gets at least,
// so that a core with much in its queues is not copied all the time; but no more
// than twice its size, or a burst of large messages would be kept for hours.
const (
	stateShare = 4
	maxGrowth  = 2
)

// Due tells whether the core's state is wanted, by Begin, before the next event.
func (r *Recorder) Due() bool {
	return r != nil && (!r.began || r.new.size >= min(max(r.size, stateShare*len(r.new.state)), maxGrowth*r.size))
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
	s.records, s.size = r.reuse(s.records), 0
	clear(s.bodies)
	s.bodies = s.bodies[:0]
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

// Event records an event that the core has answered. Its form is what appendEvent
// adds to a slice and the body that it returns, which follows; the body is kept
// and must not change any more.
func (r *Recorder) Event(now time.Duration, appendEvent func([]byte) (head, body []byte), sum uint32) {
	if r == nil || !r.began {
		return
	}
	s := &r.new
	before := len(s.records)
	// The clock may go back a little between events: a signed difference.
	b := binary.AppendVarint(s.records, int64(now-s.last))
	b = binary.LittleEndian.AppendUint32(b, sum)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b, body := appendEvent(b)
	if len(body) < leastKept {
		b, body = append(b, body...), nil
	}
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4+len(body)))
	if body != nil {
		s.bodies = append(s.bodies, kept{at: len(b), body: body})
	}
	s.records, s.last = b, now
	s.size += len(b) - before + len(body)
	s.count++
}

// appendRecords adds a segment's records with their bodies to b.
func (s *segment) appendRecords(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.size))
	from := 0
	for _, k := range s.bodies {
		b = append(append(b, s.records[from:k.at]...), k.body...)
		from = k.at
	}
	return append(b, s.records[from:]...)
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
		size += len(s.state) + s.size + 64
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
		b = s.appendRecords(b)
	}
	b = appendBytes(b, final)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, table))
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}
