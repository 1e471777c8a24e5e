// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import "encoding/binary"

// BeatLen is the length of a heartbeat's content without its padding.
const BeatLen = 17

// A Beat is what a heartbeat says about one link.
type Beat struct {
	// Hears tells the receiver that it is heard on this link, Well that hardly
	// any of its heartbeats are lost.
	Hears, Well bool
	// Probe asks for an answer at once.
	Probe bool
	// Seq numbers the heartbeats of a link, but for those of a size that may not
	// pass, which have 0.
	Seq uint32
	// Stamp is the sender's time in microseconds, Echo the stamp of the probe
	// that this answers.
	Stamp, Echo uint32
	// Size is the size of the packet that carries a probe, with all headers; Ack
	// is the size of the probe that this answers, 0 for none.
	Size, Ack uint16
}

// The flags of a heartbeat.
const (
	flagHears = 1 << iota
	flagWell
	flagProbe
)

// Append encodes a heartbeat: flags u8 · seq u32 · stamp u32 · echo u32 ·
// size u16 · ack u16, little-endian.
func (b Beat) Append(dst []byte) []byte {
	var flags byte
	if b.Hears {
		flags |= flagHears
	}
	if b.Well {
		flags |= flagWell
	}
	if b.Probe {
		flags |= flagProbe
	}
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint32(dst, b.Seq)
	dst = binary.LittleEndian.AppendUint32(dst, b.Stamp)
	dst = binary.LittleEndian.AppendUint32(dst, b.Echo)
	dst = binary.LittleEndian.AppendUint16(dst, b.Size)
	return binary.LittleEndian.AppendUint16(dst, b.Ack)
}

// ParseBeat decodes a heartbeat, which may be followed by padding. ok is false
// where it is too short to be one.
func ParseBeat(src []byte) (b Beat, ok bool) {
	if len(src) < BeatLen {
		return Beat{}, false
	}
	b.Hears, b.Well, b.Probe = src[0]&flagHears != 0, src[0]&flagWell != 0, src[0]&flagProbe != 0
	b.Seq = binary.LittleEndian.Uint32(src[1:])
	b.Stamp = binary.LittleEndian.Uint32(src[5:])
	b.Echo = binary.LittleEndian.Uint32(src[9:])
	b.Size = binary.LittleEndian.Uint16(src[13:])
	b.Ack = binary.LittleEndian.Uint16(src[15:])
	return b, true
}
