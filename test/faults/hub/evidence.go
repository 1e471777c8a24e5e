// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hub

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
)

func (h *Hub) keep(f Frame) {
	h.stats[f.Fate]++
	if len(h.kept) < maxKept {
		h.kept = append(h.kept, f)
		return
	}
	h.kept[h.next] = f
	h.next = (h.next + 1) % maxKept
}

// Stats counts frames by what became of them.
func (h *Hub) Stats() map[Fate]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.stats)
}

// Captured returns the frames that are kept, oldest first.
func (h *Hub) Captured() []Frame {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append([]Frame{}, h.kept[h.next:]...), h.kept[:h.next]...)
}

// Log writes one line for each frame that is kept.
func (h *Hub) Log(w io.Writer) error {
	for _, f := range h.Captured() {
		if _, err := fmt.Fprintf(w, "%12.6f %d>%d %4d %s\n", f.At.Seconds(), f.Pair.From, f.Pair.To, len(f.Data), f.Fate); err != nil {
			return fmt.Errorf("hub: log: %w", err)
		}
	}
	return nil
}

// pcap's numbers: magic of microseconds, version, kind of link.
const (
	pcapMagic    = 0xa1b2c3d4
	pcapEthernet = 1
)

// WritePcap writes the frames that are kept, as they were sent.
func (h *Hub) WritePcap(w io.Writer) error {
	out := binary.LittleEndian.AppendUint32(nil, pcapMagic)
	out = binary.LittleEndian.AppendUint16(out, 2)
	out = binary.LittleEndian.AppendUint16(out, 4)
	out = append(out, make([]byte, 8)...)
	out = binary.LittleEndian.AppendUint32(out, maxFrame)
	out = binary.LittleEndian.AppendUint32(out, pcapEthernet)
	for _, f := range h.Captured() {
		at := h.began.Add(f.At)
		for _, n := range []int{int(at.Unix()), at.Nanosecond() / 1000, len(f.Data), len(f.Data)} {
			out = binary.LittleEndian.AppendUint32(out, uint32(n))
		}
		out = append(out, f.Data...)
		if _, err := w.Write(out); err != nil {
			return fmt.Errorf("hub: pcap: %w", err)
		}
		out = out[:0]
	}
	return nil
}
