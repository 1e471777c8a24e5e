// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package auth seals the packets of the ring and opens those of the others.
//
// # Keys
//
// The key file is never used as a key. HKDF makes from it, the cluster's name
// and the layout's version one root; from the root come the cluster id of the
// clear header and, for each sender and each start of it (its boot id, 16 random
// bytes), the keys that AES-256-GCM uses. The nonce is a counter of that boot, so
// that no key ever meets a nonce twice; after each 2³² packets the key moves on
// by itself (the upper half of the counter enters its derivation).
//
// # Freshness
//
// Each receiver keeps a window over each sender's counter, so a packet is taken
// once. A boot id is believed only after its owner has answered a challenge that
// this process drew for it (see [Guard.Hello]); until then nothing but hellos is
// opened. Captures of earlier boots are therefore useless, across restarts of
// both sides, without any stored state.
//
// # Order of the checks
//
// Length, magic, version, cluster id, addressee, sender, source address, window;
// then the seal; only then is a byte of the content looked at. Every refusal has
// a [Reason] and is counted.
//
// The group key means that any member could pose as another one; that is the
// limit of a shared key. The package opens no socket and knows no protocol.
package auth
