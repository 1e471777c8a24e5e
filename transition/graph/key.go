// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrBadKey is the answer to a text that is no transition key, magic or
// operation key.
var ErrBadKey = errors.New("graph: malformed key")

// A Key tells which action of which transition an operation belongs to, and
// which exit code is expected of it. Its text is the transition-key of the
// resource history.
type Key struct {
	ActionID     int
	TransitionID int
	TargetRC     int
	UUID         string // of the engine that made the transition
}

// keyUUIDWidth is the width to which the UUID of a key is padded.
const keyUUIDWidth = 36

// String gives the key as Pacemaker writes it.
func (k Key) String() string {
	return string(k.append(make([]byte, 0, keyRoom)))
}

// keyRoom is enough for most keys.
const keyRoom = keyUUIDWidth + 24

// append writes the key behind b.
func (k Key) append(b []byte) []byte {
	for _, n := range [3]int{k.ActionID, k.TransitionID, k.TargetRC} {
		b = append(strconv.AppendInt(b, int64(n), 10), ':')
	}
	b = append(b, k.UUID...)
	for n := utf8.RuneCountInString(k.UUID); n < keyUUIDWidth; n++ {
		b = append(b, ' ')
	}
	return b
}

// ParseKey reads a transition-key.
func ParseKey(s string) (Key, error) {
	var n [3]int
	rest := s
	for i := range n {
		number, after, ok := strings.Cut(rest, ":")
		v, err := strconv.Atoi(number)
		if !ok || err != nil {
			return Key{}, fmt.Errorf("transition key %q: %w", s, ErrBadKey)
		}
		n[i], rest = v, after
	}
	uuid, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if uuid == "" {
		return Key{}, fmt.Errorf("transition key %q: %w", s, ErrBadKey)
	}
	if len(uuid) > keyUUIDWidth {
		uuid = uuid[:keyUUIDWidth]
	}
	return Key{ActionID: n[0], TransitionID: n[1], TargetRC: n[2], UUID: uuid}, nil
}

// A Magic is a key with the result that the operation had. Its text is the
// transition-magic of the resource history.
type Magic struct {
	OpStatus int
	RC       int
	Key      Key
}

// String gives the magic as Pacemaker writes it.
func (m Magic) String() string {
	b := strconv.AppendInt(make([]byte, 0, keyRoom), int64(m.OpStatus), 10)
	b = strconv.AppendInt(append(b, ':'), int64(m.RC), 10)
	return string(m.Key.append(append(b, ';')))
}

// ParseMagic reads a transition-magic.
func ParseMagic(s string) (Magic, error) {
	head, key, ok := strings.Cut(s, ";")
	status, rc, ok2 := strings.Cut(head, ":")
	if !ok || !ok2 {
		return Magic{}, fmt.Errorf("transition magic %q: %w", s, ErrBadKey)
	}
	st, err1 := strconv.Atoi(status)
	code, err2 := strconv.Atoi(rc)
	k, err3 := ParseKey(key)
	if err1 != nil || err2 != nil || err3 != nil {
		return Magic{}, fmt.Errorf("transition magic %q: %w", s, ErrBadKey)
	}
	return Magic{OpStatus: st, RC: code, Key: k}, nil
}

// OpKey names an operation of a resource: resource, action and interval in
// milliseconds.
func OpKey(rsc, action string, intervalMS uint) string {
	return rsc + "_" + action + "_" + strconv.FormatUint(uint64(intervalMS), 10)
}

// NotifyKey names a notification: typ is pre or post, action what it is about.
func NotifyKey(rsc, typ, action string) string {
	return rsc + "_" + typ + "_notify_" + action + "_0"
}

// actions whose names have an underscore, and the prefixes of notifications.
var (
	underscored    = []string{"_migrate_from", "_migrate_to"}
	notifyPrefixes = []string{"_pre_notify", "_post_notify", "_confirmed-pre_notify", "_confirmed-post_notify"}
)

// ParseOpKey splits an operation key.
func ParseOpKey(key string) (rsc, action string, intervalMS uint, err error) {
	last := strings.LastIndexByte(key, '_')
	if last <= 2 {
		return "", "", 0, badOpKey(key)
	}
	n, perr := strconv.ParseUint(key[last+1:], 10, 32)
	if perr != nil {
		return "", "", 0, badOpKey(key)
	}
	head := key[:last]
	cut := strings.LastIndexByte(head, '_')
	for _, a := range underscored {
		if strings.HasSuffix(head, a) {
			cut = len(head) - len(a)
		}
	}
	if cut <= 0 {
		return "", "", 0, badOpKey(key)
	}
	for _, p := range notifyPrefixes {
		if strings.HasSuffix(head[:cut], p) {
			cut -= len(p)
			break
		}
	}
	if cut <= 0 {
		return "", "", 0, badOpKey(key)
	}
	return head[:cut], head[cut+1:], uint(n), nil
}

func badOpKey(key string) error { return fmt.Errorf("operation key %q: %w", key, ErrBadKey) }
