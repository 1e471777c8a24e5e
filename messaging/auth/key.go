// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/quorate/quorate/messaging"
)

// Bounds of the key file, in bytes, as corosync-keygen's.
const (
	MinKey     = 128
	MaxKey     = 4096
	DefaultKey = 256
)

// ErrKey tells that the key cannot be used.
var ErrKey = errors.New("auth: unusable key")

// BootLen is the length of a boot id, in bytes.
const BootLen = 16

// A BootID names one start of a node's daemon.
type BootID [BootLen]byte

// A Key is the cluster's secret in a usable form.
type Key struct {
	root    []byte
	cluster uint64
}

// LoadKey reads the key file. It is refused unless it is a regular file of a
// good length that belongs to root or to the caller and that nobody else may
// read.
func LoadKey(path, clusterName string) (Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w (make one with corosync-keygen and copy it to every node)", ErrKey, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if !st.Mode().IsRegular() {
		return Key{}, fmt.Errorf("%w: %s is not a regular file", ErrKey, path)
	}
	if m := st.Mode().Perm(); m != 0o400 && m != 0o600 {
		return Key{}, fmt.Errorf("%w: %s has mode %04o: others must not read it; run chmod 0400 %s", ErrKey, path, m, path)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 && int(sys.Uid) != os.Geteuid() {
		return Key{}, fmt.Errorf("%w: %s belongs to uid %d: it must belong to root; run chown root %s", ErrKey, path, sys.Uid, path)
	}
	secret, err := io.ReadAll(io.LimitReader(f, MaxKey+1))
	if err != nil {
		return Key{}, fmt.Errorf("%w: read %s: %w", ErrKey, path, err)
	}
	k, err := NewKey(secret, clusterName)
	clear(secret)
	if err != nil {
		return Key{}, fmt.Errorf("%w (file %s)", err, path)
	}
	return k, nil
}

// NewKey makes a key from a secret and the cluster's name: two clusters that
// share a key file by mistake still do not understand each other.
func NewKey(secret []byte, clusterName string) (Key, error) {
	if len(secret) < MinKey || len(secret) > MaxKey {
		return Key{}, fmt.Errorf("%w: it has %d bytes, %d to %d are needed; make one with corosync-keygen", ErrKey, len(secret), MinKey, MaxKey)
	}
	root, err := hkdf.Extract(sha256.New, secret, []byte("quorate ring 1|"+clusterName))
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	id, err := hkdf.Expand(sha256.New, root, "cluster id", 8)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return Key{root: root, cluster: binary.LittleEndian.Uint64(id)}, nil
}

// ID is the number in clear packets that tells keys apart; it tells nothing else
// about the key.
func (k Key) ID() uint64 { return k.cluster }

func (k Key) clone() Key { return Key{root: bytes.Clone(k.root), cluster: k.cluster} }

// session derives the AES key of one sender, one boot, one epoch of its counter.
func (k Key) session(from messaging.NodeID, boot BootID, epoch uint32) ([]byte, error) {
	info := make([]byte, 0, 32+BootLen)
	info = append(info, "packet"...)
	info = binary.LittleEndian.AppendUint32(info, uint32(from))
	info = append(info, boot[:]...)
	info = binary.LittleEndian.AppendUint32(info, epoch)
	return hkdf.Expand(sha256.New, k.root, string(info), 32)
}
