// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package pack puts messages into packets and takes them out again: many small
// ones share a packet, a big one is cut over several.
//
// A payload is a row of chunks. A chunk is a 32-bit word (two flag bits: first
// and last chunk of its message, 30 bits of length), for cut messages the
// total size and the offset, then the bytes. An origin sends its messages one
// after the other, so a receiver needs one assembly per origin. Offsets make
// it impossible to join chunks that do not belong together: after a gap, a
// message is dropped whole.
//
// The package knows nothing of rings; who resets what when a configuration
// changes is the caller's matter.
package pack
