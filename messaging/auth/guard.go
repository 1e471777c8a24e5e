// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging"
)

// A Kind says what a packet carries. It stands in the clear header, sealed
// against change.
type Kind uint8

// The kinds of packets.
const (
	Data  Kind = 1 // a packet of the protocol
	Token Kind = 2 // a token of the protocol
	Beat  Kind = 3 // a heartbeat
	Hello Kind = 4 // challenge and answer; accepted from unknown boots
	Part  Kind = 5 // a part of a packet that is too large for a path
)

// Layout of the clear header, little-endian:
//
//	0 magic u16 · 2 version u8 · 3 kind u8 · 4 cluster u64 · 12 from u32 ·
//	16 to u32 · 20 counter u64 · 28 boot [16]
const (
	headerLen = 44
	tagLen    = 16
	magic     = 0x5271
	version   = 1

	// Overhead is what sealing adds to a packet, in bytes.
	Overhead = headerLen + tagLen
)

// Bounds of what is kept and done for others.
const (
	maxPeers      = 384
	derivePerSec  = 64 // keys derived per peer and second for unproven boots
	maxPacketSize = 1<<16 - 1
)

// A Config says who this node is and whom it believes.
type Config struct {
	Self messaging.NodeID
	Key  Key
	Rand io.Reader
	// Known tells whether a packet of from may come from that address. Nil
	// believes any address, of up to maxPeers nodes.
	Known func(from messaging.NodeID, src netip.Addr) bool
}

// A Guard seals and opens the packets of one start of one node. It is safe for
// concurrent use.
type Guard struct {
	cfg  Config
	boot BootID

	sealMu  sync.Mutex
	counter uint64      // guarded by sealMu
	sealer  cipher.AEAD // guarded by sealMu
	sends   Key         // guarded by sealMu; the key that sealer comes from

	mu      sync.Mutex
	keys    []Key                      // guarded by mu; those that are accepted, see rotate.go
	peers   map[messaging.NodeID]*peer // guarded by mu
	refused map[Reason]uint64          // guarded by mu
}

// A peer is what a guard knows of one other node.
type peer struct {
	proven    *session
	unproven  *session // the newest other boot that sealed a hello
	challenge [challengeLen]byte
	echo      [challengeLen]byte // the peer's newest challenge to us
	derived   int                // keys derived in this second
	second    time.Duration      // when this second began
}

// A session is one boot of one sender, as a receiver sees it.
type session struct {
	boot  BootID
	win   window
	slots [maxKeys]slot
	epoch uint32
}

// A slot holds what one key gives for one boot of one sender.
type slot struct {
	cluster uint64
	aeads   [2]cipher.AEAD // of the session's epoch and the one after it
}

// slot finds the slot of a key; that of a key no longer accepted is taken over.
func (s *session) slot(cluster uint64, keys []Key) *slot {
	var free *slot
	for i := range s.slots {
		t := &s.slots[i]
		if t.cluster == cluster {
			return t
		}
		if !slices.ContainsFunc(keys, func(k Key) bool { return k.cluster == t.cluster }) {
			free = t
		}
	}
	if free != nil {
		*free = slot{cluster: cluster}
	}
	return free
}

// A Refusal says why a packet was not taken.
type Refusal struct {
	Reason  Reason
	From    messaging.NodeID // as the header claims; 0 where unknown
	Cluster uint64           // of the header, where the reason is OtherCluster
}

// Error gives the reason in words.
func (r *Refusal) Error() string {
	return fmt.Sprintf("auth: packet refused: %s", r.Reason)
}

// A Reason is the class of a refusal, as metrics show it.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"
	BadVersion   Reason = "version"
	OtherCluster Reason = "other_cluster" // wrong key or cluster name
	NotForUs     Reason = "not_for_us"
	OwnPacket    Reason = "own_packet"
	OwnID        Reason = "duplicate_node_id" // our id from another machine
	UnknownNode  Reason = "unknown_node"      // sender or its address is not listed
	WrongLink    Reason = "wrong_link"        // from an address of the sender that belongs to another link
	Replay       Reason = "replay"
	BadSeal      Reason = "bad_seal"
	UnknownBoot  Reason = "unknown_boot" // no hello was answered yet
	RateLimited  Reason = "rate_limited"
)

// Reasons lists all reasons, for metrics.
var Reasons = []Reason{Malformed, BadVersion, OtherCluster, NotForUs, OwnPacket, OwnID, UnknownNode, WrongLink, Replay, BadSeal, UnknownBoot, RateLimited}

// NewGuard draws a boot id and is ready to seal.
func NewGuard(cfg Config) (*Guard, error) {
	if cfg.Self == 0 || cfg.Rand == nil || len(cfg.Key.root) == 0 {
		return nil, errors.New("auth: guard needs a node id, a key and a source of randomness")
	}
	sends, accepts := cfg.Key.clone(), cfg.Key.clone()
	cfg.Key = Key{} // each use has its own copy, to be wiped when it ends
	g := &Guard{cfg: cfg, sends: sends, keys: []Key{accepts}, peers: map[messaging.NodeID]*peer{}, refused: map[Reason]uint64{}}
	if _, err := io.ReadFull(cfg.Rand, g.boot[:]); err != nil {
		return nil, fmt.Errorf("auth: draw a boot id: %w", err)
	}
	return g, g.nextEpochLocked(0)
}

// Boot is the id of this start.
func (g *Guard) Boot() BootID { return g.boot }

func (g *Guard) nextEpochLocked(epoch uint32) (err error) {
	g.sealer, err = newAEAD(g.sends, g.cfg.Self, g.boot, epoch)
	return err
}

func newAEAD(k Key, from messaging.NodeID, boot BootID, epoch uint32) (cipher.AEAD, error) {
	key, err := k.session(from, boot, epoch)
	if err != nil {
		return nil, fmt.Errorf("auth: derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return cipher.NewGCM(block)
}

// Seal appends the sealed packet to dst. to 0 means all nodes.
func (g *Guard) Seal(dst []byte, kind Kind, to messaging.NodeID, plain []byte) ([]byte, error) {
	g.sealMu.Lock()
	defer g.sealMu.Unlock()
	g.counter++
	if g.counter>>32 != (g.counter-1)>>32 {
		if err := g.nextEpochLocked(uint32(g.counter >> 32)); err != nil {
			return nil, err
		}
	}
	at := len(dst)
	dst = binary.LittleEndian.AppendUint16(dst, magic)
	dst = append(dst, version, byte(kind))
	dst = binary.LittleEndian.AppendUint64(dst, g.sends.cluster)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(g.cfg.Self))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(to))
	dst = binary.LittleEndian.AppendUint64(dst, g.counter)
	dst = append(dst, g.boot[:]...)
	nonce := nonceOf(g.counter)
	return g.sealer.Seal(dst, nonce[:], plain, dst[at:at+headerLen]), nil
}

func nonceOf(counter uint64) (n [12]byte) {
	binary.LittleEndian.PutUint64(n[4:], counter)
	return n
}

// A header is the clear part of a packet.
type header struct {
	kind     Kind
	from, to messaging.NodeID
	counter  uint64
	boot     BootID
	cluster  uint64
	key      *Key
}

// An Opened packet passed all checks.
type Opened struct {
	From  messaging.NodeID
	Kind  Kind
	Plain []byte
	// Proven tells that the sender's present boot is believed: the packet is a
	// sign of its life. It is false for hellos that prove nothing (yet).
	Proven bool
	// Believed tells that the sender of this hello believes our present boot: what
	// we send it will be taken.
	Believed bool
	// NewBoot tells that this hello proved a boot not known before: the peer
	// (re)started or was met for the first time.
	NewBoot bool
	// Reply tells that the peer waits for a hello of ours.
	Reply bool
}

// Open checks a packet and opens its seal: what it appends to dst is the plain
// content. now is monotonic time. The error is a *[Refusal].
func (g *Guard) Open(dst []byte, now time.Duration, src netip.Addr, packet []byte) (Opened, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h, reason := g.checkHeader(src, packet)
	if reason != "" {
		err := g.refuseLocked(reason, h.from)
		if reason == OtherCluster {
			err.Cluster = h.cluster
		}
		return Opened{}, err
	}
	p, reason := g.peerLocked(h.from)
	if reason != "" {
		return Opened{}, g.refuseLocked(reason, h.from)
	}
	s, reason := g.sessionLocked(p, h)
	if reason != "" {
		return Opened{Reply: reason == UnknownBoot}, g.refuseLocked(reason, h.from)
	}
	if !s.win.fresh(h.counter) {
		return Opened{}, g.refuseLocked(Replay, h.from)
	}
	plain, reason := g.unseal(dst, p, s, h, packet, now)
	if reason != "" {
		return Opened{}, g.refuseLocked(reason, h.from)
	}
	s.win.mark(h.counter)
	out := Opened{From: h.from, Kind: h.kind, Plain: plain}
	if h.kind == Hello {
		if len(plain) != helloLen {
			return Opened{}, g.refuseLocked(Malformed, h.from)
		}
		hi := parseHello(plain)
		out.Believed = hi.believes == g.boot
		out.NewBoot, out.Reply = g.helloLocked(p, s, hi)
	}
	out.Proven = s == p.proven
	return out, nil
}

func (g *Guard) checkHeader(src netip.Addr, b []byte) (h header, reason Reason) {
	if len(b) < Overhead || len(b) > maxPacketSize || binary.LittleEndian.Uint16(b) != magic {
		return h, Malformed
	}
	if b[2] != version {
		return h, BadVersion
	}
	h.kind = Kind(b[3])
	h.from = messaging.NodeID(binary.LittleEndian.Uint32(b[12:]))
	h.to = messaging.NodeID(binary.LittleEndian.Uint32(b[16:]))
	h.counter = binary.LittleEndian.Uint64(b[20:])
	copy(h.boot[:], b[28:headerLen])
	h.cluster = binary.LittleEndian.Uint64(b[4:])
	for i := range g.keys {
		if g.keys[i].cluster == h.cluster {
			h.key = &g.keys[i]
		}
	}
	switch {
	case h.key == nil:
		return h, OtherCluster
	case h.kind < Data || h.kind > Part || h.from == 0:
		return h, Malformed
	case h.from == g.cfg.Self && subtle.ConstantTimeCompare(h.boot[:], g.boot[:]) == 1:
		return h, OwnPacket
	case h.from == g.cfg.Self:
		return h, OwnID
	case h.to != 0 && h.to != g.cfg.Self:
		return h, NotForUs
	case g.cfg.Known != nil && !g.cfg.Known(h.from, src):
		return h, UnknownNode
	}
	return h, ""
}

func (g *Guard) peerLocked(id messaging.NodeID) (*peer, Reason) {
	if p := g.peers[id]; p != nil {
		return p, ""
	}
	if len(g.peers) >= maxPeers {
		return nil, UnknownNode
	}
	p := &peer{}
	if _, err := io.ReadFull(g.cfg.Rand, p.challenge[:]); err != nil {
		return nil, RateLimited
	}
	g.peers[id] = p
	return p, ""
}

// sessionLocked finds the session of a packet, or starts an unproven one for a
// hello.
func (g *Guard) sessionLocked(p *peer, h header) (*session, Reason) {
	if p.proven != nil && p.proven.boot == h.boot {
		return p.proven, ""
	}
	if h.kind != Hello {
		return nil, UnknownBoot
	}
	if p.unproven != nil && p.unproven.boot == h.boot {
		return p.unproven, ""
	}
	// Not stored until the seal opens: a forger must not push a true boot out.
	return &session{boot: h.boot}, ""
}

func (g *Guard) unseal(dst []byte, p *peer, s *session, h header, packet []byte, now time.Duration) ([]byte, Reason) {
	aead, reason := g.aead(p, s, h, now)
	if reason != "" {
		return nil, reason
	}
	nonce := nonceOf(h.counter)
	plain, err := aead.Open(dst, nonce[:], packet[headerLen:], packet[:headerLen])
	if err != nil {
		return nil, BadSeal
	}
	if epoch := uint32(h.counter >> 32); epoch == s.epoch+1 {
		for i := range s.slots {
			s.slots[i].aeads = [2]cipher.AEAD{s.slots[i].aeads[1], nil}
		}
		s.epoch = epoch
	}
	return plain[len(dst):], ""
}

// aead gives the key of the packet's epoch: the session's present one, the next
// one, or any where the session is new. Derivations are rate limited, since a
// forger can ask for them.
func (g *Guard) aead(p *peer, s *session, h header, now time.Duration) (cipher.AEAD, Reason) {
	epoch := uint32(h.counter >> 32)
	if s.win.top == 0 { // nothing of this boot was opened yet
		s.epoch = epoch
	}
	i := epoch - s.epoch
	if i > 1 {
		return nil, Replay
	}
	t := s.slot(h.cluster, g.keys)
	if t == nil {
		return nil, OtherCluster
	}
	if t.aeads[i] != nil {
		return t.aeads[i], ""
	}
	if now-p.second >= time.Second {
		p.second, p.derived = now, 0
	}
	if p.derived >= derivePerSec {
		return nil, RateLimited
	}
	p.derived++
	a, err := newAEAD(*h.key, h.from, s.boot, epoch)
	if err != nil {
		return nil, BadSeal
	}
	t.aeads[i] = a
	return a, ""
}
