// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

// A tail keeps the last bytes written to it. It grows only as far as needed.
type tail struct {
	keep int
	buf  []byte // a ring once it is full
	next int    // where the next byte goes once it is full
}

func (t *tail) write(p []byte) {
	if len(p) >= t.keep {
		t.buf = append(t.buf[:0], p[len(p)-t.keep:]...)
		t.next = 0
		return
	}
	if room := t.keep - len(t.buf); room > 0 {
		n := min(room, len(p))
		t.buf = append(t.buf, p[:n]...)
		p = p[n:]
	}
	for len(p) > 0 {
		n := copy(t.buf[t.next:], p)
		t.next = (t.next + n) % t.keep
		p = p[n:]
	}
}

func (t *tail) bytes() []byte {
	if t.next == 0 {
		return t.buf
	}
	return append(append(make([]byte, 0, len(t.buf)), t.buf[t.next:]...), t.buf[:t.next]...)
}
