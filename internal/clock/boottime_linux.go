// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package clock

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/invariant"
)

// Boottime returns the production clock: CLOCK_BOOTTIME, which counts the time
// that the machine was suspended. A suspend shows in Now within offsetEvery of
// running time. Its timers run on the kernel's monotonic time; after a suspend
// they are late by it, which the reader of Now sees.
func Boottime() Clock {
	b := &boottime{start: time.Now()}
	b.offset.Store(int64(readBoottime()))
	return b
}

// Reading CLOCK_BOOTTIME costs a system call, reading Go's monotonic clock does
// not; they differ by the suspends.
const (
	// offsetEvery is how often their difference is looked at.
	offsetEvery = 2 * time.Millisecond
	// leastSuspend is what counts as a suspend; less is the time between two
	// readings.
	leastSuspend = time.Millisecond
	// offsetTries bounds how often a suspend is looked at before it is believed:
	// this thread may have been interrupted between two readings.
	offsetTries = 3
)

type boottime struct {
	start  time.Time
	looked atomic.Int64 // when offset was looked at last, since start
	offset atomic.Int64 // CLOCK_BOOTTIME at start, and all suspends since
}

func (b *boottime) Now() time.Duration {
	now := time.Since(b.start)
	if looked := b.looked.Load(); int64(now)-looked > int64(offsetEvery) && b.looked.CompareAndSwap(looked, int64(now)) {
		b.look()
	}
	return now + time.Duration(b.offset.Load())
}

// look takes in a suspend.
func (b *boottime) look() {
	had := time.Duration(b.offset.Load())
	var offset time.Duration
	for range offsetTries {
		offset = -time.Since(b.start) + readBoottime()
		if offset-had < leastSuspend {
			return
		}
	}
	b.offset.Store(int64(offset))
}

func readBoottime() time.Duration {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	invariant.Check(err == nil, "CLOCK_BOOTTIME is readable: %v", err)
	return time.Duration(ts.Nano())
}

func (*boottime) Wall() time.Time { return time.Now() }

func (*boottime) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func (*boottime) NewTimer(d time.Duration) ChanTimer { return runtimeTimer{time.NewTimer(d)} }
