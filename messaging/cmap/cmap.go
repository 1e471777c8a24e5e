// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cmap

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/quorate/quorate/messaging"
)

// Bounds of a key, as in corosync's map.
const (
	MinKeyLen = 3
	MaxKeyLen = 255
)

// maxEntries bounds the number of keys of one map.
const maxEntries = 1 << 16

// Errors of the map.
var (
	// ErrKey: a key is too short, too long or holds a character that keys may
	// not have.
	ErrKey = fmt.Errorf("%w: cmap key", messaging.ErrInvalid)
	// ErrType: a type is unknown, or the value does not fit it.
	ErrType = fmt.Errorf("%w: cmap type or value", messaging.ErrInvalid)
	// ErrFull: the map holds as many keys as it may.
	ErrFull = fmt.Errorf("%w: too many keys in cmap", messaging.ErrInvalid)
)

// A Map is a set of typed keys. The zero value is not usable; call [New].
type Map struct {
	mu      sync.RWMutex
	entries map[string]messaging.CmapEntry // guarded by mu
	watches []*Watch                       // guarded by mu
}

// New gives an empty map.
func New() *Map { return &Map{entries: map[string]messaging.CmapEntry{}} }

// Set stores a key, replacing one of the same name whatever its type.
func (m *Map) Set(e messaging.CmapEntry) error {
	if err := check(e); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.setLocked(e)
}

func check(e messaging.CmapEntry) error {
	if err := CheckKey(e.Key); err != nil {
		return err
	}
	if err := CheckValue(e.Type, e.Value); err != nil {
		return fmt.Errorf("%w: key %s", err, e.Key)
	}
	return nil
}

func (m *Map) setLocked(e messaging.CmapEntry) error {
	old, there := m.entries[e.Key]
	switch {
	case !there && len(m.entries) >= maxEntries:
		return ErrFull
	case old == e:
		return nil
	}
	m.entries[e.Key] = e
	ev := messaging.CmapAdded
	if there {
		ev = messaging.CmapModified
	}
	m.tellLocked(ev, e)
	return nil
}

func (m *Map) deleteLocked(key string) {
	if e, ok := m.entries[key]; ok {
		delete(m.entries, key)
		m.tellLocked(messaging.CmapDeleted, e)
	}
}

// SetAll stores several keys; the first bad one ends it.
func (m *Map) SetAll(es []messaging.CmapEntry) error {
	for _, e := range es {
		if err := m.Set(e); err != nil {
			return err
		}
	}
	return nil
}

// Get returns one key.
func (m *Map) Get(key string) (messaging.CmapEntry, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.entries[key]
	return e, ok
}

// Prefix returns all keys that begin with prefix, sorted by key.
func (m *Map) Prefix(prefix string) []messaging.CmapEntry {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.prefixLocked(prefix)
}

func (m *Map) prefixLocked(prefix string) []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for k, e := range m.entries {
		if strings.HasPrefix(k, prefix) {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// Delete removes one key; it tells whether it was there.
func (m *Map) Delete(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.entries[key]
	m.deleteLocked(key)
	return ok
}

// DeletePrefix removes all keys that begin with prefix and tells how many.
func (m *Map) DeletePrefix(prefix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := m.prefixLocked(prefix)
	for _, e := range gone {
		m.deleteLocked(e.Key)
	}
	return len(gone)
}

// CheckKey tells whether key may name an entry.
func CheckKey(key string) error {
	if len(key) < MinKeyLen || len(key) > MaxKeyLen {
		return fmt.Errorf("%w: %q has %d characters, %d to %d are allowed", ErrKey, key, len(key), MinKeyLen, MaxKeyLen)
	}
	for _, r := range key {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:", r)
		if !ok {
			return fmt.Errorf("%w: %q holds the character %q", ErrKey, key, r)
		}
	}
	return nil
}

// CheckValue tells whether value fits the type.
func CheckValue(typ, value string) error {
	var err error
	switch typ {
	case "str":
	case "bin":
		_, err = hex.DecodeString(value)
	case "u8", "u16", "u32", "u64":
		bits, _ := strconv.Atoi(typ[1:])
		_, err = strconv.ParseUint(value, 10, bits)
	case "i8", "i16", "i32", "i64":
		bits, _ := strconv.Atoi(typ[1:])
		_, err = strconv.ParseInt(value, 10, bits)
	case "flt":
		_, err = strconv.ParseFloat(value, 32)
	case "dbl":
		_, err = strconv.ParseFloat(value, 64)
	default:
		return fmt.Errorf("%w: unknown type %q", ErrType, typ)
	}
	if err != nil {
		return fmt.Errorf("%w: %q is no %s", ErrType, value, typ)
	}
	return nil
}

// Str makes an entry of type str.
func Str(key, value string) messaging.CmapEntry {
	return messaging.CmapEntry{Key: key, Type: "str", Value: value}
}

// Uint makes an entry of an unsigned type of the given width in bits.
func Uint(key string, bits int, value uint64) messaging.CmapEntry {
	return messaging.CmapEntry{Key: key, Type: "u" + strconv.Itoa(bits), Value: strconv.FormatUint(value, 10)}
}
