// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"encoding/binary"
	"errors"

	"github.com/quorate/quorate/messaging"
)

// ErrArchive is the fault of bytes that are no archived state or event.
var ErrArchive = errors.New("totem: not an archived state or event")

// An archive writes values to bytes or reads them back. One list of fields
// serves both directions, so that the two cannot differ. Reading never panics
// and allocates no more than a small multiple of what the bytes hold.
type archive struct {
	b    []byte
	load bool
	err  error
}

func (a *archive) fail() {
	if a.err == nil {
		a.err = ErrArchive
	}
	a.b = nil
}

func (a *archive) u64(p *uint64) {
	if !a.load {
		a.b = binary.AppendUvarint(a.b, *p)
		return
	}
	v, n := binary.Uvarint(a.b)
	if n <= 0 {
		a.fail()
		return
	}
	*p, a.b = v, a.b[n:]
}

// number is any integer whose values fit 64 bits.
type number interface {
	~int | ~int64 | ~uint8 | ~uint32 | ~uint64
}

// num carries an integer; negative ones take ten bytes.
func num[T number](a *archive, p *T) {
	v := uint64(*p)
	a.u64(&v)
	if a.load {
		*p = T(v)
		if uint64(*p) != v {
			a.fail()
		}
	}
}

func nums[T number](a *archive, ps ...*T) {
	for _, p := range ps {
		num(a, p)
	}
}

func (a *archive) flags(ps ...*bool) {
	w := uint64(0)
	for i, p := range ps {
		if *p {
			w |= 1 << i
		}
	}
	a.u64(&w)
	if !a.load {
		return
	}
	if w>>len(ps) != 0 {
		a.fail()
	}
	for i, p := range ps {
		*p = w&(1<<i) != 0
	}
}

// count carries the length of a list; each entry takes at least one byte.
func (a *archive) count(n, limit int) int {
	v := uint64(n)
	a.u64(&v)
	if a.load && (v > uint64(limit) || v > uint64(len(a.b))) {
		a.fail()
		return 0
	}
	return int(v)
}

// bytes carries a byte slice and whether it is nil.
func (a *archive) bytes(p *[]byte) {
	v := uint64(0)
	if *p != nil {
		v = uint64(len(*p)) + 1
	}
	a.u64(&v)
	if !a.load {
		a.b = append(a.b, *p...)
		return
	}
	if v == 0 {
		*p = nil
		return
	}
	if v-1 > uint64(len(a.b)) {
		a.fail()
		return
	}
	*p = append(make([]byte, 0, v-1), a.b[:v-1]...)
	a.b = a.b[v-1:]
}

func (a *archive) ring(ps ...*messaging.RingID) {
	for _, p := range ps {
		num(a, &p.Rep)
		a.u64(&p.Seq)
	}
}

// nodes carries sets of nodes, which ascend.
func (a *archive) nodes(ps ...*nodeSet) {
	for _, p := range ps {
		n := a.count(len(*p), MaxNodes)
		if a.load {
			*p = nil
			if n > 0 {
				*p = make(nodeSet, n)
			}
		}
		for i := range *p {
			num(a, &(*p)[i])
			if (*p)[i] == 0 || i > 0 && (*p)[i] <= (*p)[i-1] {
				a.fail()
			}
		}
	}
}
