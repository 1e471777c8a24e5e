// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FeatureSet is the CRM feature set that records carry: Pacemaker 2.1.5's.
const FeatureSet = "3.16.1"

// OpKey names an operation of a resource: RSC_OPERATION_MILLISECONDS.
func OpKey(rsc, op string, interval time.Duration) string {
	return rsc + "_" + op + "_" + strconv.FormatInt(interval.Milliseconds(), 10)
}

// ParseOpKey takes an operation key apart. Names of resources may have
// underscores, so may two operations.
func ParseOpKey(key string) (rsc, op string, interval time.Duration, ok bool) {
	head, ms, found := cutLast(key)
	if !found {
		return "", "", 0, false
	}
	n, err := strconv.ParseInt(ms, 10, 40)
	if err != nil || n < 0 {
		return "", "", 0, false
	}
	for _, two := range []string{"migrate_to", "migrate_from"} {
		if r, is := strings.CutSuffix(head, "_"+two); is && r != "" {
			return r, two, time.Duration(n) * time.Millisecond, true
		}
	}
	// Notifications: RSC_{pre,post,confirmed-post}_notify_OPERATION_0.
	for _, phase := range []string{"_pre_notify_", "_post_notify_", "_confirmed-pre_notify_", "_confirmed-post_notify_"} {
		if r, of, is := strings.Cut(head, phase); is && r != "" && of != "" {
			return r, strings.TrimPrefix(phase, "_") + of, time.Duration(n) * time.Millisecond, true
		}
	}
	rsc, op, found = cutLast(head)
	return rsc, op, time.Duration(n) * time.Millisecond, found && rsc != "" && op != ""
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '_')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// A TransitionKey tells which action of which transition caused an operation.
type TransitionKey struct {
	Action, Transition, TargetRC int
	UUID                         string
}

// String gives the key as the CIB has it: ACTION:TRANSITION:RC:UUID.
func (k TransitionKey) String() string {
	return fmt.Sprintf("%d:%d:%d:%-*s", k.Action, k.Transition, k.TargetRC, uuidLen, k.UUID)
}

const uuidLen = 36

// ParseTransitionKey reads a transition key.
func ParseTransitionKey(s string) (TransitionKey, bool) {
	parts := strings.SplitN(s, ":", 4)
	if len(parts) != 4 {
		return TransitionKey{}, false
	}
	var k TransitionKey
	for i, to := range []*int{&k.Action, &k.Transition, &k.TargetRC} {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return TransitionKey{}, false
		}
		*to = n
	}
	k.UUID = strings.TrimRight(parts[3], " ")
	return k, true
}
