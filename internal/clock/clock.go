// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package clock

import "time"

// A Clock tells time and wakes its user. It is safe for concurrent use.
type Clock interface {
	// Now is the time since an arbitrary start. It never goes back.
	Now() time.Duration
	// Wall is the calendar time, for people and files only.
	Wall() time.Time
	// AfterFunc calls f in its own goroutine once d has passed.
	AfterFunc(d time.Duration, f func()) Timer
	// NewTimer sends on its channel once d has passed.
	NewTimer(d time.Duration) ChanTimer
}

// A Timer is a call that is yet to be made.
type Timer interface {
	// Stop prevents the call; it tells whether it came in time.
	Stop() bool
	// Reset moves the call to d from now; it tells whether the timer was active.
	Reset(d time.Duration) bool
}

// A ChanTimer is a Timer that sends on a channel instead of calling.
type ChanTimer interface {
	Timer
	// C is the channel; it has no stale value after Stop or Reset.
	C() <-chan time.Time
}

type runtimeTimer struct{ *time.Timer }

func (t runtimeTimer) C() <-chan time.Time { return t.Timer.C }

// Runtime returns a clock on Go's own monotonic time. Inside a testing/synctest
// bubble it follows the bubble's time.
func Runtime() Clock { return &runtimeClock{start: time.Now()} }

type runtimeClock struct{ start time.Time }

func (c *runtimeClock) Now() time.Duration { return time.Since(c.start) }
func (c *runtimeClock) Wall() time.Time    { return time.Now() }

func (c *runtimeClock) AfterFunc(d time.Duration, f func()) Timer {
	return time.AfterFunc(d, f)
}

func (c *runtimeClock) NewTimer(d time.Duration) ChanTimer {
	return runtimeTimer{time.NewTimer(d)}
}
