// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	return fmt.Sprintf("%d:%d:%d:%-*s", k.ActionID, k.TransitionID, k.TargetRC, keyUUIDWidth, k.UUID)
}

// ParseKey reads a transition-key.
func ParseKey(s string) (Key, error) {
	parts := strings.SplitN(s, ":", 4)
	if len(parts) != 4 {
		return Key{}, fmt.Errorf("transition key %q: %w", s, ErrBadKey)
	}
	var n [3]int
	for i := range n {
		v, err := strconv.Atoi(parts[i])
		if err != nil {
			return Key{}, fmt.Errorf("transition key %q: %w", s, ErrBadKey)
		}
		n[i] = v
	}
	uuid, _, _ := strings.Cut(strings.TrimSpace(parts[3]), " ")
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
	return fmt.Sprintf("%d:%d;%s", m.OpStatus, m.RC, m.Key)
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
	underscored    = []string{"migrate_from", "migrate_to"}
	notifyPrefixes = []string{"pre_notify", "post_notify", "confirmed-pre_notify", "confirmed-post_notify"}
)

// ParseOpKey splits an operation key.
func ParseOpKey(key string) (rsc, action string, intervalMS uint, err error) {
	bad := fmt.Errorf("operation key %q: %w", key, ErrBadKey)
	last := strings.LastIndexByte(key, '_')
	if last <= 2 {
		return "", "", 0, bad
	}
	n, perr := strconv.ParseUint(key[last+1:], 10, 32)
	if perr != nil {
		return "", "", 0, bad
	}
	head := key[:last]
	cut := strings.LastIndexByte(head, '_')
	for _, a := range underscored {
		if strings.HasSuffix(head, "_"+a) {
			cut = len(head) - len(a) - 1
		}
	}
	if cut <= 0 {
		return "", "", 0, bad
	}
	for _, p := range notifyPrefixes {
		if strings.HasSuffix(head[:cut], "_"+p) {
			cut -= len(p) + 1
			break
		}
	}
	if cut <= 0 {
		return "", "", 0, bad
	}
	return head[:cut], head[cut+1:], uint(n), nil
}
