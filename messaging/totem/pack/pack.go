// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pack

import (
	"encoding/binary"
	"errors"
	"strings"
	"unsafe"
)

const (
	flagFirst = 1 << 31
	flagLast  = 1 << 30
	lenMask   = flagLast - 1

	wordSize = 4
	cutSize  = wordSize + 8 // word, total, offset

	// CutExtra is what a payload may take beyond [Queue.Bytes].
	CutExtra = cutSize - wordSize

	// MinCapacity is the smallest payload capacity that makes progress.
	MinCapacity = 64
)

// ErrPayload is a payload whose chunks do not add up.
var ErrPayload = errors.New("pack: malformed payload")

var le = binary.LittleEndian

// A Queue holds the messages that wait to be sent, in order. The zero Queue is
// empty and ready.
type Queue struct {
	msgs   [][]byte
	head   int // index in msgs of the first waiting message
	offset int // bytes of that one already packed
	bytes  int // bytes waiting, with one word for each message
}

// Push appends a message. The queue owns it from here on.
func (q *Queue) Push(msg []byte) {
	if q.head > 64 && q.head*2 > len(q.msgs) {
		n := copy(q.msgs, q.msgs[q.head:])
		clear(q.msgs[n:])
		q.msgs, q.head = q.msgs[:n], 0
	}
	q.msgs = append(q.msgs, msg)
	q.bytes += len(msg) + wordSize
}

// Len gives the number of messages that wait, a partly packed one included.
func (q *Queue) Len() int { return len(q.msgs) - q.head }

// Bytes gives what the waiting messages take in payloads, about.
func (q *Queue) Bytes() int { return q.bytes }

// Restart makes a partly packed message start from its beginning again.
func (q *Queue) Restart() {
	q.bytes += q.offset
	q.offset = 0
}

// Contents gives the waiting messages and how much of the first is packed
// already. The slice is the queue's own.
func (q *Queue) Contents() (msgs [][]byte, offset int) { return q.msgs[q.head:], q.offset }

// Refill makes the queue hold what Contents gave; false if that cannot be.
func (q *Queue) Refill(msgs [][]byte, offset int) bool {
	*q = Queue{}
	if offset < 0 || offset > 0 && (len(msgs) == 0 || offset >= len(msgs[0])) {
		return false
	}
	for _, m := range msgs {
		q.Push(m)
	}
	q.offset = offset
	q.bytes -= offset
	return true
}

// Clear drops all messages.
func (q *Queue) Clear() { *q = Queue{} }

// Next appends one payload of at most capacity bytes to b and takes what it
// packed off the queue. With an empty queue it appends nothing.
func (q *Queue) Next(b []byte, capacity int) []byte {
	room := capacity
	for q.head < len(q.msgs) {
		msg := q.msgs[q.head]
		if q.offset == 0 && wordSize+len(msg) <= room {
			b = le.AppendUint32(b, flagFirst|flagLast|uint32(len(msg)))
			b = append(b, msg...)
			room -= wordSize + len(msg)
			q.pop(len(msg))
			continue
		}
		// Cut only where the rest of the packet is worth a chunk; the tail of
		// a message always goes, so that its receiver need not wait.
		if q.offset == 0 && room < capacity && room < MinCapacity {
			break
		}
		if room <= cutSize {
			break
		}
		n := min(room-cutSize, len(msg)-q.offset)
		word := uint32(n)
		if q.offset == 0 {
			word |= flagFirst
		}
		if q.offset+n == len(msg) {
			word |= flagLast
		}
		b = le.AppendUint32(b, word)
		b = le.AppendUint32(b, uint32(len(msg)))
		b = le.AppendUint32(b, uint32(q.offset))
		b = append(b, msg[q.offset:q.offset+n]...)
		room -= cutSize + n
		q.offset += n
		if q.offset < len(msg) {
			q.bytes -= n
			break
		}
		q.offset -= n
		q.pop(n)
	}
	return b
}

// pop takes the head off; rest is what of it was still counted.
func (q *Queue) pop(rest int) {
	q.msgs[q.head] = nil
	q.head++
	q.offset = 0
	q.bytes -= rest + wordSize
	if q.head == len(q.msgs) {
		q.msgs, q.head = q.msgs[:0], 0
	}
}

// maxAhead bounds the room that is made for a message before it has arrived.
const maxAhead = 1 << 20

// An Assembly joins the chunks of one origin. The zero Assembly is empty. It must
// not be copied.
type Assembly struct {
	buf   strings.Builder // gives memory that is not cleared first
	total int
	open  bool
}

// Reset drops a message that is not complete.
func (a *Assembly) Reset() {
	if a.open {
		a.buf.Reset()
		a.total, a.open = 0, false
	}
}

// Open tells whether a message is partly there.
func (a *Assembly) Open() bool { return a.open }

// Contents gives what is there of a message that is not complete. The slice is
// the assembly's own.
func (a *Assembly) Contents() (buf []byte, total int, open bool) {
	return a.bytes(), a.total, a.open
}

// Refill makes the assembly hold what Contents gave.
func (a *Assembly) Refill(buf []byte, total int, open bool) {
	a.buf.Reset()
	a.buf.Write(buf)
	a.total, a.open = total, open
}

// bytes gives the buffer itself, nil if it is empty.
func (a *Assembly) bytes() []byte {
	s := a.buf.String()
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // the string is not handed out
}

// A Reader goes through the chunks of one payload.
type Reader struct {
	rest []byte
	max  int
}

// NewReader reads payload; no message may be larger than limit.
func NewReader(payload []byte, limit int) Reader { return Reader{rest: payload, max: limit} }

// Next gives the next complete message, joining chunks in a. It lies in the
// payload or is a slice that nobody else has. ok is false at the end; an error
// ends the payload.
func (r *Reader) Next(a *Assembly) (msg []byte, ok bool, err error) {
	for len(r.rest) > 0 {
		if len(r.rest) < wordSize {
			return nil, false, ErrPayload
		}
		word := le.Uint32(r.rest)
		n := int(word & lenMask)
		if word&(flagFirst|flagLast) == flagFirst|flagLast {
			if n > len(r.rest)-wordSize || n > r.max {
				return nil, false, ErrPayload
			}
			msg = r.rest[wordSize : wordSize+n : wordSize+n]
			r.rest = r.rest[wordSize+n:]
			a.Reset()
			return msg, true, nil
		}
		if len(r.rest) < cutSize || n > len(r.rest)-cutSize {
			return nil, false, ErrPayload
		}
		total, offset := uint64(le.Uint32(r.rest[4:])), uint64(le.Uint32(r.rest[8:]))
		data := r.rest[cutSize : cutSize+n]
		r.rest = r.rest[cutSize+n:]
		if total > uint64(r.max) || offset+uint64(n) > total ||
			(word&flagFirst != 0) != (offset == 0) || (word&flagLast != 0) != (offset+uint64(n) == total) {
			return nil, false, ErrPayload
		}
		if msg := a.add(data, int(total), int(offset)); msg != nil {
			return msg, true, nil
		}
	}
	return nil, false, nil
}

// add takes one chunk of a cut message and gives the message when complete.
func (a *Assembly) add(data []byte, total, offset int) []byte {
	if offset == 0 {
		a.Reset()
		a.buf.Grow(min(total, maxAhead))
		a.total, a.open = total, true
	}
	if !a.open || a.total != total || a.buf.Len() != offset {
		a.Reset() // its beginning was not seen: drop it whole
		return nil
	}
	a.buf.Write(data) // beyond maxAhead it grows with what arrived
	if a.buf.Len() < total {
		return nil
	}
	msg := a.bytes()
	a.Reset()
	return msg
}
